"""The package's pytest plugin, on the Todo project itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import NO_FUZZERS, clean_environment
from support.database import Server

from todo_sql import AsyncDatabase, Database, Session
from todo_sql.config import Config
from todo_sql.testing import TestServer
from todo_sql.todo import tasks


def test_the_project_is_found(todo_sql_config: Config) -> None:
    """The plugin tests the project that pytest runs in."""
    assert (todo_sql_config.root / "migrations").is_dir()


def test_a_session_as_a_user(as_user: Callable[[str], Session]) -> None:
    """A session is scoped to the user that is named."""
    assert tasks.list_tasks(as_user("u1")) == []


def test_a_database_is_open(database: Database) -> None:
    """The fixture hands out an open database on the test's own clone."""
    assert tasks.count_tasks(database.as_user("u1")) == 0


def test_databases_are_apart(migrated_database: str, todo_sql_server: TestServer) -> None:
    """Each database has a name of its own."""
    with todo_sql_server.database() as name:
        assert name not in migrated_database


async def _count(url: str) -> int:
    async with AsyncDatabase.connect(url) as database:
        return len(await tasks.list_tasks(database.as_user("u1")))


def test_async_code_takes_the_url(migrated_database: str) -> None:
    """An asynchronous test opens its own database on the URL."""
    assert asyncio.run(_count(migrated_database)) == 0


def _project(folder: Path, **files: str) -> Path:
    """Write a project with one table, and test files by their names."""
    (folder / "pyproject.toml").write_text("[tool.todo-sql]\n[tool.pytest.ini_options]\n")
    migrations = folder / "migrations"
    migrations.mkdir()
    (migrations / "20260101000000_create_notes.sql").write_text("create table notes (id int);\n")
    (migrations / "20260101000000_create_notes.rollback.sql").write_text("drop table notes;\n")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def _tested(project: Path, cwd: Path, **environment: str) -> None:
    """Have pytest test a project, from anywhere."""
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)],
        cwd=cwd,
        env=clean_environment(**environment, **NO_FUZZERS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_another_project_on_a_server_that_is_named(server: Server, tmp_path: Path) -> None:
    """In another project the plugin is there without an import, and uses the scratch server."""
    text = (
        "import os\n"
        "def test_notes(database, migrated_database):\n"
        "    database.session().sql('select count(*) from notes', int)\n"
        "    assert migrated_database.rpartition('/')[0] in os.environ['TODO_SQL_SCRATCH_URL']\n"
    )
    project = _project(tmp_path, test_notes=text)
    _tested(project, project, TODO_SQL_SCRATCH_URL=server.url())


FACTORIES = """
import functools, pathlib
from pytest_postgresql import factories
from todo_sql.testing import load_migrations
proc = factories.postgresql_noproc({arguments})
postgresql = factories.postgresql("proc")
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "dbname='notes', depends_on='todo_sql_server', load=[load_migrations]",
        "dbname='notes', depends_on='todo_sql_server', load=['todo_sql.testing:load_migrations']",
        "dbname='notes', depends_on='todo_sql_server', load=[functools.partial("
        "load_migrations, project=pathlib.Path(__file__).parent)]",
        "'127.0.0.1', {port}, {user!r}, {password!r}, 'notes', load=[load_migrations]",
    ],
)
def test_the_factories_of_pytest_postgresql(
    arguments: str, todo_sql_server: TestServer, tmp_path: Path
) -> None:
    """One line migrates its template; each test's database is a copy with nothing in it."""
    owner = todo_sql_server
    named = arguments.format(port=owner.port, user=owner.user, password=owner.password)
    test = (
        "import pytest\n"
        "@pytest.mark.parametrize('time', range(2))\n"
        "def test_notes(postgresql, time):\n"
        "    postgresql.execute('insert into notes values (1)')\n"
        "    assert postgresql.execute('select count(*) from notes').fetchone() == (1,)\n"
        "    postgresql.commit()\n"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    conftest = FACTORIES.format(arguments=named)
    project = _project(tmp_path / "project", conftest=conftest, test_notes=test)
    _tested(project, tmp_path / "elsewhere", TODO_SQL_SCRATCH_URL=owner.owner_url)


def test_its_connection_in_this_suite(postgresql: psycopg.Connection[Any]) -> None:
    """The suite stands on pytest-postgresql: its connection sees the Todo schema."""
    assert postgresql.execute("select count(*) from tasks").fetchone() == (0,)
