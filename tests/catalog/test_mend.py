"""Statements made from a catalog: a dump that loads, and the mending of each fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection
from support.catalog_faults import FAULTS, SCHEMA

from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.diff import compare
from todo_sql.catalog.mend import statements
from todo_sql.catalog.schema_sql import render
from todo_sql.catalog.snapshot import take
from todo_sql.review.databases import empty_database as scratch_database

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

# What PostgreSQL has no statement for.
BEYOND_MENDING = {"alter type mood add value 'fine' before 'good'"}


def test_every_fault_is_mended(empty_database: str, connect: Connect) -> None:
    """The statements shown for a difference make the two catalogs the same again."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    left = {}
    for fault, _ in FAULTS:
        connection.execute("begin")
        connection.execute(fault.encode())
        live = take(connection)
        for difference in compare(live, wanted):
            for statement in statements(difference, live, wanted):
                if not statement.startswith(BY_HAND):
                    connection.execute(statement.encode())
        remaining = [str(difference) for difference in compare(take(connection), wanted)]
        connection.execute("rollback")
        if remaining:
            left[fault] = remaining
    assert left.keys() == BEYOND_MENDING


def test_a_lost_table_is_mended_whole(empty_database: str, connect: Connect) -> None:
    """A table comes back with indexes, policies, triggers, grants and comments."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    connection.execute("drop table logs; drop table tasks cascade")
    live = take(connection)
    for difference in compare(live, wanted):
        for statement in statements(difference, live, wanted):
            connection.execute(statement.encode())
    assert [str(difference) for difference in compare(take(connection), wanted)] == []


def test_a_dump_of_everything_loads(empty_database: str, connect: Connect) -> None:
    """What is not valid stays so, partitions are attached, indexes keep their options."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    source = take(connection)
    with scratch_database(empty_database) as url:
        other = connect(url, autocommit=True)
        other.execute(render(source).encode())
        assert [str(difference) for difference in compare(source, take(other))] == []
        other.close()


def test_the_dump_loads_and_is_the_same(
    todo_database: str, empty_database: str, connect: Connect
) -> None:
    """schema.sql of the Todo database makes an identical catalog and an identical dump."""
    source = take(connect(todo_database, autocommit=True))
    script = render(source)
    other = connect(empty_database, autocommit=True)
    other.execute(script.encode())
    loaded = take(other)
    assert [str(difference) for difference in compare(source, loaded)] == []
    assert render(loaded) == script
