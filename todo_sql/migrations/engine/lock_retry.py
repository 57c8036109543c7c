"""Which errors of the server may pass, and the wait before the next try."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import psycopg

from todo_sql.errors import Finding
from todo_sql.logs import RETRY
from todo_sql.migrations.progress import Events

RETRY_FOR = 300.0  # seconds that a migration goes on trying for its locks
_FIRST, _LONGEST = 0.5, 5.0

# Roles are of the cluster, our lock is of the database: other databases may be migrated now.
_CLUSTER_CATALOGS = ("pg_authid", "pg_auth_members", "pg_shdepend", "pg_db_role_setting")


def passing(error: psycopg.Error) -> bool:
    """Tell whether another try may succeed where this one failed."""
    state, table = error.sqlstate, error.diag.table_name
    if state in ("55P03", "40P01", "40001"):
        return True
    if state == "23505" and error.diag.schema_name == "pg_catalog":
        return table in _CLUSTER_CATALOGS
    return state == "XX000" and "tuple concurrently" in str(error)


def pauses() -> Iterator[float | None]:
    """Yield how long to wait before each further try, with jitter; then None: no more."""
    deadline = time.monotonic() + RETRY_FOR
    pause = _FIRST
    while time.monotonic() + pause < deadline:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(pause * 2, _LONGEST)
    yield None


def give_way(pause: float, reason: Finding, events: Events) -> None:
    """Wait before the next try, and tell why."""
    events.waiting(f"{reason.message}; giving way, then trying again")
    RETRY.info("a migration, in %.1f s: %s", pause, reason.code)
    time.sleep(pause)
