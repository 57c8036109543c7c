"""The asynchronous session: the methods of `Session` as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypeVar, overload

from todo_sql.database import results
from todo_sql.database.base_session import Handle, InTransaction
from todo_sql.database.batch import AsyncBatch
from todo_sql.database.copyfrom import Row
from todo_sql.database.executor import Shape
from todo_sql.database.query import Query, adhoc
from todo_sql.database.streaming import AsyncRowStream
from todo_sql.database.transaction import Isolation, Unit
from todo_sql.queries.cursor import Page
from todo_sql.wire import retry
from todo_sql.wire.waiting import Work, run_async

R = TypeVar("R")
T = TypeVar("T")


class AsyncSession(Handle):
    """A cheap handle on a database that holds no connection between calls.

    Each call is a transaction of its own, in one round trip.
    """

    async def one(self, query: Query[R], arguments: Mapping[str, object]) -> R:
        """Return exactly one row; see `Session.one`."""
        row: R = await self._call(query, arguments, results.one)
        return row

    async def optional(self, query: Query[R], arguments: Mapping[str, object]) -> R | None:
        """Return one row or None."""
        row: R | None = await self._call(query, arguments, results.optional)
        return row

    async def many(self, query: Query[R], arguments: Mapping[str, object]) -> list[R]:
        """Return every row."""
        return await self._call(query, arguments, results.many)

    async def execute(self, query: Query[Any], arguments: Mapping[str, object]) -> None:
        """Run a query that returns no row."""
        return await self._call(query, arguments, results.nothing)

    async def execrows(self, query: Query[Any], arguments: Mapping[str, object]) -> int:
        """Run a query and return how many rows it affected."""
        return await self._call(query, arguments, results.affected)

    @overload
    async def sql(self, text: str, /, **arguments: object) -> int: ...
    @overload
    async def sql(self, text: str, row: type[R], /, **arguments: object) -> list[R]: ...
    async def sql(self, text: str, row: Any = None, /, **arguments: object) -> Any:
        """Run ad hoc SQL with ``:name`` parameters; see `Session.sql`."""
        shape: Shape[Any] = results.affected if row is None else results.many
        return await self._call(adhoc(text, row), arguments, shape)

    async def page(
        self, query: Query[R], arguments: Mapping[str, object], cursor: str | None = None
    ) -> Page[R]:
        """Return one page of a ``:page`` query; see `Session.page`."""
        page: Page[R] = await self._run(self._page(query, arguments, cursor))
        return page

    def stream(self, query: Query[R], arguments: Mapping[str, object]) -> AsyncRowStream[R]:
        """Return the rows of a query piece by piece, in an ``async with`` block.

        Never sent again: a connection that breaks is `Unavailable`.
        """
        return AsyncRowStream(self._stream(query, arguments), self._run)

    async def copyfrom(self, query: Query[Any], rows: Iterable[Row]) -> int:
        """Insert many rows through COPY in one transaction; see `Session.copyfrom`."""
        return await self._run(self._copy(query, rows))

    @overload
    async def batch_execute(
        self, query: Query[None], sets: Iterable[Mapping[str, object]]
    ) -> int: ...
    @overload
    async def batch_execute(
        self, query: Query[R], sets: Iterable[Mapping[str, object]]
    ) -> list[R]: ...
    async def batch_execute(self, query: Query[Any], sets: Iterable[Mapping[str, object]]) -> Any:
        """Run one query with many sets of arguments, pipelined; see `Session.batch_execute`."""
        return await self._run(self._each(query, sets))

    def batch(self) -> AsyncBatch[AsyncSession]:
        """Send many independent calls in one round trip; see `Session.batch`."""
        return AsyncBatch(self._engine, self._scope, self._freshness)

    def transaction(
        self, *, isolation: Isolation | str | None = None, read_only: bool = False
    ) -> AsyncTransaction:
        """Run several calls in one transaction; see `Session.transaction`."""
        unit = Unit(self._engine, self._freshness, isolation=isolation, read_only=read_only)
        return AsyncTransaction(self._engine, self._scope, self._freshness, unit)

    async def run(
        self,
        function: Callable[[AsyncTransaction], Awaitable[T]],
        *,
        isolation: Isolation | str | None = None,
        read_only: bool = False,
    ) -> T:
        """Run a unit of work, and again if it conflicted with another; see `Session.run`."""
        attempt = 1
        while True:
            try:
                async with self.transaction(isolation=isolation, read_only=read_only) as tx:
                    return await function(tx)
            except Exception as error:
                if not retry.may_redo_unit(error, attempt):
                    raise
                why = f"a unit of work: {type(error).__name__}"
            await self._engine.pool.retry(attempt, why).run_async()
            attempt += 1

    async def _call(self, query: Query[Any], arguments: Mapping[str, object], shape: Shape[T]) -> T:
        return await self._run(self._work(query, arguments, shape))

    async def _run(self, work: Work[T]) -> T:
        return await run_async(work)


class AsyncTransaction(InTransaction, AsyncSession):
    """A session whose calls are one transaction; as a context manager it commits.

    An error that leaves the ``async with`` block rolls back. Tasks that share it take turns.
    """

    _of_tasks = True

    async def __aenter__(self) -> Self:
        self._turn.check()
        if self._outer is not None:  # not while another's call is on its way
            async with self._turn.lock:
                self._savepoint = self._unit.nest()
        self._entered = True
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, GeneratorExit):  # where nothing can be awaited
            self._unit.abandon()
            return
        try:
            self._turn.check()
            async with self._turn.lock:
                with self._turn:
                    if self._savepoint is not None:
                        self._unit.end_nested(self._savepoint, keep=kind is None)
                    else:
                        await run_async(
                            self._unit.commit() if kind is None else self._unit.rollback()
                        )
        finally:
            if self._outer is None:
                self._unit.abandon()

    async def _run(self, work: Work[T]) -> T:
        if not self._entered:
            raise self._outside(work)
        self._turn.check()
        async with self._turn.lock:
            with self._turn:
                return await run_async(work)
