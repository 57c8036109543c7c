"""One flight: several statements sent at once in libpq's pipeline mode, their answers read.

`fly` serves sessions: a generator that says what it waits for, so that the same code serves
threads and tasks. Those of migrations are in `todo_sql.wire.flight`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from todo_sql.wire.call_errors import ServerError

if TYPE_CHECKING:
    from todo_sql.wire.connection import Link
    from todo_sql.wire.statement import Step

T = TypeVar("T")

_TUPLES_OK = pq.ExecStatus.TUPLES_OK
DONE = frozenset({_TUPLES_OK, pq.ExecStatus.COMMAND_OK})
# administrator command, idle session timeout
HANGING_UP = frozenset({"57P01", "57P05"})
ABORTED = pq.ExecStatus.PIPELINE_ABORTED


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
    """A statement got an error; those after it up to the next Sync were skipped."""

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
        """Note that a step has no result: the first to fail is told, those behind are skipped."""
        if result.status != ABORTED and self.failed is None:
            error = ServerError.from_result(result)
            if not error.sqlstate:
                raise psycopg.OperationalError(error.message)
            self.failed = Failed(step, error)

    def check(self) -> list[pq.abc.PGresult]:
        """Return the results; `Failed`: a step got an error."""
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
                    if result.status not in DONE:
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


def losing(link: Link, flying: PQGen[T]) -> PQGen[T]:
    """Do what libpq may fail at: whatever it says of the connection then is that it is lost."""
    try:
        return (yield from flying)
    except psycopg.OperationalError as error:
        link.broken = True
        raise ConnectionLost(first_line(str(error))) from None


def flush(pgconn: Any, tick: Callable[[], object] | None = None) -> PQGen[None]:
    """Send what is queued, and take in what comes meanwhile; tick when nothing goes or comes."""
    while pgconn.flush():
        ready = yield Wait.RW
        if tick is not None and not ready:
            tick()
        elif ready & Ready.R:
            pgconn.consume_input()


def next_result(
    pgconn: Any, tick: Callable[[], object] | None = None
) -> PQGen[pq.abc.PGresult | None]:
    """Return a command's next result, None at its end; tick when nothing comes."""
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
    link.broken = True
    said = answers[0].failed.error if answers and answers[0].failed else None
    for _ in range(8):
        if said is not None:
            break
        try:
            result = link.pgconn.get_result()
        except psycopg.Error:
            break
        if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE):
            said = ServerError.from_result(result)
    if said is None:
        return ConnectionLost(first_line(message))
    begun = bool(answers and answers[0].results)
    hangs_up = not link.pooled and said.sqlstate in HANGING_UP
    return ConnectionLost(said.message, untouched=hangs_up and not begun)


def probe(link: Link) -> PQGen[bool]:
    """Say whether a pooler renames prepared statements, as one must that keeps them apart."""
    pgconn = link.pgconn
    name = f"todo_sql_probe_{secrets.token_hex(4)}".encode()
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
    if pgconn.transaction_status != pq.TransactionStatus.IDLE:
        link.broken = True
        return False
    seen = results[2]
    return seen is not None and seen.status == _TUPLES_OK and seen.ntuples == 0


def first_line(message: str) -> str:
    """Return the first line of what libpq says."""
    return message.strip().partition("\n")[0] or "the connection was closed"
