"""``:stream``: rows in pieces from a cursor that owns its connection and transaction."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, Self, TypeVar

from todo_sql.database import results
from todo_sql.database.call import Call
from todo_sql.database.events import Listener, Watch
from todo_sql.database.transaction import Unit
from todo_sql.errors import UsageError
from todo_sql.wire.call_errors import needs_with
from todo_sql.wire.statement import WireStatement
from todo_sql.wire.waiting import Work

R = TypeVar("R")

PIECE = 500

_numbers = itertools.count(1)


class Stream:
    """The rows of one call, a piece at a time; never sent again.

    Args:
        listeners: Told when the stream has ended.
        owns_unit: Whether the transaction ends with the stream.
    """

    def __init__(
        self, unit: Unit, call: Call, listeners: list[Listener], *, owns_unit: bool
    ) -> None:
        name = f"todo_sql_stream_{next(_numbers)}"
        label, sql = call.statement.label, call.statement.sql.decode()
        self._unit = unit
        self._call = call
        self._owns_unit = owns_unit
        self._watch = Watch(listeners, call.query)
        self._rows = 0
        self._opened = False
        self._declare = WireStatement(
            f"declare {name} no scroll cursor for {sql}",
            call.statement.parameters,
            label=label,
            once=True,
        )
        self._fetch = WireStatement(f"fetch forward {PIECE} from {name}", label=label, once=True)
        self._close = WireStatement(f"close {name}", label=label, once=True)

    def open(self) -> Work[None]:
        """Begin to read, once; where that fails, nothing is held."""
        if self._opened:
            message = f"the stream of `{self._call.query.name}` was opened before"
            raise UsageError(message, fix="call the query again")
        self._opened = True
        call = self._call.around(self._declare, self._call.values)
        try:
            yield from self._unit.call(call, results.nothing)
        except BaseException as error:
            yield from self.close(error)
            raise

    def piece(self) -> Work[list[Any]]:
        """Return the next rows; none at the end."""
        if not self._opened:
            raise needs_with(f"the stream of `{self._call.query.name}`")
        fetch = self._call.around(self._fetch, [])
        rows: list[Any] = yield from self._unit.call(fetch, results.many)
        self._rows += len(rows)
        return rows

    def abandon(self) -> None:
        """Hold no connection any more, whatever the end was interrupted by."""
        if self._owns_unit:
            self._unit.abandon()

    def close(self, error: BaseException | None) -> Work[None]:
        """End the transaction, or within another one the cursor."""
        try:
            if self._owns_unit:
                yield from self._unit.undo(error)
            elif error is None:
                yield from self._unit.call(self._call.around(self._close, []), results.nothing)
        finally:
            if error is None:
                self._watch.ended(self._rows)
            else:
                self._watch.failed(error)


class _Rows(Generic[R]):
    def __init__(self, stream: Stream, drive: Callable[[Work[Any]], Any]) -> None:
        self._stream = stream
        self._drive = drive


class RowStream(_Rows[R]):
    """The rows of a ``:stream`` query; read them inside a ``with`` block."""

    def __enter__(self) -> Self:
        try:
            self._drive(self._stream.open())
        except BaseException:
            self._stream.abandon()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._drive(self._stream.close(error))
        finally:
            self._stream.abandon()

    def __iter__(self) -> Iterator[R]:
        while rows := self._drive(self._stream.piece()):
            yield from rows


class AsyncRowStream(_Rows[R]):
    """The rows of a ``:stream`` query; read them inside an ``async with`` block."""

    async def __aenter__(self) -> Self:
        try:
            await self._drive(self._stream.open())
        except BaseException:
            self._stream.abandon()
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if not isinstance(error, GeneratorExit):  # where nothing can be awaited
                await self._drive(self._stream.close(error))
        finally:
            self._stream.abandon()

    async def __aiter__(self) -> AsyncIterator[R]:
        while rows := await self._drive(self._stream.piece()):
            for row in rows:
                yield row
