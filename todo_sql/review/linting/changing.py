"""Functions whose answer changes: with the time, the session, or from call to call. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.tree import enum, function_name, walk

VOLATILE = frozenset(
    (
        *("clock_timestamp", "gen_random_uuid", "nextval", "random", "timeofday"),
        *("uuid_generate_v4", "uuidv7"),
    )
)
CHANGING = VOLATILE | {
    *("age", "current_query", "current_setting", "now", "statement_timestamp", "to_char"),
    *("transaction_timestamp", "txid_current"),
}


def changing(expression: Any, names: frozenset[str] = CHANGING) -> Iterator[str]:
    """Yield the calls in an expression that count; of words such as current_date all."""
    for part in walk(expression):
        kind = type(part).__name__
        if kind == "FuncCall" and function_name(part) in names:
            yield function_name(part) + "()"
        elif kind == "SQLValueFunction" and names >= CHANGING:
            yield enum(part, "op").removeprefix("SVFOP_").lower()
