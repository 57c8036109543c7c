"""What the fixtures hand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from psycopg import conninfo

from todo_backend.settings import Settings

SECRET = "a secret of the tests, 32 letters long"

# Makes a user with a session and returns a client with its cookie.
Person = Callable[..., TestClient]


@dataclass(frozen=True)
class Urls:
    """One database, as its owner and as the logins of the two services."""

    owner: str
    app: str
    auth: str

    @classmethod
    def of(cls, owner: str, logins: dict[str, str]) -> Urls:
        """Return the URLs of a database whose owner's is given."""
        parts = conninfo.conninfo_to_dict(owner)

        def url(login: str) -> str:
            return f"postgresql://{login}:{login}@{parts['host']}:{parts['port']}/{parts['dbname']}"

        return cls(owner, url(logins["todo_app"]), url(logins["todo_auth"]))


def settings(url: str, **more: Any) -> Settings:
    """Return the configuration of the tests, which ask more often than a person may."""
    return Settings(SECRET, url, **{"address_rate": 0, "user_rate": 0, "import_rate": 0, **more})


def browser(app: FastAPI, running: TestClient, cookies: dict[str, str] | None = None) -> TestClient:
    """Return one more client of an application that runs, in the event loop that it runs in."""
    client = TestClient(app, cookies=cookies, raise_server_exceptions=False)
    client.portal = running.portal
    return client
