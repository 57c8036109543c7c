"""One flight of a migration: each answer is read as it is made.

So one knows which statement is at work, and it is looked after while the server works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.waiting import wait

from todo_sql.logs import CANCEL
from todo_sql.wire.pipeline import ABORTED, DONE, ConnectionLost, first_line, flush, next_result

# Shutdown, termination and timeouts that end a session.
_LAST_WORDS = ("25P03", "25P04", "57P")
TICK = 0.2
_AT_ONCE = 16  # commands that are sent before the next are made
_AGAIN = 0.5  # seconds before the server is told to stop once more
_DRAIN = 15.0  # seconds that a cancelled flight has to land
_GOOD = DONE | {pq.ExecStatus.EMPTY_QUERY}


@dataclass(frozen=True, slots=True)
class FlightCommand:
    """One statement with its ``$n`` parameters as text.

    Attributes:
        sync: Whether its transaction ends here when none was begun, and an error with it.
        statement: Its number among the statements of a migration, or None for one of ours.
        rows: For a COPY from the client: makes what is streamed to it, on a `CopyFlight`.
    """

    sql: str
    parameters: tuple[str | None, ...] = ()
    sync: bool = False
    statement: int | None = None
    rows: Callable[[], Iterator[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command: rows of text, or an error.

    Attributes:
        changed: How many rows a statement wrote, or returned.
    """

    rows: list[tuple[str | None, ...]]
    error: psycopg.Error | None = None
    skipped: bool = False
    changed: int = 0


