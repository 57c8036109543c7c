"""What goes over one connection: taken from a pool, flown, and left idle whatever happens.

Written once, as generators, for threads and for tasks (`todo_sql.wire.waiting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from psycopg import pq

from todo_sql.database.call import Call
from todo_sql.database.handshake import greet
from todo_sql.wire.call_errors import Closed, Timeout
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import Answer, ConnectionLost, Failed, fly
from todo_sql.wire.pool import Pool
from todo_sql.wire.residue import left_behind
from todo_sql.wire.statement import ROLLBACK, Step
from todo_sql.wire.waiting import DeadlinePassed, Fly, Work


class Exchange:
    """Sends flights over the connections of a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def acquire(self, calls: Sequence[Call], deadline: float) -> Work[Link]:
        """Take a connection that may serve these calls."""
        link = yield from self.pool.acquire(deadline)
        try:
            for call in calls:
                if not link.greeted or (call.role and call.role not in link.vetted):
                    yield from greet(link, call.settings if call.role else (), deadline)
        except BaseException:
            link.broken = True
            self.pool.release(link)
            raise
        return link

    def flight(
        self, link: Link, units: Sequence[Sequence[Step]], deadline: float, *, taints: bool = False
    ) -> Work[list[Answer]]:
        """Fly on a connection; whatever goes wrong, leave nothing running on the server.

        Args:
            deadline: On the monotonic clock.
            taints: Whether the connection is not clean from now on until `clear` says so.

        Raises:
            ConnectionLost: The connection broke.
            Timeout: The deadline passed; the server was told to cancel.
            Closed: The database was closed, and with it what was at work.
        """
        answers: list[Answer] = yield from self.on_link(
            link, Fly(link, fly(link, units, taints=taints), deadline)
        )
        if link.closing and any(answer.failed is not None for answer in answers):
            link.broken = True
            raise Closed("the database was closed during the call", cause="it was rolled back")
        return answers

    def on_link(self, link: Link, request: Fly) -> Work[Any]:
        """Drive something on a connection; see `flight`."""
        try:
            return (yield request)
        except DeadlinePassed:
            link.broken = True
            yield self.pool.cancel(link, "no answer in time")
            raise Timeout(
                "no answer in time",
                cause="the server was told to cancel; a change may have been made before that",
                fix="give the call more time, or see what it waits for in pg_stat_activity",
            ) from None
        except BaseException as error:
            if not link.broken and (
                link.pgconn.pipeline_status != pq.PipelineStatus.OFF
                or link.pgconn.transaction_status == pq.TransactionStatus.ACTIVE
            ):
                link.broken = True
                cancel = self.pool.cancel(link, f"interrupted by {type(error).__name__}")
                if isinstance(error, GeneratorExit):  # which must not be answered by a yield
                    cancel.now()
                else:
                    yield cancel
            raise

    def recover(
        self, link: Link, failed: Failed, deadline: float, resets: Sequence[Step] = ()
    ) -> Work[None]:
        """Leave a connection idle after a failed transaction; a rollback keeps some residue."""
        if failed.error.is_stale_plan:
            self.pool.outdate(link)
        if resets or link.pgconn.transaction_status == pq.TransactionStatus.INERROR:
            with suppress(ConnectionLost):
                unit = [ROLLBACK, *resets]
                (answer,) = yield from self.flight(link, [unit], min(deadline, monotonic() + 5.0))
                clear(link, resets, answer)


def clear(link: Link, resets: Sequence[Step], answer: Answer) -> None:
    """Let nothing of a statement reach the connection's next user; see `residue`.

    A reset that failed costs the connection and not the call, whose COMMIT was answered.
    """
    if answer.failed is not None and answer.failed.step in resets:
        answer.failed = None
        link.broken = True
    elif answer.failed is None and resets:
        link.tainted = left_behind(answer.results)
        link.broken = link.broken or link.tainted or link.steadied
