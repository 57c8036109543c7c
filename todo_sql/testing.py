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

With pytest-postgresql, `load_migrations` gives its fixtures the migrated schema:

    postgresql_proc = factories.postgresql_proc(load=[load_migrations])

and `todo_sql_server` is a server for it where its own does not start, as for root:

    postgresql_noproc = factories.postgresql_noproc(
        depends_on="todo_sql_server", load=[load_migrations]
    )
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from todo_sql import Database, Session
    from todo_sql.config import Config
    from todo_sql.wire.url import DatabaseUrl


@dataclass(frozen=True, slots=True)
class TestServer:
    """Where the databases of a test run are made.

    It may stand where `depends_on` of pytest-postgresql's `postgresql_noproc` wants a
    fixture: `host`, `port`, `user`, `password` and `options` are those of the owner.

    Attributes:
        admin_url: Of a login that may create and drop databases for `owner_url`'s.
        owner_url: Of the login that migrates, owns and uses them.
        template_dbname: What pytest-postgresql copies; None is the server's own template.
    """

    __test__ = False  # pytest would take it for a class of tests

    admin_url: str
    owner_url: str
    template_dbname: None = None

    @property
    def host(self) -> str | None:
        """Where the server listens; None is libpq's default."""
        return self._owner.get("host")

    @property
    def port(self) -> str:
        """The port that the server listens on."""
        return self._owner.get("port", "5432")

    @property
    def user(self) -> str:
        """The login that owns the databases."""
        return self._owner["user"]

    @property
    def password(self) -> str | None:
        """The owner's password."""
        return self._owner.get("password")

    @property
    def options(self) -> str:
        """Options of a connection, as libpq takes them."""
        return self._owner.get("options", "")

    @property
    def maintenance_dbname(self) -> str:
        """A database to be connected to while others are made and dropped."""
        return _parsed(self.admin_url).parameters.get("dbname", "postgres")

    @property
    def _owner(self) -> Mapping[str, str]:
        return _parsed(self.owner_url).parameters

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database from a template; drop it afterwards, whoever is connected.

        Yields:
            Its name.
        """
        import psycopg

        from todo_sql.compiler.scratch_role import copy_database, drop

        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            copy_database(admin, template, name, self.user)
            try:
                yield name
            finally:
                drop(admin, name)

    def url(self, database: str) -> str:
        """Return the owner's URL of a database."""
        return _parsed(self.owner_url).with_database(database).text


def _parsed(url: str) -> DatabaseUrl:
    from todo_sql.wire.url import DatabaseUrl

    return DatabaseUrl.parse(url)


_root = Path()
"""Where pytest found its configuration; `load_migrations` is given no request."""


def pytest_configure(config: pytest.Config) -> None:
    """Remember which project is tested."""
    global _root
    _root = config.rootpath


def load_migrations(
    *,
    host: str | None,
    port: int | str,
    user: str,
    dbname: str,
    password: str | None = None,
    project: Path | None = None,
    **_: Any,
) -> None:
    """Apply the project's migrations: for ``load=[…]`` of pytest-postgresql's factories.

    Args:
        host: Of the server, and so on: as pytest-postgresql gives them.
        port: See `host`.
        user: See `host`.
        dbname: See `host`.
        password: See `host`.
        project: The project's folder, bound with `functools.partial`; default: the one that
            pytest runs in.
    """
    from psycopg.conninfo import make_conninfo

    from todo_sql.config import load_config

    # Encrypted as the connections of pytest-postgresql are: where the server can.
    sslmode = os.environ.get("PGSSLMODE", "prefer")
    _migrate(
        make_conninfo(
            host=host, port=port, user=user, password=password, dbname=dbname, sslmode=sslmode
        ),
        load_config(project, start=_root),
    )


def _migrate(url: str, config: Config) -> None:
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.migrator import Migrator

    Migrator(url, load_project(config), ledger=config.ledger).migrate()


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
    with todo_sql_server.database() as name:
        _migrate(todo_sql_server.url(name), todo_sql_config)
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
