"""Scratch databases: made once, cloned, filled, and never the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.compiling import config_of
from support.database import Owner, Server

from todo_sql.catalog.diff import compare
from todo_sql.catalog.names import literal
from todo_sql.catalog.snapshot import take
from todo_sql.compiler.scratch import (
    PREFIX,
    connect_migrated,
    fingerprint,
    migrated_database,
)
from todo_sql.config import Config
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator
from todo_sql.testing import TestServer

pytestmark = pytest.mark.database


@pytest.fixture
def config(tmp_path: Path, server: Server, owner: Owner) -> Iterator[Config]:
    """A project with one migration, and scratch databases on the server of the run."""
    (tmp_path / "migrations").mkdir()
    write(tmp_path, "create table things (id int primary key);\n")
    url = server.url(user=owner.name)
    yield replace(config_of(tmp_path), environment={"TODO_SQL_SCRATCH_URL": url})
    for (name,) in databases(server, tmp_path):
        server.admin.execute(f'drop database "{name}" with (force)')


def write(root: Path, text: str) -> None:
    """Write the one migration; the folder's name keeps other tests' templates apart."""
    path = root / "migrations" / "20260101000000_create_things.sql"
    path.write_text(f"-- {root}\n{text}")
    path.with_suffix(".rollback.sql").write_text("drop table things;\n")


def databases(server: Server, root: Path) -> list[tuple[str]]:
    """Return the databases that were made of a project's migrations."""
    stem = PREFIX + fingerprint(config_of(root), server.admin.info.server_version)
    return server.admin.execute(
        "select datname from pg_database where starts_with(datname, %s) order by 1", [stem]
    ).fetchall()


def test_shared_database(config: Config) -> None:
    """One for all readers, until a migration changes."""
    first = migrated_database(config)
    assert migrated_database(config) == first
    write(config.root, "create table things (id int primary key, name text);\n")
    assert migrated_database(config) != first
    with connect_migrated(config) as connection:
        assert connection.execute("select name from things").fetchall() == []


def test_filled_once(config: Config) -> None:
    """A database of another kind is filled when it is made, and only then."""
    calls = []

    def fill(url: str) -> None:
        calls.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("insert into things values (7)")

    url = migrated_database(config, "full", fill)
    assert migrated_database(config, "full", fill) == url
    assert len(calls) == 1
    with psycopg.connect(url) as connection:
        assert connection.execute("select id from things").fetchall() == [(7,)]


def test_wrong_migration_leaves_nothing(config: Config, server: Server) -> None:
    """The draft of a template whose migrations fail is dropped."""
    write(config.root, "create table things (id nonsense);\n")
    with pytest.raises(TodoSqlError, match="nonsense"):
        migrated_database(config)
    assert databases(server, config.root) == []


@pytest.mark.parametrize(
    "statements",
    [
        [
            "alter database %I set search_path = app, public",
            "alter database %I set timezone = 'Asia/Tokyo'",
            "alter role current_user in database %I set work_mem = '7MB'",
        ],
        ["alter database %I set search_path = ''"],
        ["""alter database %I set search_path = '$user', 'With "Quote', public"""],
        ["revoke connect on database %I from public"],
        ["revoke all on database %I from public"],
        ["grant create, temporary on database %I to pg_monitor with grant option"],
    ],
)
def test_what_belongs_to_the_database(
    statements: list[str], config: Config, empty_database: str, todo_sql_server: TestServer
) -> None:
    """A copy has the settings and privileges, which `create database` leaves behind."""
    made = [f"execute format({literal(text)}, current_database());" for text in statements]
    write(config.root, f"do $$ begin {' '.join(made)} end $$;\n")
    Migrator(empty_database, load_project(config)).migrate()
    with psycopg.connect(empty_database) as connection:
        live = take(connection)
        template = connection.info.dbname
    with connect_migrated(config) as connection:
        assert [str(difference) for difference in compare(live, take(connection))] == []
    with (
        todo_sql_server.database(template) as name,
        psycopg.connect(todo_sql_server.url(name)) as connection,
    ):
        assert [str(difference) for difference in compare(live, take(connection))] == []
