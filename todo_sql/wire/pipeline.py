"""One flight: several statements sent at once in libpq's pipeline mode, their answers read.

`fly` serves sessions: a generator that says what it waits for, so that the same code serves
threads and tasks. `Flight` serves migrations: it reads each answer as it is made, so that one
knows which statement is at work, and is looked after while the server works.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.waiting import Ready, Wait, wait

from todo_sql.logs import CANCEL
from todo_sql.wire.call_errors import ServerError

if TYPE_CHECKING:
    from todo_sql.wire.connection import Link
    from todo_sql.wire.statement import Step

_TUPLES_OK = pq.ExecStatus.TUPLES_OK
_DONE = frozenset({_TUPLES_OK, pq.ExecStatus.COMMAND_OK})
# administrator command, idle session timeout
HANGING_UP = frozenset({"57P01", "57P05"})
# Shutdown, termination and timeouts that end a session.
_LAST_WORDS = ("25P03", "25P04", "57P")
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED

TICK = 0.2
_AT_ONCE = 16  # commands that are sent before the next are made
_AGAIN = 0.5  # seconds before the server is told to stop once more
_DRAIN = 15.0  # seconds that a cancelled flight has to land
_GOOD = _DONE | {pq.ExecStatus.EMPTY_QUERY}


class ConnectionLost(psycopg.OperationalError):
    """The connection broke before every answer was read: what came of the rest is unknown.

    Attributes:
        untouched: Whether the server is known to have done nothing of the flight: it said
            that it hangs up, and an answer to BEGIN would stand before that.
    """

    def __init__(
        self, message: str, *, untouched: bool = False, sqlstate: str | None = None
    ) -> None:
        super().__init__(message)
        self.untouched = untouched
        self.sqlstate = sqlstate


class Failed(Exception):
    """A statement got an error; those after it up to the next Sync were skipped.

    Attributes:
        step: Which statement.
        error: What the server said.
    """

    def __init__(self, step: Step, error: ServerError) -> None:
        super().__init__(error.message)
        self.step = step
        self.error = error


class Answer:
    """What came back for one unit: the result of each step, or the first error."""

    __slots__ = ("failed", "results")

    def __init__(self) -> None:
        self.results: list[pq.abc.PGresult] = []
        self.failed: Failed | None = None

    def note(self, step: Step, result: pq.abc.PGresult) -> None:
        """Note that a step has no result: the first to fail is told, those behind it are skipped.

        Raises:
            OperationalError: The connection broke.
        """
        if result.status != _ABORTED and self.failed is None:
            error = ServerError.from_result(result)
            if not error.sqlstate:
                raise psycopg.OperationalError(error.message)
            self.failed = Failed(step, error)

    def check(self) -> list[pq.abc.PGresult]:
        """Return the results.

        Raises:
            Failed: A step got an error.
        """
        if self.failed is not None:
            raise self.failed
        return self.results


def fly(
    link: Link, units: Sequence[Sequence[Step]], *, taints: bool = False
) -> PQGen[list[Answer]]:
    """Send every unit, each ended by a Sync, and return the answer of each.

    An error in one unit leaves the next untouched. Nothing is sent before every value
    of every step was found to fit.

    Args:
        link: Where.
        units: What.
        taints: Whether the connection is `Link.tainted` once something is sent.

    Raises:
        BadParameter: A value does not fit; nothing was sent.
        ConnectionLost: The connection broke.
    """
    flight = [
        [
            (step, entry := link.prepared(step.statement), entry.encoder.encode(step.values))
            for step in unit
        ]
        for unit in units
    ]
    pgconn = link.pgconn
    answers: list[Answer] = []
    link.tainted = link.tainted or taints
    try:
        pgconn.enter_pipeline_mode()
        before = []
        for unit in flight:
            for step, entry, wire in unit:
                before.append(link.queue(entry, step.statement.sql, wire))
            pgconn.pipeline_sync()
        yield from flush(pgconn)
        skips = iter(before)
        for unit in flight:
            answer = Answer()
            answers.append(answer)
            for step, entry, _ in unit:
                for left in range(next(skips), -1, -1):  # to what was sent before it, and to it
                    while pgconn.is_busy():
                        yield Wait.R
                        pgconn.consume_input()
                    result = pgconn.get_result()
                    if result is None:
                        raise psycopg.OperationalError(pgconn.get_error_message())
                    if result.status not in _DONE:
                        if left:
                            entry.ready = False
                        answer.note(step, result)
                    elif not left:
                        answer.results.append(result)
                    pgconn.get_result()  # the end of this command: None, which is there already
            yield from next_result(pgconn)  # the Sync
        pgconn.exit_pipeline_mode()
    except psycopg.OperationalError as error:
        raise _lost(link, str(error), answers) from None
    return answers


def flush(pgconn: Any) -> PQGen[None]:
    """Send what is queued, and take in what comes meanwhile."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def next_result(
    pgconn: Any, tick: Callable[[], object] | None = None
) -> PQGen[pq.abc.PGresult | None]:
    """Return the next result, or None: the end of those of a command.

    Args:
        pgconn: The connection.
        tick: Called when nothing came for a while; what is unsent then goes out meanwhile.
    """
    while pgconn.is_busy():
        if tick is None:
            yield Wait.R
        elif not (yield Wait.RW if pgconn.flush() else Wait.R):
            tick()
            continue
        pgconn.consume_input()
    result: pq.abc.PGresult | None = pgconn.get_result()
    return result


