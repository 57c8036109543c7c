"""The application on a migrated database of each test's own, and people who are signed in.

The databases come from `todo_sql.testing`, a pytest plugin that is installed with todo-sql.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import SECRET, Person, Urls, browser, settings
from psycopg import sql
from todo_sql.testing import TestServer

from todo_backend.app import create_app
from todo_backend.cookies import cookie_name, signed


@pytest.fixture(scope="session")
def logins(todo_sql_server: TestServer, todo_sql_template: str) -> Iterator[dict[str, str]]:
    """A login for each service, a member of that service's role alone; and their passwords."""
    made = {role: secrets.token_hex(8) for role in ("todo_app", "todo_auth")}
    with psycopg.connect(todo_sql_server.admin_url, autocommit=True) as admin:
        for role, password in made.items():
            admin.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    sql.Identifier(password), sql.Literal(password), sql.Identifier(role)
                )
            )
        yield made
        for password in made.values():
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(password)))


@pytest.fixture
def urls(migrated_database: str, logins: dict[str, str]) -> Urls:
    """The URLs of this test's database."""
    return Urls.of(migrated_database, logins)


@pytest.fixture
def app(urls: Urls) -> FastAPI:
    """The application on this test's database."""
    return create_app(settings(urls.app))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Somebody who is not signed in; an error of ours is a 500, as for people."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def sign_in(app: FastAPI, client: TestClient, urls: Urls) -> Person:
    """Make a user with a session, as Better Auth would, and hand out a client with its cookie."""

    def person(name: str, *, expires: str = "1 hour") -> TestClient:
        token = secrets.token_urlsafe(24)
        with psycopg.connect(urls.owner, autocommit=True) as owner:
            owner.execute(
                "insert into users (id, name, email)"
                " values (%(id)s, %(id)s, %(id)s || '@example.com') on conflict do nothing",
                {"id": name},
            )
            owner.execute(
                "insert into sessions (id, user_id, token, expires_at)"
                " values (gen_random_uuid()::text, %s, %s, now() + %s::interval)",
                (name, token, expires),
            )
        signed_in = browser(app, client)
        signed_in.headers["Cookie"] = f"{cookie_name('')}={signed(token, SECRET)}"
        return signed_in

    return person


@pytest.fixture
def ann(sign_in: Person) -> TestClient:
    """Ann, signed in."""
    return sign_in("ann")


@pytest.fixture
def bob(sign_in: Person) -> TestClient:
    """Bob, signed in."""
    return sign_in("bob")
