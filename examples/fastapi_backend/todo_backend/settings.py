"""What the environment decides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


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
    """

    auth_secret: str
    database_url: str | None = None
    auth_url: str = "http://localhost:3000"
    origins: frozenset[str] = frozenset()
    pool_size: int = 10
    timeout: float = 10.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            KeyError: BETTER_AUTH_SECRET is missing: no cookie could be trusted.
        """
        return cls(
            auth_secret=environment["BETTER_AUTH_SECRET"],
            database_url=environment.get("DATABASE_URL") or None,
            auth_url=environment.get("BETTER_AUTH_URL", cls.auth_url),
            origins=frozenset(environment.get("TRUSTED_ORIGINS", "").split()),
            pool_size=int(environment.get("POOL_SIZE", cls.pool_size)),
            timeout=float(environment.get("DATABASE_TIMEOUT", cls.timeout)),
        )
