"""What the fixtures hand out: the server of a test run and the owner of its schemas."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import psycopg

from todo_sql.embedded.server import EmbeddedServer
from todo_sql.testing import TestServer

Kind = Literal["superuser", "plain"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        embedded: How it was started.
        version: Its major version.
        password: The superuser's; give it to the logins that a test makes, so that
            `url` can name them.
        admin: A superuser's connection in autocommit, to the database ``postgres``.
    """

    embedded: EmbeddedServer
    version: int
    password: str
    admin: psycopg.Connection[Any]

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """Return the URL of a database for `user`, by default the superuser."""
        port = self.embedded.status().port
        login = f"{quote(user or 'postgres', safe='')}:{self.password}"
        return f"postgresql://{login}@127.0.0.1:{port}/{quote(database, safe='')}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who migrates and owns the schema.

    Attributes:
        kind: ``superuser``, or ``plain``: CREATEROLE and CREATEDB, but neither superuser
            nor BYPASSRLS, as on a managed server.
        name: The login.
    """

    kind: Kind
    name: str


def database(
    server: Server, owner: Owner, template: str = "template1"
) -> AbstractContextManager[str]:
    """Make a database of `owner` from a template, and drop it afterwards; yields its name."""
    return TestServer(server.url(), server.url(user=owner.name)).database(template)
