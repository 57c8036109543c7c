"""The fixtures of the suite: a real PostgreSQL for the run, a database of its own per test.

Each test process (each xdist worker, too) has a server of its own, since roles belong to
a server. It starts with the first test that asks for it, and pytest-postgresql migrates a
template on it. The clones are those of the package's own plugin, `todo_sql.testing`.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor
from support.database import Owner, Server

from todo_sql.embedded.programs import binaries, major_version
from todo_sql.embedded.temporary import temporary_server
from todo_sql.testing import TestServer, load_migrations

Connect = Callable[..., psycopg.Connection[Any]]


# A shell starts a job in the background with SIGINT ignored, and every child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the suite run on each server version, for each kind of owner."""
    parser.addoption("--postgres", type=int, default=18, help="major version: 15, 16 or 18")
    parser.addoption(
        "--owner",
        choices=["superuser", "plain"],
        default="superuser",
        help="who migrates and owns the schema",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Say which server and owner the run is for."""
    return f"postgres: {config.getoption('postgres')}, owner: {config.getoption('owner')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, not among six thousand tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Iterator[defaultdict[str, Counter[str]]]:
    """What a test counts, by topic; the run tells the sums of all its tests at its end."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    yield found
    told = {topic: dict(counter) for topic, counter in found.items()}
    request.node.user_properties.append(("counts", told))  # these come back from a worker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was counted."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for name, told in (
            one for report in reports
            if getattr(report, "when", "") == "teardown" for one in report.user_properties
        ):  # fmt: skip
            for topic, counter in told.items() if name == "counts" else ():
                sums[topic].update(counter)
    for topic, total in sorted(sums.items()):
        parts = ", ".join(f"{number:,} {what}" for what, number in total.most_common())
        terminalreporter.write_line(f"{topic}: {parts}")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A PostgreSQL server for this run."""
    version = request.config.getoption("postgres")
    if major_version(binaries(version)) != version:
        missing = f"PostgreSQL {version} is not on this machine"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    # A visit of autovacuum would hold up pytest-postgresql, which ends it before it drops.
    with temporary_server(version, settings={"autovacuum": "off"}) as embedded:
        password = psycopg.conninfo.conninfo_to_dict(embedded.url())["password"]
        with psycopg.connect(embedded.url("postgres"), autocommit=True) as admin:
            if version >= 16:  # for the logins that tests make, too; see `Cluster`
                admin.execute("set scram_iterations = 1")
            yield Server(embedded, version, str(password), admin)


@pytest.fixture(scope="session")
def owner(request: pytest.FixtureRequest, server: Server) -> Owner:
    """Who migrates and owns the schema."""
    if request.config.getoption("owner") == "superuser":
        return Owner("superuser", "postgres")
    plain = Owner("plain", "plain_owner")
    server.admin.execute(
        sql.SQL("create role {} login createrole createdb password {}").format(
            sql.Identifier(plain.name), sql.Literal(server.password)
        )
    )
    return plain


@pytest.fixture(scope="session")
def todo_sql_server(server: Server, owner: Owner) -> TestServer:
    """Let the plugin of the package use the server and the owner of this run."""
    return TestServer(server.url(), server.url(user=owner.name))


postgresql_noproc = factories.postgresql_noproc(
    depends_on="todo_sql_server", load=[load_migrations]
)
# For a connection alone. What takes a URL takes `migrated_database`: a clone in 0.03 s
# instead of 0.14 s, dropped whoever is connected.
postgresql = factories.postgresql("postgresql_noproc")


@pytest.fixture(scope="session")
def todo_sql_template(postgresql_noproc: NoopExecutor) -> str:
    """The database that the plugin of the package clones."""
    return postgresql_noproc.template_dbname


@pytest.fixture
def empty_database(todo_sql_server: TestServer) -> Iterator[str]:
    """The URL of a new empty database, as its owner."""
    with todo_sql_server.database() as name:
        yield todo_sql_server.url(name)


@pytest.fixture
def scratch(todo_sql_server: TestServer) -> Callable[[], AbstractContextManager[str]]:
    """Make a new empty database, as its owner, for the time of a block; yields its URL."""

    @contextmanager
    def database() -> Iterator[str]:
        with todo_sql_server.database() as name:
            yield todo_sql_server.url(name)

    return database


@pytest.fixture
def superuser_database(todo_sql_server: TestServer, server: Server) -> Iterator[str]:
    """The URL of a new empty database, as the superuser: for what an owner may not make."""
    with todo_sql_server.database() as name:
        yield server.url(name)


@pytest.fixture
def todo_database(migrated_database: str) -> str:
    """The URL of a database migrated with the Todo migrations, as its owner."""
    return migrated_database


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open connections that are closed after the test."""
    with ExitStack() as stack:

        def open_connection(url: str, **arguments: Any) -> psycopg.Connection[Any]:
            connection: psycopg.Connection[Any] = psycopg.connect(url, **arguments)
            stack.callback(connection.close)
            return connection

        yield open_connection
