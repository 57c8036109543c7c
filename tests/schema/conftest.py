"""Logins and people for the tests of the schema: every test acts as someone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg
import pytest
from support.database import Server
from support.people import Connection, Login, LoginUrl, make_logins


@pytest.fixture
def people(todo_database: str) -> str:
    """The Todo database with two users: ada and grace; each has a list, a tag, two tasks."""
    with psycopg.connect(todo_database, autocommit=True) as connection:
        for user in ("ada", "grace"):
            connection.execute(
                "insert into users (id, name, email) values (%s, %s, %s)",
                [user, user.title(), f"{user}@example.com"],
            )
            connection.execute("insert into lists (user_id, name) values (%s, 'Home')", [user])
            connection.execute("insert into tags (user_id, name) values (%s, 'urgent')", [user])
            connection.execute(
                """
                insert into tasks (user_id, list_id, title)
                select l.user_id, l.id, l.user_id || '''s task ' || n
                from lists as l cross join generate_series(1, 2) as n
                where l.user_id = %s
                """,
                [user],
            )
            connection.execute(
                """
                insert into task_tags (user_id, task_id, tag_id)
                select t.user_id, min(t.id), min(g.id)
                from tasks as t inner join tags as g on t.user_id = g.user_id
                where t.user_id = %s group by t.user_id
                """,
                [user],
            )
    return todo_database


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
