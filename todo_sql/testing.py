"""A pytest plugin: a migrated database for each test, and sessions on it.

Installed with todo-sql; the fixtures are there without an import:

    def test_a_note_is_kept(database):
        with database.session() as session: ...

    def test_tasks_are_private(as_user):
        tasks.create_task(as_user("u1"), title="Buy milk")
        assert tasks.list_tasks(as_user("u2")) == []

    async def test_async(migrated_database):
        async with AsyncDatabase.connect(migrated_database) as database: ...

The first test that needs one starts a PostgreSQL for this run (each xdist worker has its
own), applies the project's migrations to a template, and each test gets a clone of it in
some hundredths of a second. With ``TODO_SQL_SCRATCH_URL`` the databases are made on that
server instead. A project overrides a fixture by defining one of the same name: override
`todo_sql_server` to use another server, `todo_sql_config` for another project.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from todo_sql import Database, Session
    from todo_sql.config import Config


@dataclass(frozen=True, slots=True)
class TestServer:
    """Where the databases of a test run are made.

    Attributes:
        admin_url: Of a login that may create and drop databases for `owner_url`'s.
        owner_url: Of the login that migrates, owns and uses them.
    """

    __test__ = False  # pytest would take it for a class of tests

    admin_url: str
    owner_url: str

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database from a template; drop it afterwards, whoever is connected.

        Yields:
            Its name.
        """
        import psycopg
        from psycopg import sql

        from todo_sql.wire.url import DatabaseUrl

        name = f"test_{uuid.uuid4().hex[:12]}"
        owner = DatabaseUrl.parse(self.owner_url).parameters["user"]
        # Measured without fsync: file_copy 25 ms, wal_log 75 ms.
        create = sql.SQL("create database {} owner {} template {} strategy file_copy")
        drop = sql.SQL("drop database if exists {} with (force)")
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(create.format(*map(sql.Identifier, (name, owner, template))))
            try:
                yield name
            finally:
                admin.execute(drop.format(sql.Identifier(name)))

    def url(self, database: str) -> str:
        """Return the owner's URL of a database."""
        from todo_sql.wire.url import DatabaseUrl

        return DatabaseUrl.parse(self.owner_url).with_database(database).text


@pytest.fixture(scope="session")
def todo_sql_config(request: pytest.FixtureRequest) -> Config:
    """The configuration of the project that is tested."""
    from todo_sql.config import load_config

    return load_config(start=request.config.rootpath)


@pytest.fixture(scope="session")
def todo_sql_server(todo_sql_config: Config) -> Iterator[TestServer]:
    """The server of this run: a temporary one, or that of ``TODO_SQL_SCRATCH_URL``."""
    if todo_sql_config.scratch_url:
        yield TestServer(todo_sql_config.scratch_url, todo_sql_config.scratch_url)
        return
    from todo_sql.embedded.temporary import temporary_server

    with temporary_server(todo_sql_config.postgres) as server:
        url = server.url("postgres")
        yield TestServer(url, url)


@pytest.fixture(scope="session")
def todo_sql_template(todo_sql_server: TestServer, todo_sql_config: Config) -> Iterator[str]:
    """The name of a database with every migration of the project applied."""
    from todo_sql.migrations import migrate

    with todo_sql_server.database() as name:
        migrate(todo_sql_server.url(name), todo_sql_config.migrations)
        yield name


@pytest.fixture
def migrated_database(todo_sql_server: TestServer, todo_sql_template: str) -> Iterator[str]:
    """The URL of a migrated database of the test's own, as its owner."""
    with todo_sql_server.database(todo_sql_template) as name:
        yield todo_sql_server.url(name)


@pytest.fixture
def database(migrated_database: str) -> Iterator[Database]:
    """An open `Database` on a migrated database of the test's own."""
    from todo_sql import Database

    with Database.connect(migrated_database) as opened:
        yield opened


@pytest.fixture
def as_user(database: Database) -> Callable[[str], Session]:
    """Sessions as a given user: ``as_user("u1")``."""
    return database.as_user
