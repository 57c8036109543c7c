"""What people do by hand is seen, told the right way round, mended, and made a migration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from support.database import Server
from support.live_changes import CHANGES, SCHEMA
from support.migrations import migrator, write

from todo_sql.catalog.diff import compare
from todo_sql.catalog.read import keep_prepared
from todo_sql.catalog.snapshot import take
from todo_sql.errors import TodoSqlError
from todo_sql.review.draft import draft
from todo_sql.review.drift import drift

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]


@pytest.mark.long
def test_changes_by_hand(
    superuser_database: str, connect: Connect, server: Server, tmp_path: Path
) -> None:
    """Each is reported under its object; running the mending leaves no drift; the draft of a
    migration leads from the migrated schema to the live one, and back.
    """
    connection = connect(superuser_database, autocommit=True)
    keep_prepared(connection)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    wrong: dict[str, object] = {}
    for change in CHANGES:
        if server.version < change.since:
            continue
        connection.execute(change.sql.encode())
        live = take(connection)
        found = drift(live, wanted)
        told = [f"{one.mark} {one.difference.item.key}" for one in found]
        if not any(line.startswith(change.told) for line in told):
            wrong[change.sql] = told
        for one in found:
            for statement in one.statements:
                connection.execute(statement.encode())
        left = [str(difference) for difference in compare(take(connection), wanted)]
        assert left == [], change.sql
        drafted = draft(wanted, live)
        write(tmp_path, "20260101000000_drafted", drafted.forward, drafted.rollback)
        try:
            ways = migrator(superuser_database, tmp_path)
            ways.migrate()
            there = compare(take(connection), live)
            ways.rollback()
            back = compare(take(connection), wanted)
        except TodoSqlError as error:
            wrong[change.sql] = error
            for one in drift(take(connection), wanted):
                connection.execute(";".join(one.statements).encode())
            connection.execute("truncate _yoyo_migration, _todo_sql_ledger")
            continue
        if there or back:
            wrong[change.sql] = [str(one) for one in (*there, *back)]
    assert wrong == {}
