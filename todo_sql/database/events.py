"""What `db.on_query` hears of each call. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from todo_sql.database.query import Query
from todo_sql.database.waiting import Work
from todo_sql.queries.cursor import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueryEvent:
    """One call that ended.

    Attributes:
        name: The query's name.
        file: Its file.
        started_at: Nanoseconds since 1970, for tracing.
        duration: Seconds, waiting for a connection and retries included.
        rows: How many came back or were affected; None when it failed.
        sqlstate: PostgreSQL's code when it failed with one.
        error: The name of the exception's class when it failed.
    """

    name: str
    file: str
    started_at: int
    duration: float
    rows: int | None
    sqlstate: str | None
    error: str | None


Listener = Callable[[QueryEvent], object]


def observed(
    listeners: list[Listener], query: Query[Any], work: Work[T], *, counts: bool = False
) -> Work[T]:
    """Do a piece of work and tell the listeners how it went.

    Args:
        listeners: Called in turn.
        query: What is called.
        work: The call.
        counts: Whether its outcome is a number of rows, and not a row.
    """
    started_at = time.time_ns()
    began = time.perf_counter()
    failure: BaseException | None = None
    outcome: Any = None
    try:
        outcome = yield from work
        return outcome  # type: ignore[no-any-return]
    except BaseException as error:
        failure = error
        raise
    finally:
        event = QueryEvent(
            query.name,
            query.file.file,
            started_at,
            time.perf_counter() - began,
            None if failure is not None else _rows(outcome, counts),
            getattr(failure, "sqlstate", None),
            None if failure is None else type(failure).__name__,
        )
        for listener in listeners:
            listener(event)


def _rows(outcome: Any, counts: bool) -> int:
    if isinstance(outcome, list):
        return len(outcome)
    if isinstance(outcome, Page):
        return len(outcome.items)
    if counts:
        return int(outcome)
    return 0 if outcome is None else 1
