"""Sends commands to the server in one flight and reads the answers as they are made.

A flight is libpq's pipeline mode driven by hand: a Flush stands before and after each
statement of a migration, so that one knows which is at work, and nowhere else, since each
answer that comes by itself wakes us. A Sync ends the flight, or a command that says so.
While the server works, a watcher is called several times a second.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, pq
from psycopg.errors import error_from_result

TICK = 0.2
_DRAIN = 15.0  # seconds that a cancelled flight has to land

_GOOD = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY}


@dataclass(frozen=True, slots=True)
class Command:
    """One statement with its ``$n`` parameters as text.

    Attributes:
        sync: Whether its transaction ends here when none was begun, and an error with it.
        statement: Its number among the statements of a migration, or None for one of ours.
    """

    sql: str
    parameters: tuple[str | None, ...] = ()
    sync: bool = False
    statement: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one command: rows of text, or an error."""

    rows: list[tuple[str | None, ...]]
    error: psycopg.Error | None = None
    skipped: bool = False


class ConnectionLost(psycopg.OperationalError):
    """The connection broke while commands were under way: what became of them is unknown."""


class Flight:
    """Commands under way on a connection.

    Attributes:
        answers: One for each command answered so far, in order.
    """

    def __init__(
        self,
        connection: Connection[Any],
        commands: Sequence[Command],
        watch: Callable[[Flight], None] | None = None,
    ) -> None:
        self.commands = commands
        self.answers: list[Answer] = []
        self._connection = connection
        self._pgconn = connection.pgconn
        self._watch = watch
        self._syncs = sum(command.sync for command in commands[:-1]) + 1

    @property
    def at_work(self) -> Command | None:
        """The command that the server is at, or None when all are answered."""
        index = len(self.answers)
        return self.commands[index] if index < len(self.commands) else None

    def fly(self) -> list[Answer]:
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
            self._read(None)
        except psycopg.OperationalError as error:
            self._connection.close()
            raise ConnectionLost(self._last_words(error)) from None
        except BaseException:
            self._cancel(sent)
            raise
        if self._pgconn.status == pq.ConnStatus.OK:
            self._pgconn.exit_pipeline_mode()
            self._pgconn.nonblocking = 0
        return self.answers

    def _last_words(self, error: Exception) -> str:
        """Return what the server said before it hung up, else what libpq says of it."""
        errors = [answer.error for answer in self.answers if answer.error]
        said = [error for error in errors if (error.sqlstate or "").startswith("57P")]
        words = said[-1].diag.message_primary if said else None
        return words or str(error).strip().split("\n", 1)[0]

    def _enqueue(self) -> None:
        pgconn = self._pgconn
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        last = len(self.commands) - 1
        for index, command in enumerate(self.commands):
            values = [None if p is None else p.encode() for p in command.parameters]
            pgconn.send_query_params(command.sql.encode(), values)
            if command.sync or index == last:
                pgconn.pipeline_sync()
            elif any(c.statement is not None for c in self.commands[index : index + 2]):
                pgconn.send_flush_request()

    def _read(self, deadline: float | None) -> None:
        pgconn = self._pgconn
        while self._syncs:
            unsent = pgconn.flush()
            if self._take_available():
                continue
            writing = [pgconn.socket] if unsent else []
            readable, _, _ = select.select([pgconn.socket], writing, [], TICK)
            if readable:
                pgconn.consume_input()
                self._check()
            elif deadline is not None:
                if time.monotonic() > deadline:
                    raise ConnectionLost("the server did not answer the cancel request")
            elif self._watch:
                self._watch(self)

    def _take_available(self) -> bool:
        """Take the answers that have arrived; tell whether there were any."""
        taken = False
        while self._syncs and not self._pgconn.is_busy():
            result = self._pgconn.get_result()
            taken = True
            if result is None:
                self._check()
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._syncs -= 1
            elif result.status == pq.ExecStatus.PIPELINE_ABORTED:
                self.answers.append(Answer([], skipped=True))
            elif result.status in _GOOD:
                self.answers.append(Answer(rows_of(result)))
            elif self._pgconn.status == pq.ConnStatus.BAD:
                raise error_from_result(result)
            else:
                self.answers.append(Answer([], error_from_result(result)))
        return taken

    def _check(self) -> None:
        if self._pgconn.status == pq.ConnStatus.BAD:
            message = self._pgconn.get_error_message().strip() or "the connection was lost"
            raise ConnectionLost(message)

    def _cancel(self, sent: bool) -> None:
        """Cancel the command at work and read to the end of the flight."""
        if not sent:
            self._connection.close()
            return
        try:
            self._connection.cancel_safe(timeout=5)
            self._read(time.monotonic() + _DRAIN)
            self._pgconn.exit_pipeline_mode()
            self._pgconn.nonblocking = 0
        except psycopg.Error:
            self._connection.close()


def rows_of(result: pq.abc.PGresult) -> list[tuple[str | None, ...]]:
    """Return the rows of a result as text; those of a huge one are of no interest."""
    if not result.nfields or result.ntuples > 100_000:
        return []
    rows = []
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        rows.append(tuple(None if value is None else value.decode() for value in values))
    return rows
