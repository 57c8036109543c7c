"""The package's pytest plugin, on the Todo project itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import clean_environment
from support.database import Server

from todo_sql import AsyncDatabase, Database, Session
from todo_sql.config import Config
from todo_sql.testing import TestServer
from todo_sql.todo import tasks

pytestmark = pytest.mark.database


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


def test_another_project_on_a_server_that_is_named(server: Server, tmp_path: Path) -> None:
    """In another project the plugin is there without an import, and uses the scratch server."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "20260101000000_create_notes.sql").write_text("create table notes (id int);\n")
    (migrations / "20260101000000_create_notes.rollback.sql").write_text("drop table notes;\n")
    (tmp_path / "test_notes.py").write_text(
        "import os\n"
        "def test_notes(database, migrated_database):\n"
        "    database.session().sql('select count(*) from notes', int)\n"
        "    assert migrated_database.rpartition('/')[0] in os.environ['TODO_SQL_SCRATCH_URL']\n"
    )
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environment(TODO_SQL_SCRATCH_URL=server.url()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
