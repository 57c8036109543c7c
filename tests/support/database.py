"""What the fixtures hand out: the server of a test run and the owner of its schemas."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from todo_sql.database.server import EmbeddedServer

Kind = Literal["superuser", "plain"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        embedded: How it was started.
        version: Its major version.
        password: The superuser's; give it to the logins that a test makes, so that
            `url` can name them.
    """

    embedded: EmbeddedServer
    version: int
    password: str

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """Return the URL of a database for `user`, by default the superuser."""
        port = self.embedded.status().port
        login = f"{quote(user or 'postgres', safe='')}:{self.password}"
        return f"postgresql://{login}@127.0.0.1:{port}/{quote(database, safe='')}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who migrates and owns the schema.

    Attributes:
        kind: ``superuser``, or ``plain``: CREATEROLE and CREATEDB, but neither superuser
            nor BYPASSRLS, as on a managed server.
        name: The login.
    """

    kind: Kind
    name: str


@contextmanager
def database(server: Server, owner: Owner, template: str = "template1") -> Iterator[str]:
    """Make a database of `owner` from a template; drop it afterwards, whoever is connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("create database {} owner {} template {} strategy {}").format(
        *map(sql.Identifier, (name, owner.name, template)), sql.Literal("wal_log")
    )
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(create)
    try:
        yield name
    finally:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(drop)


def apply_migrations(url: str, folder: Path) -> None:
    """Apply every migration in `folder` to the database at `url`."""
    import todo_sql.migrations

    if hasattr(todo_sql.migrations, "migrate"):
        todo_sql.migrations.migrate(url, folder)
        return
    from todo_sql.sql.grammar import parse  # until the migrator lands

    with psycopg.connect(url, autocommit=True) as connection:
        for path in sorted(folder.glob("*.sql")):
            if not path.name.endswith(".rollback.sql"):
                for statement in parse(path.read_text(encoding="utf-8")):
                    connection.execute(statement.text.encode())
