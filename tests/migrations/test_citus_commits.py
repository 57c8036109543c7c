"""What a run asks of its commits where Citus is: all wait for the disk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from todo_sql.migrations.engine.settings import ending

pytestmark = pytest.mark.database


@pytest.mark.parametrize("said", ["on", "local"])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("citus", [False, True])
def test_only_without_citus_a_commit_may_not_wait(
    empty_database: str, citus: bool, waits: bool, said: str
) -> None:
    """Its other nodes do what the coordinator has committed, so that must not be lost there."""
    link: Any = SimpleNamespace(target=SimpleNamespace(notices_death=True))
    command = ending(link, "true", waits=waits)
    with psycopg.connect(empty_database) as connection:
        connection.execute(f"set synchronous_commit = {said}".encode())
        if citus:
            connection.execute("set citus.version = '13.2.2'")
        connection.execute(command.sql.encode())
        found = connection.execute("show synchronous_commit").fetchone()
    assert found == (("off" if not waits and not citus else said),)
