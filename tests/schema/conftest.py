"""Logins and people for the tests of the schema: every test acts as someone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg
import pytest
from support.database import Server
from support.people import PEOPLE, Connection, Login, LoginUrl, make_logins

from todo_sql.testing import TestServer


@pytest.fixture(scope="session")
def people_template(todo_sql_server: TestServer, todo_sql_template: str) -> Iterator[str]:
    """A Todo database with ada and grace; each has a list, a tag, and two tasks, one tagged."""
    with todo_sql_server.database(todo_sql_template) as name:
        with psycopg.connect(todo_sql_server.url(name)) as connection:
            connection.execute(PEOPLE)
        yield name


@pytest.fixture
def people(todo_sql_server: TestServer, people_template: str) -> Iterator[str]:
    """The owner's URL of a database with ada and grace."""
    with todo_sql_server.database(people_template) as name:
        yield todo_sql_server.url(name)


@pytest.fixture(scope="module")
def unchanged(todo_sql_server: TestServer, people_template: str) -> Iterator[Connection]:
    """A connection of the owner to a database that the tests of a module leave as it is."""
    with (
        todo_sql_server.database(people_template) as name,
        psycopg.connect(todo_sql_server.url(name), autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture
def owned(people: str) -> Iterator[Connection]:
    """A connection of the owner to the database with people, in autocommit mode."""
    with psycopg.connect(people, autocommit=True) as connection:
        yield connection


@pytest.fixture
def login_url(people: str, server: Server) -> LoginUrl:
    """The URL of the database with people for one of `LOGINS`."""
    name = urlsplit(people).path.lstrip("/")
    make_logins(server)
    return lambda role: server.url(name, role)


@pytest.fixture
def login(login_url: LoginUrl) -> Iterator[Login]:
    """Connect to the database with people as one of `LOGINS`, in autocommit mode."""
    with ExitStack() as stack:
        yield lambda role: stack.enter_context(psycopg.connect(login_url(role), autocommit=True))
