"""Many independent calls in one round trip, each a transaction of its own.

An error in one leaves the others alone. COMMIT stands behind a Sync of its own: after an
error it ends the failed transaction, so that the next call finds the connection idle.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from psycopg import pq

from todo_sql.database import results
from todo_sql.database.call import Call, plan
from todo_sql.database.events import Watch, rows_of
from todo_sql.database.exchange import clear
from todo_sql.database.executor import (
    BROKE,
    Engine,
    Shape,
    broke,
    may_redo,
    note_position,
    unavailable,
)
from todo_sql.database.query import Query, adhoc
from todo_sql.database.scope import WRITTEN, Freshness, Scope
from todo_sql.errors import TodoSqlError, UsageError
from todo_sql.wire import retry
from todo_sql.wire.call_errors import Unavailable, needs_with
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import ConnectionLost, Failed
from todo_sql.wire.residue import outlasts
from todo_sql.wire.statement import COMMIT, Step
from todo_sql.wire.waiting import Work, run, run_async

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class Pending(Generic[R]):
    """The result of one call of a batch, there once the batch has ended."""

    def __init__(self, call: Call, shape: Shape[R]) -> None:
        self.call = call
        self.shape = shape
        self._value: R | None = None
        self._error: BaseException | None = None
        self._done = False

    def result(self) -> R:
        """Return what the call returns.

        Raises:
            UsageError: The batch has not ended.
            TodoSqlError: What the call itself got.
        """
        if self._error is not None:
            raise self._error
        if not self._done:
            fix = "ask for it after the `with` block of the batch"
            raise UsageError(f"`{self.call.query.name}` has no result yet", fix=fix)
        return self._value  # type: ignore[return-value]

    def tell(self, watch: Watch) -> None:
        """Tell listeners how the call went."""
        if self._error is not None:
            watch.failed(self._error)
        else:
            watch.ended(rows_of(self._value, self.shape is results.affected))

    def take(self, link: Link, result: pq.abc.PGresult) -> None:
        """Put in what the call's statement gave."""
        try:
            self._value, self._done = self.shape(link, self.call, result), True
        except TodoSqlError as error:
            self.fail(error)

    def fail(self, error: BaseException, *, last: bool = False) -> None:
        """Put the error in: `last`, what ended the batch, where nothing else is there."""
        if not (last and self._done):
            self._error, self._done = error, True


def _recorded(
    shape: Shape[Any],
) -> Callable[[_Recorder, Query[Any], Mapping[str, object]], Pending[Any]]:
    return lambda self, query, arguments: Pending(plan(self.scope, query, arguments), shape)


