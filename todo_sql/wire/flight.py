"""One flight of a migration: each answer is read as it is made.

So one knows which statement is at work, and it is looked after while the server works.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
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
_NAMED = 500  # commands whose texts the server may hold
_names = itertools.count()
_GOOD = DONE | {pq.ExecStatus.EMPTY_QUERY}


@dataclass(frozen=True, slots=True)
class FlightCommand:
    """One statement with its ``$n`` parameters as text.

    Attributes:
        sync: Whether its transaction ends here when none was begun, and an error with it.
        statement: Its number among the statements of a migration, or None for one of ours.
        rows: For a COPY from the client: makes what is streamed to it, on a `CopyFlight`.
        kept: Whether the server is to read and plan its text once for all commands of a flight
            that have it.
    """

    sql: str
    parameters: tuple[str | None, ...] = ()
    sync: bool = False
    statement: int | None = None
    rows: Callable[[], Iterator[bytes]] | None = None
    kept: bool = False


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

    What is kept is the unnamed statement: a named one could be exchanged, by PREPARE in a
    function of somebody else's that a migration calls. So what is sent behind it goes under a
    name of its own, until DEALLOCATE ALL.

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
        self._kept: str | None = None
        self._named = 0  # since the last command that is kept
        self._read_first: deque[int] = deque()  # commands whose text went on its own, by number
        self._left = 0  # answers to commands whose text was refused

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
            self._send(command)
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

    def _send(self, command: FlightCommand) -> None:
        pgconn, text, name = self._pgconn, command.sql.encode(), b""
        values = [None if p is None else p.encode() for p in command.parameters]
        fresh = not command.kept or command.sql != self._kept
        if command.kept:
            self._kept, self._named = command.sql, 0
        elif self._kept is not None and self._named < _NAMED:
            self._named += 1
            name = b"todo_sql_%d" % next(_names)
        else:
            self._kept = None
            pgconn.send_query_params(text, values)
            return
        if fresh:
            self._read_first.append(len(self.commands) - 1)
            pgconn.send_prepare(name, text)
        pgconn.send_query_prepared(name, values)

    def _sync(self) -> None:
        self._pgconn.pipeline_sync()
        self._syncs += 1
        self._kept = None  # it is not, where an error has struck before

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
            elif result.status == ABORTED and self._left:
                self._left -= 1
            elif self._is_of_text():
                if result.status not in DONE and result.status != ABORTED:
                    self._left += 1
                    self._refused(result)
            elif result.status == ABORTED:
                self._answered(Reply([], skipped=True))
            elif result.status in _GOOD:
                rows = [] if self._told else rows_of(result)
                self._answered(Reply(rows, changed=result.command_tuples or 0))
            else:
                self._refused(result)

    def _is_of_text(self) -> bool:
        """Whether a result answers the text of the command at work, rather than the command."""
        its = bool(self._read_first) and self._read_first[0] == len(self.answers)
        if its:
            self._read_first.popleft()
        return its

    def _refused(self, result: pq.abc.PGresult) -> None:
        error = error_from_result(result)
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise self._lost(error)
        self._answered(Reply([], error))

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
            else:
                self._refused(result)
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
