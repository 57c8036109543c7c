"""What people do by hand is seen, told the right way round, and mended without a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection
from support.database import Server
from support.live_changes import CHANGES, SCHEMA

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import take
from todo_sql.review.drift import drift

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]


def test_changes_by_hand(superuser_database: str, connect: Connect, server: Server) -> None:
    """Each one is reported under its object; running the mending leaves no drift."""
    connection = connect(superuser_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    wrong = {}
    for change in CHANGES:
        if server.version < change.since:
            continue
        connection.execute(change.sql.encode())
        found = drift(take(connection), wanted)
        told = [f"{one.mark} {one.difference.item.key}" for one in found]
        if not any(line.startswith(change.told) for line in told):
            wrong[change.sql] = told
        for one in found:
            for statement in one.statements:
                connection.execute(statement.encode())
        left = [str(difference) for difference in compare(take(connection), wanted)]
        assert left == [], change.sql
    assert wrong == {}
