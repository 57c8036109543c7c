"""What a caller gets of a result, by cardinality. Pure."""

from __future__ import annotations

from typing import Any

from psycopg import pq

from todo_sql.database.calls import Call
from todo_sql.database.errors import NoRow, TooManyRows
from todo_sql.database.link import Link


def many(link: Link, call: Call, result: pq.abc.PGresult) -> list[Any]:
    """Return every row."""
    statement = call.text.statement
    return link.prepared(statement).rows(result, call.query.row, statement.label)


def optional(link: Link, call: Call, result: pq.abc.PGresult) -> Any:
    """Return the row, or None.

    Raises:
        TooManyRows: There is more than one.
    """
    count = result.ntuples
    if count > 1:
        raise TooManyRows(
            f"`{call.query.name}` found {count} rows",
            place=call.query.named.place(),
            cause="it was called for one",
            fix="narrow its where clause, or make it :many",
        )
    return many(link, call, result)[0] if count else None


def one(link: Link, call: Call, result: pq.abc.PGresult) -> Any:
    """Return the row.

    Raises:
        NoRow: There is none.
        TooManyRows: There is more than one.
    """
    if not result.ntuples:
        raise NoRow(
            f"`{call.query.name}` found no row",
            place=call.query.named.place(),
            cause="nothing matches, or it belongs to another tenant",
            fix="check the arguments, or make the query :optional",
        )
    return optional(link, call, result)


def nothing(link: Link, call: Call, result: pq.abc.PGresult) -> None:
    """Return nothing."""


def affected(link: Link, call: Call, result: pq.abc.PGresult) -> int:
    """Return how many rows were affected."""
    return result.command_tuples or 0
