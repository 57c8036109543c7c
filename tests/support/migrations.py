"""Folders of migrations for tests, and a look at what they left in a database."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import psycopg

from todo_sql.migrations.files.folder import load
from todo_sql.migrations.files.migration import MigrationSet
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.progress import Events

NOTHING = "select 'nothing to undo';\n"


class Recorder(Events):
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.waited: list[str] = []
        self.notes: list[str] = []
        self.blockers: list[str] = []

    def waiting(self, reason: str) -> None:
        """Keep what is waited for."""
        self.waited.append(reason)

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)

    def blocked(self, by: str) -> None:
        """Keep who is in the way."""
        self.blockers.append(by)


def write(folder: Path, id: str, forward: str, rollback: str | None = NOTHING) -> Path:
    """Write a pair of files; without a rollback (None) only the first. Return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{id}.sql"
    path.write_text(textwrap.dedent(forward), encoding="utf-8")
    if rollback is not None:
        (folder / f"{id}.rollback.sql").write_text(textwrap.dedent(rollback), encoding="utf-8")
    return path


def three_tables(folder: Path) -> MigrationSet:
    """Write three migrations that make the tables a, b and c."""
    for number, name in enumerate("abc", 1):
        write(
            folder,
            f"2026010{number}000000_create_{name}",
            f"create table {name} (id bigint primary key);\n",
            f"drop table {name};\n",
        )
    return load(folder)


def migrator(url: str, folder: Path, events: Events | None = None) -> Migrator:
    """Return the migrator of a folder on a database."""
    return Migrator(url, load(folder, folder), events=events)


def fetch(url: str, query: str) -> list[Any]:
    """Return the first column of a query's rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(query.encode())]


def tables(url: str) -> list[str]:
    """Return the tables of the schema public but those of the ledger."""
    return fetch(
        url,
        "select relname from pg_class where relkind in ('r', 'p') and "
        "relnamespace = 'public'::regnamespace and relname !~ '^_' and relname !~ '^yoyo' "
        "order by relname",
    )


def applied(url: str) -> list[str]:
    """Return the ids that yoyo's table knows, in order."""
    return fetch(url, "select migration_id from _yoyo_migration order by migration_id")


def invalid_indexes(url: str) -> list[str]:
    """Return the INVALID indexes."""
    return fetch(url, "select indexrelid::regclass::text from pg_index where not indisvalid")
