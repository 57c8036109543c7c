"""What the environment decides."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

N = TypeVar("N", int, float)

SECRET_LENGTH = 32
# Words of documentation and templates, ours included. auth/secret.mjs holds the same.
PLACEHOLDER = re.compile(
    r"change.?me|your.secret|placeholder|better.auth.secret|development.only", re.IGNORECASE
)


class BadSetting(ValueError):
    """A variable that cannot be used; the message names it and tells what to do."""


@dataclass(frozen=True)
class Settings:
    """The configuration of one process.

    Attributes:
        database_url: A login that is a member of todo_app; None: the project's embedded
            server, for development.
        auth_url: Where Better Auth is reached, as its ``BETTER_AUTH_URL``.
        auth_secret: Better Auth's secret, which signs its cookies.
        origins: Sites besides `auth_url` whose pages may send changes with a user's cookie.
        pool_size: The most connections that this process holds.
        timeout: Seconds that a request waits for the database.
        address_rate: Requests a minute from one address; 0 for no limit, here and below.
        user_rate: Requests a minute of one user.
        import_rate: Imported files a minute of one user.

    Raises:
        BadSetting: The secret can be guessed: cookies could be forged.
    """

    auth_secret: str
    database_url: str | None = None
    auth_url: str = "http://localhost:3000"
    origins: frozenset[str] = frozenset()
    pool_size: int = 10
    timeout: float = 10.0
    address_rate: int = 3000
    user_rate: int = 1200
    import_rate: int = 6

    def __post_init__(self) -> None:
        check_secret(self.auth_secret)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            BadSetting: A variable is missing or cannot be used.
        """
        return cls(
            auth_secret=environment.get("BETTER_AUTH_SECRET", ""),
            database_url=environment.get("DATABASE_URL") or None,
            auth_url=environment.get("BETTER_AUTH_URL", cls.auth_url),
            origins=frozenset(environment.get("TRUSTED_ORIGINS", "").split()),
            pool_size=_number(environment, "POOL_SIZE", cls.pool_size, 1),
            timeout=_number(environment, "DATABASE_TIMEOUT", cls.timeout, 1),
            address_rate=_number(environment, "ADDRESS_RATE", cls.address_rate, 0),
            user_rate=_number(environment, "USER_RATE", cls.user_rate, 0),
            import_rate=_number(environment, "IMPORT_RATE", cls.import_rate, 0),
        )


def _number(environment: Mapping[str, str], name: str, default: N, least: N) -> N:
    try:
        value = type(default)(environment.get(name, default))
    except ValueError:
        value = type(default)(-1)
    if not least <= value < math.inf:
        raise BadSetting(f"{name} is to be a number, {least} or more")
    return value


def check_secret(secret: str) -> None:
    """Refuse a secret that is missing, short, monotonous or known to everybody.

    Raises:
        BadSetting: It says what is wrong, and never repeats the secret.
    """
    if not secret:
        problem = "is not set"
    elif len(secret) < SECRET_LENGTH:
        problem = f"has {len(secret)} characters; it needs {SECRET_LENGTH}"
    elif len(set(secret)) < 8:
        problem = "has fewer than 8 different characters"
    elif PLACEHOLDER.search(secret):
        problem = "is a placeholder that everybody knows"
    else:
        return
    raise BadSetting(f"BETTER_AUTH_SECRET {problem}: make one with `openssl rand -hex 32`")
