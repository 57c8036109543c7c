"""The Todo database on a coordinator with Citus, for suites that are written for one server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from support.citus import at, cluster_database, coordinator, distribute
from support.people import LOGINS, PEOPLE, Connection, Login, LoginUrl


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Stands where a suite asks for the server of the run."""

    base: str

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """Return the URL of a database for `user`, by default the superuser."""
        parts = urlsplit(at(self.base, database=database))
        place = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{user}@{place}").geturl() if user else parts.geturl()


@pytest.fixture(scope="session")
def distributed() -> Iterator[str]:
    """The superuser's URL of a distributed Todo database; the logins are there."""
    base = coordinator()
    with cluster_database(base) as url:
        distribute(url)
        with psycopg.connect(url, autocommit=True) as admin:
            for role, options in LOGINS.items():
                found = admin.execute("select 1 from pg_roles where rolname = %s", [role])
                if not found.fetchone():
                    text = sql.SQL("create role {} login " + options)
                    admin.execute(text.format(sql.Identifier(role)))
        yield url


@pytest.fixture
def people(distributed: str) -> str:
    """The URL of the database with ada and grace, and nobody else."""
    with psycopg.connect(distributed, autocommit=True) as connection:
        connection.execute("delete from users")
        connection.execute("delete from audit_log")
        for statement in PEOPLE.split(";"):
            connection.execute(statement.encode())
    return distributed


@pytest.fixture
def server(distributed: str) -> Coordinator:
    """The coordinator."""
    return Coordinator(distributed)


@pytest.fixture
def owned(people: str) -> Iterator[Connection]:
    """A connection of the owner to the database with people, in autocommit mode."""
    with psycopg.connect(people, autocommit=True) as connection:
        yield connection


@pytest.fixture
def login_url(people: str) -> LoginUrl:
    """The URL of the database with people for one of `LOGINS`."""
    name = urlsplit(people).path.lstrip("/")
    return lambda role: Coordinator(people).url(name, role)


@pytest.fixture
def login(login_url: LoginUrl) -> Iterator[Login]:
    """Connect to the database with people as one of `LOGINS`, in autocommit mode."""
    with ExitStack() as stack:
        yield lambda role: stack.enter_context(psycopg.connect(login_url(role), autocommit=True))
