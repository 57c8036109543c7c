"""What `db.on_query` hears of each call. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from todo_sql.database.query import Query
from todo_sql.logs import LISTENER
from todo_sql.queries.cursor import Page
from todo_sql.wire.waiting import Work

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
    """Do a piece of work and tell the listeners how it went; `counts`: it returns a number."""
    watch = Watch(listeners, query)
    try:
        outcome = yield from work
    except BaseException as error:
        watch.failed(error)
        raise
    watch.ended(rows_of(outcome, counts))
    return outcome


class Watch:
    """Times one call and tells the listeners when it has ended."""

    def __init__(self, listeners: list[Listener], query: Query[Any]) -> None:
        self._listeners = listeners
        self._query = query
        self._started_at = time.time_ns()
        self._began = time.perf_counter()

    def ended(self, rows: int) -> None:
        """Tell that the call went well."""
        self._tell(rows, None, None)

    def failed(self, error: BaseException) -> None:
        """Tell that the call failed."""
        self._tell(None, getattr(error, "sqlstate", None), type(error).__name__)

    def _tell(self, rows: int | None, sqlstate: str | None, error: str | None) -> None:
        query, took = self._query, time.perf_counter() - self._began
        facts = query.name, query.file.file, self._started_at, took
        event = QueryEvent(*facts, rows, sqlstate, error)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                LISTENER.exception("a listener of on_query raised after `%s`", event.name)


def rows_of(outcome: Any, counts: bool) -> int:
    """Return how many rows an outcome stands for."""
    if isinstance(outcome, list):
        return len(outcome)
    if isinstance(outcome, Page):
        return len(outcome.items)
    if counts:
        return int(outcome)
    return 0 if outcome is None else 1
