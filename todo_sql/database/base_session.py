"""What sessions and transactions share: an engine, a scope, and how a call starts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, NoReturn, Self, TypeVar

from todo_sql.database import results
from todo_sql.database.call import Call, plan, plan_page
from todo_sql.database.copyfrom import Row, copy_rows, plan_copy
from todo_sql.database.events import observed
from todo_sql.database.executor import Engine, Shape
from todo_sql.database.query import Query
from todo_sql.database.scope import Freshness, Scope
from todo_sql.database.streaming import Stream
from todo_sql.database.transaction import Isolation, Savepoint, Unit
from todo_sql.errors import UsageError
from todo_sql.queries.cursor import Cursor, Page
from todo_sql.wire.call_errors import UNREADABLE, BadCursor, BadParameter, DatabaseError, needs_with
from todo_sql.wire.limits import check_seconds
from todo_sql.wire.waiting import Work

R = TypeVar("R")
T = TypeVar("T")

# What the names of a cursor's parameters begin with.
CURSOR = "cursor."
# Calls of a :batch query that are sent before answers are read.
MOST_IN_FLIGHT = 1000


class Handle:
    """A cheap handle that holds no connection."""

    def __init__(self, engine: Engine, scope: Scope, freshness: Freshness | None = None) -> None:
        self._engine = engine
        self._scope = scope
        self._freshness = freshness or Freshness()

    def __repr__(self) -> str:
        scope = self._scope
        if scope.tenant_id is not None:
            return f"{type(self).__name__}(tenant={scope.tenant_id!r})"
        return f"{type(self).__name__}(role={scope.role!r})"

    @property
    def tenant_id(self) -> object:
        """The tenant's id, or None."""
        return self._scope.tenant_id

    @property
    def position(self) -> int:
        """Where the session's last change stands in the write-ahead log, with a replica.

        Pass it to ``as_user(id, after=position)`` elsewhere, to read what was written here.
        """
        return self._freshness.position

    def within(self, seconds: float) -> Self:
        """Return the same session with a time limit for each call.

        The server cancels the statement; if it does not answer at all, the call ends anyway.

        Raises:
            UsageError: The limit is not a length of time.
        """
        check_seconds("seconds", seconds)
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._scope = replace(self._scope, timeout=seconds)
        return twin

    def _work(self, query: Query[Any], arguments: Mapping[str, object], shape: Shape[T]) -> Work[T]:
        listeners = self._engine.listeners
        if listeners:
            work = self._planned(query, arguments, shape)
            return observed(listeners, query, work, counts=shape is results.affected)
        return self._make(plan(self._scope, query, arguments), shape)

    def _planned(
        self, query: Query[Any], arguments: Mapping[str, object], shape: Shape[T]
    ) -> Work[T]:
        return (yield from self._make(plan(self._scope, query, arguments), shape))

    def _page(
        self, query: Query[R], arguments: Mapping[str, object], cursor: str | None
    ) -> Work[Page[R]]:
        call, found, variant, size = plan_page(self._scope, query, arguments, cursor)
        work = self._make(call, results.page(found, variant, size))
        if found is not None:
            work = _from(found, call, work)
        return observed(self._engine.listeners, query, work)

    def _in_unit(self, body: Callable[[Unit], Work[T]]) -> Work[T]:
        """Do something in a transaction of its own."""
        unit = Unit(self._engine, self._freshness)
        try:
            value = yield from body(unit)
        except BaseException as error:
            yield from unit.undo(error)
            raise
        yield from unit.commit()
        return value

    def _copy(self, query: Query[Any], rows: Iterable[Row]) -> Work[int]:
        plan = plan_copy(self._scope, query)
        work = self._in_unit(lambda unit: copy_rows(self._engine, unit, plan, rows))
        return observed(self._engine.listeners, query, work, counts=True)

    def _each(self, query: Query[Any], sets: Iterable[Mapping[str, object]]) -> Work[Any]:
        calls = list(self._planned_each(query, sets))
        returns_rows = query.row is not None
        shape: Shape[Any] = results.many if returns_rows else results.affected

        def body(unit: Unit) -> Work[Any]:
            results: list[Any] = []
            for start in range(0, len(calls), MOST_IN_FLIGHT):
                some = calls[start : start + MOST_IN_FLIGHT]
                results += yield from unit.call_each(some, shape, start)
            return list(chain.from_iterable(results)) if returns_rows else sum(results)

        return observed(self._engine.listeners, query, self._in_unit(body), counts=True)

    def _planned_each(
        self, query: Query[Any], sets: Iterable[Mapping[str, object]]
    ) -> Iterator[Call]:
        for index, arguments in enumerate(sets):
            try:
                yield plan(self._scope, query, arguments)
            except BadParameter as error:
                error.at_index(index)
                raise

    def _stream(self, query: Query[Any], arguments: Mapping[str, object]) -> Stream:
        unit = Unit(self._engine, self._freshness, read_only=True)
        call = plan(self._scope, query, arguments)
        return Stream(unit, call, self._engine.listeners, owns_unit=True)

    def _make(self, call: Call, shape: Shape[T]) -> Work[T]:
        return self._engine.call(call, shape, self._freshness)


