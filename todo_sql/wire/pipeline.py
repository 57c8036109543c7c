"""One flight: several statements sent at once, their answers read together.

A generator that says what it waits for, so that the same code serves threads and tasks.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.waiting import Ready, Wait

from todo_sql.wire.call_errors import ServerError
from todo_sql.wire.connection import Link
from todo_sql.wire.statement import Statement, Step

_TUPLES_OK = pq.ExecStatus.TUPLES_OK
_COMMAND_OK = pq.ExecStatus.COMMAND_OK
_NOTHING = Statement("")
# administrator command, idle session timeout
HANGING_UP = frozenset({"57P01", "57P05"})
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED


class ConnectionLost(Exception):
    """The connection broke before every answer was read.

    Attributes:
        untouched: Whether the server is known to have done nothing of the flight: it said
            that it hangs up, and an answer to BEGIN would stand before that.
    """

    def __init__(self, message: str, *, untouched: bool = False) -> None:
        super().__init__(message)
        self.untouched = untouched


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

    def check(self) -> list[pq.abc.PGresult]:
        """Return the results.

        Raises:
            Failed: A step got an error.
        """
        if self.failed is not None:
            raise self.failed
        return self.results


def fly(link: Link, units: Sequence[Sequence[Step]]) -> Generator[Wait, Ready, list[Answer]]:
    """Send every unit, each ended by a Sync, and return the answer of each.

    An error in one unit leaves the next untouched. Nothing is sent before every value
    of every step was found to fit.

    Raises:
        BadParameter: A value does not fit; nothing was sent.
        ConnectionLost: The connection broke.
    """
    encoded = [
        [(step, link.prepared(step.statement).encoder.encode(step.values)) for step in unit]
        for unit in units
    ]
    pgconn = link.pgconn
    answers: list[Answer] = []
    try:
        pgconn.enter_pipeline_mode()
        before = []
        for unit in encoded:
            for step, wire in unit:
                before.append(link.queue(step, wire))
            pgconn.pipeline_sync()
        while pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                pgconn.consume_input()
        skips = iter(before)
        for unit in encoded:
            answer = Answer()
            answers.append(answer)
            for step, _ in unit:
                yield from _collect(link, step, next(skips), answer)
            yield from _next(pgconn)  # the Sync
        pgconn.exit_pipeline_mode()
    except psycopg.OperationalError as error:
        raise _lost(link, str(error), answers) from None
    return answers


def _collect(link: Link, step: Step, before: int, answer: Answer) -> Generator[Wait, Ready, None]:
    """Read the answers of one step: what was sent before it, then its own."""
    pgconn = link.pgconn
    for index in range(before + 1):
        result = yield from _next(pgconn)
        if result is None:
            raise psycopg.OperationalError(pgconn.get_error_message())
        status = result.status
        if status in (_TUPLES_OK, _COMMAND_OK):
            if index == before:
                answer.results.append(result)
        else:
            if index < before:
                link.prepared(step.statement).ready = False
            if status != _ABORTED and answer.failed is None:
                error = ServerError.from_result(result)
                if not error.sqlstate:
                    raise psycopg.OperationalError(error.message)
                answer.failed = Failed(step, error)
        yield from _next(pgconn)  # the end of this command


def _next(pgconn: Any) -> Generator[Wait, Ready, pq.abc.PGresult | None]:
    while pgconn.is_busy():
        yield Wait.R
        pgconn.consume_input()
    result: pq.abc.PGresult | None = pgconn.get_result()
    return result


def _lost(link: Link, message: str, answers: list[Answer]) -> ConnectionLost:
    """Finish with a broken connection: read what the server said before it went."""
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
            said = Failed(Step(_NOTHING), ServerError.from_result(result))
    if said is None:
        return ConnectionLost(_first_line(message))
    begun = bool(answers and answers[0].results)
    hangs_up = not link.pooled and said.error.sqlstate in HANGING_UP
    return ConnectionLost(said.error.message, untouched=hangs_up and not begun)


def probe(link: Link) -> Generator[Wait, Ready, bool]:
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
            results.append((yield from _next(pgconn)))
            yield from _next(pgconn)
        yield from _next(pgconn)
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
