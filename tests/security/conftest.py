"""Fields to plant in: Todo databases with people and their secrets, open to attackers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import psycopg
import pytest
from psycopg import sql
from support.database import Owner, Server
from support.people import PEOPLE, make_logins
from support.planting import Field
from support.plants import GARDENER
from support.touching import SIGNED_IN, Outcome

from todo_sql.config import Config
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator
from todo_sql.testing import TestServer

Fields = Callable[[], AbstractContextManager[Field]]

_KNOWN: dict[tuple[str, ...], list[Outcome]] = {}


@pytest.fixture
def planted(counts: dict[str, Counter[str]]) -> Counter[str]:
    """How many objects are planted, by kind; told at the end of the run."""
    return counts["planted"]


def prepare(server: Server, owner: Owner, database: str) -> None:
    """Put people, their secrets, and a gardener into a migrated database; open its doors."""
    with psycopg.connect(server.url(database, owner.name), autocommit=True) as connection:
        connection.execute(PEOPLE)
        connection.execute(SIGNED_IN)
    with psycopg.connect(server.url(database), autocommit=True) as admin:
        admin.execute(GARDENER)
        admin.execute("create schema open_door; grant create, usage on schema open_door to public")
        admin.execute("grant create on schema public to public")
        admin.execute(
            sql.SQL("alter database {} set track_functions = 'all'").format(
                sql.Identifier(database)
            )
        )


@contextmanager
def opened(server: Server, owner: Owner, template: str, kinds: Counter[str]) -> Iterator[Field]:
    """Yield a database of one's own, made from a prepared one."""
    with ExitStack() as stack:
        databases = TestServer(server.url(), server.url(user=owner.name))
        name = stack.enter_context(databases.database(template))
        admin = stack.enter_context(psycopg.connect(server.url(name), autocommit=True))
        # Settings of a database are not copied with it.
        admin.execute(
            sql.SQL("alter database {} set track_functions = 'all'").format(sql.Identifier(name))
        )

        def url(role: str) -> str:
            return server.url(name, owner.name if role == "owner" else role)

        def login(role: str) -> psycopg.Connection[tuple[object, ...]]:
            return stack.enter_context(psycopg.connect(url(role), autocommit=True))

        yield Field(admin, login, url, kinds, _KNOWN)


@pytest.fixture(scope="session")
def attacked_template(
    server: Server, owner: Owner, todo_sql_server: TestServer, todo_sql_template: str
) -> Iterator[str]:
    """The name of a database with every migration, people, and open doors."""
    make_logins(server)
    with todo_sql_server.database(todo_sql_template) as name:
        prepare(server, owner, name)
        yield name


@pytest.fixture(scope="session")
def former_template(
    server: Server, owner: Owner, todo_sql_server: TestServer, todo_sql_config: Config
) -> Iterator[str]:
    """Likewise, as the schema was before its functions were pinned."""
    with todo_sql_server.database() as name:
        migrations = load(todo_sql_config.migrations, todo_sql_config.root)
        Migrator(todo_sql_server.url(name), migrations).migrate(to="20260615090000")
        make_logins(server)
        prepare(server, owner, name)
        yield name


@pytest.fixture
def field(
    server: Server, owner: Owner, attacked_template: str, planted: Counter[str]
) -> Iterator[Field]:
    """A database with every migration, to plant in."""
    with opened(server, owner, attacked_template, planted) as found:
        yield found


@pytest.fixture
def former_field(
    server: Server, owner: Owner, former_template: str, planted: Counter[str]
) -> Iterator[Field]:
    """A database from before the functions were pinned."""
    with opened(server, owner, former_template, planted) as found:
        yield found
