"""Scratch databases: migrated to head, made from a template that is cached by its migrations.

They live on the embedded server, or on the server of ``TODO_SQL_SCRATCH_URL``, never on
the database that ``DATABASE_URL`` names. A template is named after the hash of the
migrations and of the server's version; nobody connects to it, so that it can always be
cloned.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from todo_sql.config import Config
from todo_sql.embedded.server import server_for
from todo_sql.errors import TodoSqlError
from todo_sql.sql.trust import SAFE_ALWAYS
from todo_sql.wire.url import DatabaseUrl

PREFIX = "todo_sql_scratch_"
_KEEP = 6
_FORMAT = "1"

Connection = psycopg.Connection[tuple[Any, ...]]


def scratch_server(config: Config) -> str:
    """Return the URL of a database on the scratch server; starts the embedded server."""
    given = config.environment.get("TODO_SQL_SCRATCH_URL") or os.environ.get("TODO_SQL_SCRATCH_URL")
    return DatabaseUrl.parse(given).text if given else server_for(config).ensure_running()


@contextmanager
def _administering(server: str) -> Iterator[Connection]:
    """Yield a connection that makes and drops databases, and runs nothing of the project's."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SAFE_ALWAYS)
        yield connection


@contextmanager
def scratch_database(config: Config) -> Iterator[str]:
    """Yield the URL of a database of one's own, migrated to head; dropped afterwards."""
    server = scratch_server(config)
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    with _administering(server) as connection:
        template = _template(connection, server, config)
        _clone(connection, name, template)
    try:
        yield with_database(server, name)
    finally:
        with _administering(server) as connection:
            _drop(connection, name)


def migrated_database(
    config: Config, kind: str = "read", fill: Callable[[str], None] | None = None
) -> str:
    """Return the URL of a shared database, migrated to head and kept for the next command.

    For reading: whoever wants to write takes a `scratch_database`.

    Args:
        config: Of the project.
        kind: Distinguishes databases of the same migrations that are filled differently.
        fill: Called once with the URL of the new database, to put rows into it.
    """
    server = scratch_server(config)
    with _administering(server) as connection:
        template = _template(connection, server, config)
        name = template.replace("_template", f"_{kind}")
        if not _exists(connection, name):
            with _alone(connection, name):
                if not _exists(connection, name):
                    draft = f"{name}_{secrets.token_hex(4)}"
                    _clone(connection, draft, template)
                    if fill is not None:
                        fill(with_database(server, draft))
                    _rename(connection, draft, name)
    return with_database(server, name)


@contextmanager
def connect_migrated(config: Config) -> Iterator[Connection]:
    """Yield a connection, in autocommit mode, to the shared database for reading."""
    with psycopg.connect(migrated_database(config), autocommit=True) as connection:
        yield connection


def fingerprint(folder: Path, version: int) -> str:
    """Return the hash of a folder of migrations and a server version."""
    digest = hashlib.sha256(f"{_FORMAT} {version}".encode())
    for path in sorted(folder.glob("*.sql")):
        if not path.name.endswith(".rollback.sql"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def with_database(url: str, name: str) -> str:
    """Return a URL with another database."""
    return DatabaseUrl.parse(url).with_database(name).text


def _template(connection: Connection, server: str, config: Config) -> str:
    from todo_sql.migrations import migrate

    version = connection.info.server_version
    name = f"{PREFIX}{fingerprint(config.migrations, version)}_template"
    if _exists(connection, name):
        return name
    with _alone(connection, name):
        if not _exists(connection, name):
            draft = f"{name}_{secrets.token_hex(4)}"
            connection.execute(
                sql.SQL("create database {} template template0").format(sql.Identifier(draft))
            )
            try:
                migrate(with_database(server, draft), config.migrations)
            except TodoSqlError as error:
                _drop(connection, draft)
                raise _on_scratch(error, server) from error
            except BaseException:
                _drop(connection, draft)
                raise
            _mark(connection, draft, config)
            _rename(connection, draft, name)
            _forget(connection, config)
    return name


def _on_scratch(error: TodoSqlError, server: str) -> TodoSqlError:
    """Say where the migrations failed: not on the database that they are meant for."""
    found = error.finding
    error.finding = replace(
        found,
        cause=f"{found.cause or 'the migrations do not run'}; on the scratch server "
        f"{DatabaseUrl.parse(server).shown}, where they are tried on an empty database",
        fix="what the migrations need from outside, such as a role, let them make themselves "
        "(`if not exists`); or name a server that has it in TODO_SQL_SCRATCH_URL",
    )
    return error


@contextmanager
def _alone(connection: Connection, name: str) -> Iterator[None]:
    """Keep other commands from making the same database."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    connection.execute("select pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(%s)", [key])


def _exists(connection: Connection, name: str) -> bool:
    found = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    return found is not None


def _clone(connection: Connection, name: str, template: str) -> None:
    connection.execute(
        sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )


def _rename(connection: Connection, draft: str, name: str) -> None:
    connection.execute(
        sql.SQL("alter database {} rename to {}").format(
            sql.Identifier(draft), sql.Identifier(name)
        )
    )


def _drop(connection: Connection, name: str) -> None:
    connection.execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    )


def _mark(connection: Connection, name: str, config: Config) -> None:
    connection.execute(
        sql.SQL("comment on database {} is {}").format(sql.Identifier(name), _owner(config))
    )


def _owner(config: Config) -> str:
    return f"todo-sql scratch of {config.root}"


def _forget(connection: Connection, config: Config) -> None:
    """Drop this project's oldest templates, and what was cloned from them."""
    rows = connection.execute(
        "select datname from pg_database where shobj_description(oid, 'pg_database') = %s"
        " order by oid desc",
        [_owner(config)],
    ).fetchall()
    for (name,) in rows[_KEEP:]:
        stem = name.removesuffix("template")
        for (other,) in connection.execute(
            "select datname from pg_database where starts_with(datname, %s)", [stem]
        ).fetchall():
            _drop(connection, other)
