"""Runs the catalog's named queries on a connection in one flight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from todo_sql.queries.own import named_queries
from todo_sql.queries.variants import choose
from todo_sql.sql.trust import SAFE_LOCALLY

if TYPE_CHECKING:
    from psycopg import Connection


# What definitions and bounds are rendered under.
_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "quote_all_identifiers": "off",
    "jit": "off",
}

_KEEP_PATH = (
    "select pg_catalog.set_config('todo_sql.path', pg_catalog.current_setting('search_path'), true)"
)
_RESTORE_PATH = (
    "select pg_catalog.set_config('search_path', pg_catalog.current_setting('todo_sql.path'), true)"
)


_KEPT: WeakKeyDictionary[Connection[Any], dict[str, str]] = WeakKeyDictionary()
"""By connection, the names of the statements that stay prepared there."""
_NUMBERS = count()


def keep_prepared(connection: Connection[Any]) -> None:
    """Keep our queries prepared on a connection whatever runs on it.

    psycopg forgets its own with every ALTER, DROP and ROLLBACK, and planning ours takes longer
    than running them. For a server's own sessions only: a pooler would mix them up.
    """
    connection.prepare_threshold = None
    _KEPT[connection] = {}


@contextmanager
def reading(connection: Connection[Any]) -> Iterator[None]:
    """Read within the block in a transaction (or savepoint), under our own search path.

    On leaving, the session is as it was: what the caller had begun goes on.
    """
    nested = _is_nested(connection)
    begin = "begin isolation level repeatable read, read only"
    with connection.pipeline():
        connection.execute("savepoint todo_sql_catalog" if nested else begin)
        connection.execute(SAFE_LOCALLY)
        for setting, value in _SETTINGS.items():
            connection.execute(f"set local {setting} = '{value}'".encode())
    try:
        yield
    finally:
        # A lost connection has nothing left to restore. Commit: at a rollback psycopg would
        # forget its prepared statements, and planning these takes longer than running them.
        if not connection.closed:
            connection.execute("rollback to savepoint todo_sql_catalog" if nested else "commit")


def many(
    connection: Connection[Any], calls: Mapping[str, Mapping[str, object]], *, apart: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Run queries by name in one flight, in what the caller has begun.

    Args:
        connection: In a transaction.
        calls: The arguments of each query, by its name.
        apart: Run them under our own search path, and leave the one that is set.
    """
    from psycopg import RawCursor, sql
    from psycopg.rows import dict_row

    found = named_queries(__package__)
    cursors = {}
    kept = _KEPT.get(connection)
    prepared: dict[str, str] = {}
    with connection.pipeline():
        if apart:
            connection.execute(_KEEP_PATH)
            connection.execute(SAFE_LOCALLY)
        for name, arguments in calls.items():
            variant = choose(found[name], arguments)
            values = [arguments[p] for p in variant.parameters]
            cursors[name] = cursor = RawCursor(connection, row_factory=dict_row)
            if kept is None:
                cursor.execute(variant.sql.encode(), values, prepare=False)
                continue
            statement = kept.get(variant.sql)
            if statement is None:
                statement = prepared[variant.sql] = f"todo_sql_{next(_NUMBERS)}"
                connection.execute(f"prepare {statement} as {variant.sql}".encode())
            given = sql.SQL(", ").join(map(sql.Literal, values))
            cursor.execute(
                sql.SQL(f"execute {statement}({{}})" if values else f"execute {statement}").format(
                    given
                )
            )
        if apart:
            connection.execute(_RESTORE_PATH)
    if kept is not None:
        kept |= prepared
    return {name: cursor.fetchall() for name, cursor in cursors.items()}


def rows(connection: Connection[Any], name: str, **arguments: object) -> list[dict[str, Any]]:
    """Run one of the queries under our own search path, in whatever the caller has begun."""
    with ours(connection):
        return many(connection, {name: arguments})[name]


@contextmanager
def ours(connection: Connection[Any]) -> Iterator[None]:
    """Run what is ours within the block; the path of what the caller has begun comes back."""
    with connection.transaction(force_rollback=_is_nested(connection)):
        connection.execute(SAFE_LOCALLY)
        yield


def _is_nested(connection: Connection[Any]) -> bool:
    """Whether the caller has begun a transaction."""
    from psycopg.pq import TransactionStatus

    return connection.info.transaction_status != TransactionStatus.IDLE
