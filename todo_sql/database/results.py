"""What a caller gets of a result, by cardinality. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import pq

from todo_sql.database.call import Call
from todo_sql.queries.cursor import Cursor, Page, make_page
from todo_sql.queries.keyset import PageVariant
from todo_sql.wire.call_errors import NoRow, TooManyRows
from todo_sql.wire.connection import Link


def many(link: Link, call: Call, result: pq.abc.PGresult) -> list[Any]:
    """Return every row."""
    statement, query = call.statement, call.query
    return link.prepared(statement).rows(result, query.made, statement.label, query.forms)


def optional(link: Link, call: Call, result: pq.abc.PGresult) -> Any:
    """Return the row, or None; `TooManyRows`: there is more than one."""
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
    """Return the row; `NoRow`: there is none; `TooManyRows`: there is more than one."""
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


def returned(link: Link, call: Call, result: pq.abc.PGresult) -> int:
    """Return how many rows came back."""
    return result.ntuples


def page(
    cursor: Cursor | None, variant: PageVariant, size: int
) -> Callable[[Link, Call, pq.abc.PGresult], Page[Any]]:
    """Return what makes a page of a result that has its keys behind the row's columns."""

    def shape(link: Link, call: Call, result: pq.abc.PGresult) -> Page[Any]:
        query, statement, keys = call.query, call.statement, len(variant.keys)
        found = link.prepared(statement)
        rows = found.pairs(result, query.made, statement.label, keys, query.forms)
        return make_page(query.named, cursor, variant.cases, rows, size)

    return shape