class Turn:
    """A lock that knows who holds it: the calls of a transaction are made one after the other.

    Threads and tasks that share it wait for each other. Whoever is in the middle of a call and
    comes back (a listener, the rows of a COPY, a validator, a signal handler) would wait for
    itself: an error at once.

    Args:
        tasks: Whether tasks share it, and not threads.

    Attributes:
        lock: Taken first, as in ``with turn.lock, turn:``.
    """

    def __init__(self, *, tasks: bool) -> None:
        self.lock: Any = asyncio.Lock() if tasks else threading.Lock()
        self._me: Callable[[], object] = asyncio.current_task if tasks else threading.get_ident
        self._holder: object = None

    def check(self) -> None:
        """Refuse whoever would wait for itself: it is this thread's or task's turn already."""
        if self._holder is not None and self._holder == self._me() and self.lock.locked():
            raise UsageError(
                "the transaction is in the middle of a call",
                code="D233",
                cause="something that this call runs (a listener, the rows of a COPY, a validator, "
                "a signal handler) uses the transaction again, and would wait for itself",
                fix="do it behind the call, or in a session or transaction of its own",
            )

    def __enter__(self) -> None:
        """Say that the lock is held by whoever is asking."""
        self._holder = self._me()

    def __exit__(self, *_: object) -> None:
        """Say that nobody holds the lock; it is about to be released."""
        self._holder = None


class InTransaction(Handle):
    """A handle whose calls are one transaction, made one after the other."""

    _of_tasks: bool

    def __init__(
        self,
        engine: Engine,
        scope: Scope,
        freshness: Freshness,
        unit: Unit,
        outer: Self | None = None,
    ) -> None:
        super().__init__(engine, scope, freshness)
        self._unit = unit
        self._outer = outer
        self._turn: Turn = Turn(tasks=self._of_tasks) if outer is None else outer._turn
        self._savepoint: Savepoint | None = None
        self._entered = False

    def transaction(
        self, *, isolation: Isolation | str | None = None, read_only: bool = False
    ) -> Self:
        """Nest a transaction: a savepoint. It has the outer one's isolation."""
        if not self._entered:
            raise needs_with("the outer transaction")
        self._unit.check_nested(isolation, read_only)
        return type(self)(self._engine, self._scope, self._freshness, self._unit, self)

    def batch(self) -> NoReturn:
        """Refuse: the calls of a batch are transactions of their own."""
        raise UsageError(
            "a transaction has no batch",
            cause="the calls of a batch are transactions of their own",
            fix="call `batch()` on the session",
        )

    def _outside(self, work: Work[Any]) -> UsageError:
        work.close()
        return needs_with("the transaction")

    def _in_unit(self, body: Callable[[Unit], Work[T]]) -> Work[T]:
        return body(self._unit)

    def _stream(self, query: Query[Any], arguments: Mapping[str, object]) -> Stream:
        call = plan(self._scope, query, arguments)
        return Stream(self._unit, call, self._engine.listeners, owns_unit=False)

    def _make(self, call: Call, shape: Shape[T]) -> Work[T]:
        return self._unit.call(call, shape)


def _from(cursor: Cursor, call: Call, work: Work[T]) -> Work[T]:
    """Read a page; where PostgreSQL cannot read a value of the cursor, say that it was forged."""
    try:
        return (yield from work)
    except BadParameter as error:
        if not error.parameter.startswith(CURSOR):
            raise
    except DatabaseError as error:
        own = call.values[: len(call.values) - len(cursor.values)]
        if error.sqlstate not in UNREADABLE or any(f'"{value}"' in error.message for value in own):
            raise
    raise BadCursor("the cursor was forged", cause="PostgreSQL cannot read one of its values")
