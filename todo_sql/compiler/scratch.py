"""Scratch databases: migrated to head, made from a template that is cached by its migrations.

They live on the embedded server, or on the server of ``TODO_SQL_SCRATCH_URL``, never on
the database that ``DATABASE_URL`` names. A template is named after the hash of the
migrations and of the server's version; nobody connects to it, so that it can always be
cloned. Whoever runs the migrations is no superuser, see `scratch_role`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import sql

from todo_sql.compiler.scratch_role import (
    REFUSED,
    Administration,
    Connection,
    ScratchServer,
    administering,
    drop,
    execute,
    telling,
)
from todo_sql.config import Config
from todo_sql.embedded.server import server_for
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.engine.failure import LACKING, lacking
from todo_sql.migrations.files.beside import files_beside
from todo_sql.migrations.files.folder import files_of
from todo_sql.migrations.files.from_outside import FromOutside
from todo_sql.migrations.files.reading import hash_of_file
from todo_sql.wire.url import DatabaseUrl

PREFIX = "todo_sql_scratch_"
_KEEP = 6
_FORMAT = "1"


def scratch_server(config: Config) -> ScratchServer:
    """Return the scratch server; starts the embedded server."""
    given = config.scratch_url
    url = DatabaseUrl.parse(given).text if given else server_for(config).ensure_running()
    return ScratchServer(url, config.replays_as_superuser)


@contextmanager
def empty_database(server: ScratchServer) -> Iterator[str]:
    """Yield the URL of an empty database for the time of one proof; dropped afterwards."""
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    with administering(server) as there:
        there.create(name)
    try:
        # Nothing here has to outlive a crash.
        with telling(there.owner):
            yield there.url(name, "-c synchronous_commit=off")
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            drop(connection, name)


def migrated_database(
    config: Config, kind: str = "read", fill: Callable[[str], None] | None = None
) -> str:
    """Return the URL of a shared database, migrated to head and kept for the next command.

    For reading alone.

    Args:
        kind: Distinguishes databases of the same migrations that are filled differently.
        fill: Called once with the URL of the new database, to put rows into it.
    """
    with administering(scratch_server(config)) as there:
        template = _template(there, config)
        name = template.replace("_template", f"_{kind}")

        def make(draft: str) -> None:
            there.copy(template, draft)
            if fill is not None:
                with telling(there.owner):
                    fill(there.url(draft))

        _make_once(there.connection, name, make)
        return there.url(name)


@contextmanager
def connect_migrated(config: Config) -> Iterator[Connection]:
    """Yield a connection, in autocommit mode, to the shared database for reading."""
    with psycopg.connect(migrated_database(config), autocommit=True) as connection:
        yield connection


def fingerprint(config: Config, version: int) -> str:
    """Return the hash of a project's migrations, and of a server version.

    Version 0 is that of no server: what is committed must not depend on the environment, so
    the settings count as the configuration has them. Elsewhere their values count.
    """
    digest = hashlib.sha256(f"{_FORMAT} {version}".encode())
    for folder in config.migration_folders:
        for name in (*files_of(folder), *files_beside(folder)):
            if name.endswith(".sql") and not name.endswith(".rollback.sql"):
                digest.update(name.encode() + b"\0" + hash_of_file(folder / name, folder) + b"\0")
    if config.settings:
        outside = FromOutside(config.settings, config.environment)
        values = outside.resolved().values if version else config.settings
        digest.update(repr(sorted(values.items())).encode())
    return digest.hexdigest()[:16]


def _template(there: Administration, config: Config) -> str:
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.migrator import Migrator

    connection = there.connection
    made_by = "_owned" if there.owner else ""
    hashed = fingerprint(config, connection.info.server_version)
    name = f"{PREFIX}{hashed}{made_by}_template"

    def make(draft: str) -> None:
        there.create(draft)
        try:
            with telling(there.owner):
                Migrator(there.url(draft), load_project(config)).migrate()
        except BaseException as error:
            drop(connection, draft)
            if isinstance(error, TodoSqlError):
                raise _on_scratch(error, there.base) from error
            raise
        mark = sql.SQL("comment on database {} is {}")
        connection.execute(mark.format(sql.Identifier(draft), _owner(config)))
        _forget(there, config)

    _make_once(connection, name, make)
    return name


_ABSENT = ("42704", "42883", "42P01", "3F000")  # roles, functions, relations, schemas
_NEEDS = (
    "what the migrations need from outside, such as a role, let them make themselves "
    "(`if not exists`); or name a server that has it in TODO_SQL_SCRATCH_URL"
)


def _on_scratch(error: TodoSqlError, server: DatabaseUrl) -> TodoSqlError:
    """Say where the migrations failed: not on the database that they are meant for."""
    found = error.finding
    if found.code == REFUSED:
        return error
    if fix := lacking(found.message):
        error.finding = replace(found, code=LACKING, fix=fix)
        return error
    cause = f"{found.cause or 'the migrations do not run'}; on the scratch server "
    cause += f"{server.shown}, where they are tried on an empty database"
    fix = _NEEDS if getattr(error, "sqlstate", None) in _ABSENT else found.fix
    error.finding = replace(found, cause=cause, fix=fix)
    return error


def _make_once(connection: Connection, name: str, make: Callable[[str], None]) -> None:
    """Make a database unless it is there, alone and under another name until it is whole."""

    def exists() -> bool:
        found = connection.execute("select 1 from pg_database where datname = %s", [name])
        return found.fetchone() is not None

    if exists():
        return
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    connection.execute("select pg_advisory_lock(%s)", [key])
    try:
        if not exists():
            draft = f"{name}_{secrets.token_hex(4)}"
            make(draft)
            execute(connection, "alter database {} rename to {}", draft, name)
    finally:
        connection.execute("select pg_advisory_unlock(%s)", [key])


def _owner(config: Config) -> str:
    return f"todo-sql scratch of {config.root}"


def _forget(there: Administration, config: Config) -> None:
    """Drop this project's oldest templates, and what was cloned from them."""
    own = "select datname from pg_database where shobj_description(oid, 'pg_database') = %s"
    rows = there.connection.execute(f"{own} order by oid desc", [_owner(config)]).fetchall()
    clones = "select datname from pg_database where starts_with(datname, %s)"
    for (name,) in rows[_KEEP:]:
        stem = name.removesuffix("template")
        for (other,) in there.connection.execute(clones, [stem]).fetchall():
            drop(there.connection, other)