class _Recorder:
    """Stands in for a session and records the call that a query function makes."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    one = _recorded(results.one)
    optional = _recorded(results.optional)
    many = _recorded(results.many)
    execute = _recorded(results.nothing)
    execrows = _recorded(results.affected)

    def sql(self, text: str, row: Any = None, /, **arguments: object) -> Pending[Any]:
        shape: Shape[Any] = results.affected if row is None else results.many
        return Pending(plan(self.scope, adhoc(text, row), arguments), shape)


class _Calls:
    def __init__(self, engine: Engine, scope: Scope, freshness: Freshness) -> None:
        self._engine = engine
        self._freshness = freshness
        self._recorder: Any = _Recorder(scope)
        self._pending: list[Pending[Any]] = []
        self._entered = False

    def _add(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Pending[Any]:
        if not self._entered:
            raise needs_with("the batch")
        try:
            pending = function(self._recorder, *args, **kwargs)
        except AttributeError as error:
            if error.obj is not self._recorder:
                raise
            pending = None
        if not isinstance(pending, Pending):
            raise UsageError(
                f"`{getattr(function, '__name__', function)}` is not one call of a query",
                cause="a batch holds :one, :optional, :many, :exec and :execrows calls",
                fix="add a generated query function",
            )
        self._pending.append(pending)
        return pending

    def _fly(self) -> Work[None]:
        pending, self._pending = self._pending, []
        if pending:
            listeners = self._engine.listeners
            watches = [Watch(listeners, entry.call.query) for entry in pending if listeners]
            try:
                yield from self._settle(pending)
            except BaseException as error:
                for entry in pending:
                    entry.fail(error, last=True)
                raise
            finally:
                for watch, entry in zip(watches, pending, strict=False):
                    entry.tell(watch)

    def _settle(self, pending: list[Pending[Any]]) -> Work[None]:
        """Make every call and give each its result or error."""
        engine = self._engine
        timeouts = [entry.call.timeout for entry in pending if entry.call.timeout]
        deadline = engine.deadline(sum(timeouts) if len(timeouts) == len(pending) else None)
        if (yield from self._read(pending, deadline)):
            return
        attempt = 1
        doubt = False  # whether an earlier attempt may have changed something
        while True:
            why = BROKE
            try:
                again = yield from self._attempt(pending, deadline, doubt=doubt)
                if not again:
                    return
                if not retry.time_left(deadline, attempt):
                    for entry, failed in again:
                        entry.fail(engine.explain(failed, entry.call, doubt=doubt))
                    return
                # Each was rolled back for certain; the others are done.
                pending = [entry for entry, _ in again]
                why = f"SQLSTATE {again[0][1].error.sqlstate}"
            except ConnectionLost as lost:
                repeatable = lost.untouched or all(entry.call.repeatable for entry in pending)
                if not repeatable or not retry.time_left(deadline, attempt):
                    for entry in pending:
                        entry.fail(broke(lost, changed=not entry.call.query.read_only))
                    return
                reads = all(entry.call.query.read_only for entry in pending)
                doubt = doubt or not (lost.untouched or reads)
            except Unavailable as away:
                if attempt == 1:
                    raise
                for entry in pending:  # the others of the batch are done
                    changed = doubt and not entry.call.query.read_only
                    entry.fail(unavailable(away.message, changed=True) if changed else away)
                return
            yield engine.pool.retry(attempt, f"a batch: {why}")
            attempt += 1

    def _read(self, pending: list[Pending[Any]], deadline: float) -> Work[bool]:
        """Make every call on the replica; where one cannot, the primary has to make them all."""
        engine = self._engine
        calls = [entry.call for entry in pending]
        if engine.replica is None or not all(call.query.read_only for call in calls):
            return False

        def take(link: Link, results: list[pq.abc.PGresult]) -> bool:
            for entry, result in zip(pending, results, strict=True):
                entry.take(link, result)
            return True

        try:
            found = yield from engine.replica.read(calls, self._freshness, deadline, take)
        except Failed:
            return False
        return found is not None

    def _attempt(
        self, pending: list[Pending[Any]], deadline: float, *, doubt: bool
    ) -> Work[list[tuple[Pending[Any], Failed]]]:
        """Make every call; return those that the server refused and that are to be made again."""
        engine = self._engine
        wrote = engine.replica and not all(entry.call.query.read_only for entry in pending)
        roles = {entry.call.role: entry.call for entry in pending}
        link = yield from engine.acquire(list(roles.values()), deadline)
        failures: list[tuple[Pending[Any], Failed]] = []
        again: list[tuple[Pending[Any], Failed]] = []
        try:
            units: list[list[Step]] = []
            for entry in pending:
                call = entry.call
                units += [[*call.head(citus=link.citus), call.step], [COMMIT, *call.text.resets]]
            if wrote:
                units.append([WRITTEN])
            taints = any(entry.call.text.resets for entry in pending)
            answers = yield from engine.flight(link, units, deadline, taints=taints)
            if wrote:
                note_position(link, self._freshness, answers[-1].check()[0])
            for number, entry in enumerate(pending):
                answer, committed = answers[2 * number : 2 * number + 2]
                resets = entry.call.text.resets
                clear(link, resets, committed)
                if resets and answer.failed is None:
                    link.broken = link.broken or outlasts(answer.results[-1])
                failed = answer.failed or committed.failed
                if failed is None:
                    entry.take(link, answer.results[-1])
                elif may_redo(failed.error):
                    again.append((entry, failed))
                else:
                    failures.append((entry, failed))
            if any(failed.error.is_stale_plan for _, failed in again):
                engine.pool.outdate(link)
            for _, failed in failures:
                yield from engine.look_up(link, failed)
        finally:
            engine.pool.release(link)
        for entry, failed in failures:
            entry.fail(engine.explain(failed, entry.call, doubt=doubt))
        return again


class Batch(_Calls, Generic[S]):
    """Calls that are sent together at the end of the ``with`` block."""

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if kind is None:
            run(self._fly())

    def add(
        self, function: Callable[Concatenate[S, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> Pending[R]:
        """Record the call that a query function makes.

        Args:
            function: A generated function such as ``tasks.get_task``.
            args: Its arguments behind the session.
            kwargs: Its arguments by name.
        """
        return self._add(function, *args, **kwargs)


class AsyncBatch(_Calls, Generic[S]):
    """Calls that are sent together at the end of the ``async with`` block."""

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if kind is None:
            await run_async(self._fly())

    def add(
        self,
        function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[R]:
        """Record the call that a query function makes; nothing is awaited yet."""
        return self._add(function, *args, **kwargs)
