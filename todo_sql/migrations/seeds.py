"""Development data: the .sql files of the seeds folder, run in one transaction.

``scale.sql`` makes load-test data and runs only when a scale is asked for; it reads it
as ``current_setting('seed.scale')``. Every other file runs each time, so it must be
idempotent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from todo_sql.errors import ConfigError, DatabaseError
from todo_sql.migrations.engine.failure import LACKING, lacking
from todo_sql.sql.source import Source

SCALE_FILE = "scale.sql"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What one file did: how many rows its statements inserted or changed."""

    file: str
    rows: int


def seed(url: str, folder: Path, *, scale: int | None = None) -> list[Seeded]:
    """Run the seed files in order of their names; all of them or none.

    A folder that is not there holds none.

    Args:
        url: The database, migrated, as the owner of its tables.
        scale: How much load-test data to make besides; its unit is scale.sql's own.

    Raises:
        ConfigError: There is no scale.sql for a scale.
        DatabaseError: A statement failed, with its place; nothing was changed.
    """
    sources = _sources(folder, with_scale=scale is not None)
    if not sources:
        return []
    with psycopg.connect(url) as connection:
        # Rows that row security would hide from this login are an error, not 0 rows.
        connection.execute("set local row_security = off")
        setting = "select pg_catalog.set_config('seed.scale', %s, true)"
        connection.execute(setting, [str(scale or 0)])
        return [Seeded(source.file, _run(connection, source)) for source in sources]


def _sources(folder: Path, *, with_scale: bool) -> list[Source]:
    paths = [path for path in sorted(folder.glob("*.sql")) if path.name != SCALE_FILE]
    if with_scale:
        paths.append(folder / SCALE_FILE)
        if not paths[-1].is_file():
            raise ConfigError(
                f"there is no {SCALE_FILE} in {folder}",
                fix="write one that reads current_setting('seed.scale')",
            )
    return [Source.read(path, folder.parent) for path in paths]


def _run(connection: psycopg.Connection, source: Source) -> int:
    """Run every statement of a file in one flight and return how many rows they wrote."""
    cursor = connection.cursor()
    try:
        cursor.execute(source.text.encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        lacks = lacking(str(error))
        raise DatabaseError(
            error.diag.message_primary or str(error),
            code=LACKING if lacks else "D300",
            sqlstate=error.sqlstate,
            place=source.place(int(position or 1) - 1),
            cause=f"PostgreSQL {error.sqlstate}; nothing was changed",
            fix=lacks or _FIXES.get(error.sqlstate or "", error.diag.message_hint),
        ) from error
    rows = 0
    more: bool | None = True
    while more:
        if cursor.statusmessage and not cursor.statusmessage.startswith("SELECT"):
            rows += max(0, cursor.rowcount)
        more = cursor.nextset()
    return rows


_FIXES = {"42P01": "run `todo-sql migrate` first", "42501": "connect as the owner of the tables"}
