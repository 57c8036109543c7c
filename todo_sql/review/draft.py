"""A migration from what differs: the mending of `drift`, and its reverse as the rollback."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.scratch import empty_database, migrated_database, scratch_server
from todo_sql.config import Config
from todo_sql.errors import UsageError
from todo_sql.migrations.engine.failure import LACKING, lacking
from todo_sql.migrations.files.reading import read_sql
from todo_sql.review.drift import drift, ended
from todo_sql.sql.source import shown_path

_COPY = re.compile(r"^[ \t]*copy\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """Both halves of a migration as text; empty where nothing differs."""

    forward: str
    rollback: str


def draft(migrated: Snapshot, wanted: Snapshot, ignore: Sequence[str] = ()) -> Draft:
    """Return what makes the wanted schema out of the migrated one, and the way back."""
    halves = drift(migrated, wanted, ignore), drift(wanted, migrated, ignore)
    texts = ((text for one in half for text in one.statements) for half in halves)
    return Draft(*("\n".join(ended(half)) for half in texts))


def with_schema(config: Config, path: Path) -> tuple[Snapshot, Snapshot]:
    """Return the catalog that all migrations make, and that of a file of SQL such as pg_dump's.

    The file is run on a scratch database, in a transaction that is taken back.

    Raises:
        UsageError: A statement of the file fails.
    """
    file = read_sql(path, shown_path(path, config.root), folder=path.parent, root=config.root)
    source = file.source
    # What pg_dump and psql write for psql alone, and the rows of a dump.
    text = "\n".join("" if line.startswith("\\") else line for line in source.text.split("\n"))
    for offset, _ in file.rows:
        begin = max(found.start() for found in _COPY.finditer(text, 0, offset))
        text = text[:begin] + re.sub(r"[^\n]", " ", text[begin:offset]) + text[offset:]
    with psycopg.connect(migrated_database(config), autocommit=True) as connection:
        migrated = take(connection)
    with empty_database(scratch_server(config)) as url, psycopg.connect(url) as connection:
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            at = error.diag.statement_position
            lacks = lacking(str(error))
            raise UsageError(
                f"the schema fails on a scratch database: {error.diag.message_primary or error}",
                code=LACKING if lacks else "K104",
                place=source.place(int(at) - 1) if at else None,
                cause=error.diag.message_detail,
                fix=lacks
                or "correct it; it makes the roles that it grants to, and needs no superuser",
            ) from None
        wanted = take(connection)
        connection.rollback()
    return migrated, wanted
