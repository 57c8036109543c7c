"""A migrated database per test, the application on it, and people who are signed in."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import SECRET, Person, Urls
from psycopg import sql
from todo_sql.config import load_config
from todo_sql.database.server import EmbeddedServer
from todo_sql.database.temporary import temporary_server
from todo_sql.migrations import migrate

from todo_backend.app import create_app
from todo_backend.cookies import cookie_name, signed
from todo_backend.settings import Settings


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL server for this run."""
    with temporary_server(18) as server:
        yield server


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """The name of a migrated database, with a login for each service."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("create database todo_template")
        migrate(server.url("todo_template"), load_config().migrations)
        password = psycopg.conninfo.conninfo_to_dict(server.url())["password"]
        for login, role in (("backend", "todo_app"), ("sign_in", "todo_auth")):
            admin.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    sql.Identifier(login), sql.Literal(password), sql.Identifier(role)
                )
            )
    return "todo_template"


@pytest.fixture
def urls(server: EmbeddedServer, template: str) -> Iterator[Urls]:
    """A database of its own for one test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} template {template} strategy file_copy")
        owner = server.url(name)
        yield Urls(
            owner,
            owner.replace("postgres:", "backend:", 1),
            owner.replace("postgres:", "sign_in:", 1),
        )
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def app(urls: Urls) -> FastAPI:
    """The application on this test's database."""
    return create_app(Settings(auth_secret=SECRET, database_url=urls.app))


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
                "insert into users (id, name, email) values (%(id)s, %(id)s, %(id)s || '@example.com')"
                " on conflict do nothing",
                {"id": name},
            )
            owner.execute(
                "insert into sessions (id, user_id, token, expires_at)"
                " values (gen_random_uuid()::text, %s, %s, now() + %s::interval)",
                (name, token, expires),
            )
        signed_in = TestClient(app, raise_server_exceptions=False)
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
