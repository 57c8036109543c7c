"""Reads on a replica, as fresh as the session's own writes; whatever fails goes to the primary."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from psycopg import pq

from todo_sql.database.errors import DatabaseError, Timeout
from todo_sql.database.flight import ConnectionLost, Failed
from todo_sql.database.freshness import FIRST_PAUSE, PATIENCE, REPLAYED, Freshness
from todo_sql.database.link import Link
from todo_sql.database.pool import Pool
from todo_sql.database.waiting import Pause, Work

if TYPE_CHECKING:
    from todo_sql.database.calls import Call
    from todo_sql.database.engine import Engine

T = TypeVar("T")

# How long a replica that failed is left alone.
REST = 2.0
# How long a connection to it may take.
CONNECT = 2.0


class Replica:
    """A replica of the primary.

    Args:
        pool: Connections to it.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._rests_until = 0.0

    def call(
        self,
        engine: Engine,
        call: Call,
        shape: Callable[[Link, Call, pq.abc.PGresult], T],
        freshness: Freshness,
        deadline: float,
    ) -> Work[tuple[T] | None]:
        """Make a call here; None: the primary has to.

        Raises:
            Timeout: The query took longer than it may.
        """
        now = monotonic()
        patience = min(deadline, now + PATIENCE)
        deadline = now + (deadline - now) / 2  # what is left is the primary's
        pause = FIRST_PAUSE
        while monotonic() >= self._rests_until:
            try:
                link = yield from engine.acquire((call,), min(deadline, now + CONNECT), self.pool)
            except DatabaseError:
                self._rest()
                return None
            try:
                found = yield from self._attempt(engine, link, call, freshness, deadline)
                if found is not None:
                    return (shape(link, call, found),)
            except ConnectionLost:
                self._rest()
            except Timeout:
                self._rest()
                return None
            except Failed as failed:
                if failed.error.sqlstate == "57014":
                    raise (yield from engine.explain(failed, call)) from None
                return None
            finally:
                self.pool.release(link)
            if monotonic() + pause > patience:
                break
            yield Pause(pause)
            pause *= 1.5
        return None

    def _rest(self) -> None:
        self._rests_until = monotonic() + REST

    def _attempt(
        self, engine: Engine, link: Link, call: Call, freshness: Freshness, deadline: float
    ) -> Work[pq.abc.PGresult | None]:
        """Return the result, or None if the replica is behind the session's last change."""
        asks = freshness.position > link.replayed
        unit = call.unit_on_replica(asks_position=asks)
        (answer,) = yield from engine.flight(link, [unit], deadline)
        if answer.failed is not None:
            yield from engine.recover(link, answer.failed, deadline)
        results = answer.check()
        if asks:
            rows = link.prepared(REPLAYED.statement).rows(results[-3], int, "position")
            # Null: no replica (any more), and so not behind one.
            link.replayed = freshness.position if rows[0] is None else rows[0]
            if link.replayed < freshness.position:
                return None
        return results[-2]