class Flight:
    """Commands under way on a connection.

    A Flush stands before and after each statement of a migration, so that its answer comes
    when it is made, and nowhere else. A Sync ends the flight, or a command that says so.

    Args:
        connection: Where.
        commands: What; may be made while the first ones are at work already.
        watch: Called while the server is at work.
        told: Called with each answer, whose rows are of no interest then.

    Attributes:
        commands: Those that were sent.
        answers: One for each command answered so far, in order.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        commands: Iterable[FlightCommand],
        watch: Callable[[Flight], None] | None = None,
        told: Callable[[Reply], None] | None = None,
    ) -> None:
        self.commands: list[FlightCommand] = []
        self.answers: list[Reply] = []
        self._given = commands
        self._connection = connection
        self._pgconn = connection.pgconn
        self._watch = watch
        self._told = told
        self._syncs = 0

    @property
    def at_work(self) -> FlightCommand | None:
        """The command that the server is at, or None when all are answered."""
        index = len(self.answers)
        return self.commands[index] if index < len(self.commands) else None

    def fly(self) -> list[Reply]:
        """Send everything and read every answer, errors included.

        Raises:
            ConnectionLost: The connection broke; `answers` holds what arrived before.
            BaseException: What the watcher or a signal raised, after the commands were
                cancelled and the answers read to the end.
        """
        sent = False
        try:
            self._enqueue()
            sent = True
            self._land(self._tell)
        except psycopg.OperationalError as error:
            self._connection.close()
            raise self._lost(error) from None
        except BaseException as error:
            self._cancel(sent, type(error).__name__)
            raise
        return self.answers

    def _tell(self) -> None:
        if self._watch:
            self._watch(self)

    def _lost(self, error: psycopg.Error) -> ConnectionLost:
        """Return what the server said before it hung up, else what libpq says of it."""
        errors = [error, *(answer.error for answer in self.answers if answer.error)]
        said = [one for one in errors if (one.sqlstate or "").startswith(_LAST_WORDS)]
        words = said[-1].diag.message_primary if said else None
        sqlstate = said[-1].sqlstate if said else None
        return ConnectionLost(words or first_line(str(error)), sqlstate=sqlstate)

    def _enqueue(self) -> None:
        pgconn = self._pgconn
        pgconn.enter_pipeline_mode()
        flushed = synced = True
        for command in self._given:
            self.commands.append(command)
            if command.statement is not None and not flushed:
                pgconn.send_flush_request()
            values = [None if p is None else p.encode() for p in command.parameters]
            pgconn.send_query_params(command.sql.encode(), values)
            flushed = synced = command.sync
            if command.sync:
                self._sync()
            elif command.statement is not None:
                pgconn.send_flush_request()
                flushed = True
            if len(self.commands) % _AT_ONCE == 0:
                pgconn.flush()
        if not synced:
            self._sync()

    def _sync(self) -> None:
        self._pgconn.pipeline_sync()
        self._syncs += 1

    def _answered(self, reply: Reply) -> None:
        self.answers.append(reply)
        if self._told:
            self._told(reply)

    def _land(self, tick: Callable[[], object]) -> None:
        wait(self._read(tick), self._pgconn.socket, TICK)
        if self._pgconn.status == pq.ConnStatus.OK:
            self._pgconn.exit_pipeline_mode()

    def _read(self, tick: Callable[[], object]) -> PQGen[None]:
        """Read to the last Sync."""
        pgconn = self._pgconn
        while self._syncs:
            result = yield from next_result(pgconn, tick)
            if result is None:
                if pgconn.status == pq.ConnStatus.BAD:
                    raise ConnectionLost(first_line(pgconn.get_error_message()))
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._syncs -= 1
            elif result.status == ABORTED:
                self._answered(Reply([], skipped=True))
            elif result.status in _GOOD:
                rows = [] if self._told else rows_of(result)
                self._answered(Reply(rows, changed=result.command_tuples or 0))
            elif pgconn.status == pq.ConnStatus.BAD:
                raise self._lost(error_from_result(result))
            else:
                self._answered(Reply([], error_from_result(result)))

    def _cancel(self, sent: bool, why: str) -> None:
        """Cancel the command at work and read to the end of the flight."""
        if not sent:
            self._connection.close()
            return
        CANCEL.warning("backend %d is told to stop: %s", self._pgconn.backend_pid, why)
        asked = time.monotonic()
        deadline = asked + _DRAIN
        told = self._told

        def insist() -> None:
            """Ask again: what comes between two statements is not heard."""
            nonlocal asked
            now = time.monotonic()
            if now > deadline:
                raise ConnectionLost("the server did not answer the cancelling")
            if now > asked + _AGAIN:
                asked = now
                self._connection.cancel_safe(timeout=5)

        def answered(reply: Reply) -> None:
            if told:
                told(reply)
            if not (reply.error or reply.skipped):
                insist()

        self._told = answered
        try:
            self._connection.cancel_safe(timeout=5)
            self._land(insist)
        except psycopg.Error:
            self._connection.close()


class CopyFlight(Flight):
    """One COPY from the client with its rows, which libpq's pipeline mode does not allow."""

    def _enqueue(self) -> None:
        self.commands += self._given
        self._pgconn.send_query(self.commands[0].sql.encode())

    def _land(self, tick: Callable[[], object]) -> None:
        wait(self._read(tick), self._pgconn.socket, TICK)

    def _read(self, tick: Callable[[], object]) -> PQGen[None]:
        pgconn = self._pgconn
        while (result := (yield from next_result(pgconn, tick))) is not None:
            if result.status == pq.ExecStatus.COPY_IN:
                yield from self._stream(tick)
            elif result.status in _GOOD:
                self._answered(Reply([]))
            elif pgconn.status == pq.ConnStatus.BAD:
                raise self._lost(error_from_result(result))
            else:
                self._answered(Reply([], error_from_result(result)))
        if pgconn.status == pq.ConnStatus.BAD:
            raise ConnectionLost(first_line(pgconn.get_error_message()))

    def _stream(self, tick: Callable[[], object]) -> PQGen[None]:
        """Send the rows; an error of ours, or of the watcher, has the server throw them away."""
        pgconn, rows = self._pgconn, self.commands[0].rows
        ended = False
        try:
            for chunk in rows() if rows else ():
                pgconn.put_copy_data(chunk)
                yield from flush(pgconn, tick)
            pgconn.put_copy_end()
            ended = True
            yield from flush(pgconn, tick)
        except psycopg.Error:
            raise
        except BaseException:
            if not ended:
                pgconn.put_copy_end(b"cancelled")
            raise


def rows_of(result: pq.abc.PGresult) -> list[tuple[str | None, ...]]:
    """Return the rows of a result as text; those of a huge one are of no interest."""
    if not result.nfields or result.ntuples > 100_000:
        return []
    rows = []
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        rows.append(tuple(None if value is None else value.decode() for value in values))
    return rows