def _lost(link: Link, message: str, answers: list[Answer]) -> ConnectionLost:
    """Finish with a broken connection: read what the server said before it went."""
    from todo_sql.wire.statement import Step, WireStatement

    link.broken = True
    said = answers[0].failed if answers else None
    for _ in range(8):
        if said is not None:
            break
        try:
            result = link.pgconn.get_result()
        except psycopg.Error:
            break
        if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE):
            said = Failed(Step(WireStatement("")), ServerError.from_result(result))
    if said is None:
        return ConnectionLost(_first_line(message))
    begun = bool(answers and answers[0].results)
    hangs_up = not link.pooled and said.error.sqlstate in HANGING_UP
    return ConnectionLost(said.error.message, untouched=hangs_up and not begun)


def probe(link: Link) -> PQGen[bool]:
    """Say whether a pooler renames prepared statements, as one must that keeps them apart."""
    pgconn = link.pgconn
    name = f"todo_sql_probe_{secrets.token_hex(4)}".encode()
    try:
        pgconn.enter_pipeline_mode()
        pgconn.send_query_params(b"begin", None)
        pgconn.send_prepare(name, b"select 1")
        pgconn.send_query_params(
            b"select from pg_catalog.pg_prepared_statements where name = $1", [name]
        )
        pgconn.send_close_prepared(name)
        pgconn.send_query_params(b"commit", None)
        pgconn.pipeline_sync()
        results = []
        for _ in range(5):
            results.append((yield from next_result(pgconn)))
            yield from next_result(pgconn)
        yield from next_result(pgconn)
        pgconn.exit_pipeline_mode()
    except psycopg.OperationalError as error:
        link.broken = True
        raise ConnectionLost(_first_line(str(error))) from None
    if pgconn.transaction_status != pq.TransactionStatus.IDLE:
        link.broken = True
        return False
    seen = results[2]
    return seen is not None and seen.status == _TUPLES_OK and seen.ntuples == 0


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0] or "the connection was closed"


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
        return ConnectionLost(words or _first_line(str(error)), sqlstate=sqlstate)

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
                    raise ConnectionLost(_first_line(pgconn.get_error_message()))
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._syncs -= 1
            elif result.status == _ABORTED:
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
            raise ConnectionLost(_first_line(pgconn.get_error_message()))

    def _stream(self, tick: Callable[[], object]) -> PQGen[None]:
        """Send the rows; an error of ours, or of the watcher, has the server throw them away."""
        pgconn, rows = self._pgconn, self.commands[0].rows
        ended = False
        try:
            for chunk in rows() if rows else ():
                pgconn.put_copy_data(chunk)
                yield from self._send(tick)
            pgconn.put_copy_end()
            ended = True
            yield from self._send(tick)
        except psycopg.Error:
            raise
        except BaseException:
            if not ended:
                pgconn.put_copy_end(b"cancelled")
            raise

    def _send(self, tick: Callable[[], object]) -> PQGen[None]:
        pgconn = self._pgconn
        while pgconn.flush():
            ready = yield Wait.RW
            if not ready:
                tick()
            elif ready & Ready.R:
                pgconn.consume_input()


def rows_of(result: pq.abc.PGresult) -> list[tuple[str | None, ...]]:
    """Return the rows of a result as text; those of a huge one are of no interest."""
    if not result.nfields or result.ntuples > 100_000:
        return []
    rows = []
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        rows.append(tuple(None if value is None else value.decode() for value in values))
    return rows
