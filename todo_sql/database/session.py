"""The session on which queries run, scoped to a tenant or not, and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, TypeVar, overload

from todo_sql.database import results
from todo_sql.database.base_session import Handle, InTransaction
from todo_sql.database.batch import Batch
from todo_sql.database.copyfrom import Row
from todo_sql.database.executor import Shape
from todo_sql.database.query import Query, adhoc
from todo_sql.database.streaming import RowStream
from todo_sql.database.transaction import Isolation, Unit
from todo_sql.queries.cursor import Page
from todo_sql.wire import retry
from todo_sql.wire.waiting import Work, run

R = TypeVar("R")
T = TypeVar("T")


class Session(Handle):
    """A cheap handle on a database that holds no connection between calls.

    Each call is a transaction of its own, in one round trip.
    """

    def one(self, query: Query[R], arguments: Mapping[str, object]) -> R:
        """Return exactly one row.

        Raises:
            NoRow: There is none.
            TooManyRows: There is more than one.
        """
        row: R = self._call(query, arguments, results.one)
        return row

    def optional(self, query: Query[R], arguments: Mapping[str, object]) -> R | None:
        """Return one row or None."""
        row: R | None = self._call(query, arguments, results.optional)
        return row

    def many(self, query: Query[R], arguments: Mapping[str, object]) -> list[R]:
        """Return every row."""
        return self._call(query, arguments, results.many)

    def execute(self, query: Query[Any], arguments: Mapping[str, object]) -> None:
        """Run a query that returns no row."""
        return self._call(query, arguments, results.nothing)

    def execrows(self, query: Query[Any], arguments: Mapping[str, object]) -> int:
        """Run a query and return how many rows it affected."""
        return self._call(query, arguments, results.affected)

    @overload
    def sql(self, text: str, /, **arguments: object) -> int: ...
    @overload
    def sql(self, text: str, row: type[R], /, **arguments: object) -> list[R]: ...
    def sql(self, text: str, row: Any = None, /, **arguments: object) -> Any:
        """Run ad hoc SQL with ``:name`` parameters.

        Args:
            text: One statement; ``-- if:`` lines work as in a query file.
            row: A pydantic model, a dataclass, ``dict``, or the type of a single column.
            arguments: The parameters, dumped by their Python type.

        Returns:
            The rows as `row`; without a type how many rows PostgreSQL says it affected.

        Raises:
            BadRow: Two columns have one name, or a row does not fit the type.
        """
        shape: Shape[Any] = results.affected if row is None else results.many
        return self._call(adhoc(text, row), arguments, shape)

    def page(
        self, query: Query[R], arguments: Mapping[str, object], cursor: str | None = None
    ) -> Page[R]:
        """Return one page of a ``:page`` query.

        Args:
            arguments: Its parameters, the page size among them.
            cursor: ``next`` or ``previous`` of another page; None: the first page.

        Raises:
            BadCursor: The cursor is not one of this query, or was changed.
        """
        page: Page[R] = self._run(self._page(query, arguments, cursor))
        return page

    def stream(self, query: Query[R], arguments: Mapping[str, object]) -> RowStream[R]:
        """Return the rows of a query piece by piece, in a ``with`` block.

        Never sent again: a connection that breaks is `Unavailable`.
        """
        return RowStream(self._stream(query, arguments), self._run)

    def copyfrom(self, query: Query[Any], rows: Iterable[Row]) -> int:
        """Insert many rows through COPY in one transaction; return how many.

        Args:
            query: A ``:copyfrom`` query.
            rows: Mappings or objects that have its parameters; read as they are sent.

        Raises:
            BadParameter: A row lacks a value, or one does not fit; nothing is kept.
        """
        return self._run(self._copy(query, rows))

    @overload
    def batch_execute(self, query: Query[None], sets: Iterable[Mapping[str, object]]) -> int: ...
    @overload
    def batch_execute(self, query: Query[R], sets: Iterable[Mapping[str, object]]) -> list[R]: ...
    def batch_execute(self, query: Query[Any], sets: Iterable[Mapping[str, object]]) -> Any:
        """Run one query with many sets of arguments, in one transaction and pipelined.

        Returns:
            Every row, in the order of the sets; for a query without rows how many it affected.
        """
        return self._run(self._each(query, sets))

    def batch(self) -> Batch[Session]:
        """Send many independent calls in one round trip, each its own transaction.

        Each call's result or error is in the `Pending` that `add` returns.
        """
        return Batch(self._engine, self._scope, self._freshness)

    def transaction(
        self, *, isolation: Isolation | str | None = None, read_only: bool = False
    ) -> Transaction:
        """Run several calls in one transaction; nothing is sent before the first.

        Args:
            isolation: ``read committed``, ``repeatable read`` or ``serializable``.
            read_only: Whether the server is to refuse changes.
        """
        unit = Unit(self._engine, self._freshness, isolation=isolation, read_only=read_only)
        return Transaction(self._engine, self._scope, self._freshness, unit)

    def run(
        self,
        function: Callable[[Transaction], T],
        *,
        isolation: Isolation | str | None = None,
        read_only: bool = False,
    ) -> T:
        """Run a unit of work in a transaction, and again if it conflicted with another.

        Redone on 40001, 40P01, and a connection lost before COMMIT was sent: so the
        function must do nothing outside the transaction that cannot be done twice.
        """
        attempt = 1
        while True:
            try:
                with self.transaction(isolation=isolation, read_only=read_only) as tx:
                    return function(tx)
            except Exception as error:
                if not retry.may_redo_unit(error, attempt):
                    raise
                why = f"a unit of work: {type(error).__name__}"
            self._engine.pool.retry(attempt, why).run()
            attempt += 1

    def _call(self, query: Query[Any], arguments: Mapping[str, object], shape: Shape[T]) -> T:
        return self._run(self._work(query, arguments, shape))

    def _run(self, work: Work[T]) -> T:
        return run(work)


class Transaction(InTransaction, Session):
    """A session whose calls are one transaction; as a context manager it commits.

    An error that leaves the ``with`` block rolls back. Threads that share it take turns.
    """

    _of_tasks = False

    def __enter__(self) -> Self:
        self._turn.check()
        if self._outer is not None:  # not while another's call is on its way
            with self._turn.lock:
                self._savepoint = self._unit.nest()
        self._entered = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._turn.check()
            with self._turn.lock, self._turn:
                if self._savepoint is not None:
                    self._unit.end_nested(self._savepoint, keep=kind is None)
                else:
                    run(self._unit.commit() if kind is None else self._unit.rollback())
        finally:
            if self._outer is None:
                self._unit.abandon()

    def _run(self, work: Work[T]) -> T:
        if not self._entered:
            raise self._outside(work)
        self._turn.check()
        with self._turn.lock, self._turn:
            return run(work)
