"""Reads on a replica, as fresh as the session's own writes; whatever fails goes to the primary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

from psycopg import pq

from todo_sql.database.call import Call
from todo_sql.database.exchange import Exchange
from todo_sql.database.scope import FIRST_PAUSE, PATIENCE, REPLAYED, Freshness
from todo_sql.logs import REPLICA
from todo_sql.wire.call_errors import DatabaseError, Timeout, Unavailable
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import ConnectionLost, Failed
from todo_sql.wire.pool import Pool
from todo_sql.wire.waiting import Pause, Work

T = TypeVar("T")

# How long a replica that failed is left alone.
REST = 2.0
# How long a connection to it may take.
CONNECT = 2.0


class Replica(Exchange):
    """A replica of the primary."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._rests_until = 0.0

    def read(
        self,
        calls: Sequence[Call],
        freshness: Freshness,
        deadline: float,
        use: Callable[[Link, list[pq.abc.PGresult]], T],
    ) -> Work[tuple[T] | None]:
        """Make read-only calls here, in one flight; None: the primary has to.

        Args:
            deadline: When the primary, if it has to, must have answered.
            use: Makes of the calls' results what the caller gets.

        Raises:
            Failed: A query took longer than it may.
        """
        now = monotonic()
        patience = min(deadline, now + PATIENCE)
        deadline = now + (deadline - now) / 2  # what is left is the primary's
        pause = FIRST_PAUSE
        while not self.rests:
            try:
                link = yield from self.acquire(calls, min(deadline, now + CONNECT))
            except DatabaseError as error:
                # Another error may quote a setting of the call.
                self._rest(error.message if isinstance(error, Unavailable) else error)
                return None
            try:
                results = yield from self._attempt(link, calls, freshness, deadline)
                if results is not None:
                    return (use(link, results),)
            except ConnectionLost as error:
                self._rest(error)
            except Timeout as error:
                self._rest(error)
                return None
            except Failed as failed:
                if failed.error.sqlstate == "57014":
                    raise
                return None
            finally:
                self.pool.release(link)
            if monotonic() + pause > patience:
                break
            yield Pause(pause)
            pause *= 1.5
        return None

    @property
    def rests(self) -> bool:
        """Whether it failed just now, and is left alone."""
        return monotonic() < self._rests_until

    def _rest(self, why: str | Exception) -> None:
        self._rests_until = monotonic() + REST
        said = why if isinstance(why, str) else type(why).__name__
        REPLICA.warning("left alone for %g s: %s", REST, said)

    def _attempt(
        self, link: Link, calls: Sequence[Call], freshness: Freshness, deadline: float
    ) -> Work[list[pq.abc.PGresult] | None]:
        """Return each call's result, or None if the replica is behind the session's last change."""
        asks = freshness.position > link.replayed
        units = [call.unit_on_replica(citus=link.citus, asks_position=asks) for call in calls]
        answers = yield from self.flight(link, units, deadline)
        for answer in answers:
            if answer.failed is not None:
                yield from self.recover(link, answer.failed, deadline)
                raise answer.failed
            if asks:
                rows = link.prepared(REPLAYED.statement).rows(answer.results[-3], int, "position")
                # Null: no replica (any more), and so not behind one.
                link.replayed = freshness.position if rows[0] is None else rows[0]
                if link.replayed < freshness.position:
                    return None
        return [answer.results[-2] for answer in answers]
