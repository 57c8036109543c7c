"""What the fixtures hand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi.testclient import TestClient

SECRET = "a secret of the tests, 32 letters long"

# Makes a user with a session and returns a client with its cookie.
Person = Callable[..., TestClient]


@dataclass(frozen=True)
class Urls:
    """One database, as its owner and as the logins of the two services."""

    owner: str
    app: str
    auth: str
