"""Looks at the server through a second connection while a migration takes long.

It is opened only when a flight is under way for a while. It sees whom the migration
waits for, and for how long the migration has kept others waiting: from the first ACCESS
EXCLUSIVE lock on a table that existed before, which is to say that this connection can
see it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from todo_sql.errors import TodoSqlError
from todo_sql.migrations.connection import Link, ask
from todo_sql.migrations.flight import TICK, Flight

_PATIENCE = 0.5  # seconds before the second connection is opened
_ANSWER = 2.0  # seconds for an answer there
_INTERVAL = 0.5  # seconds between two looks

_LOOK = """
select
    coalesce(pg_catalog.bool_or(
        l.granted
        and l.mode = 'AccessExclusiveLock'
        and l.locktype = 'relation'
        and exists (select from pg_catalog.pg_class as c where c.oid = l.relation)
    ), false),
    coalesce(pg_catalog.bool_or(not l.granted), false),
    (
        select pg_catalog.string_agg(
            pg_catalog.format(
                'pid %s (%s, role %s, %s)',
                a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.usename,
                case
                    when a.state = 'active' then 'at: ' || pg_catalog.left(a.query, 60)
                    else coalesce(a.state, 'at work') || ' since ' || coalesce(
                        pg_catalog.to_char(a.state_change at time zone 'utc', 'HH24:MI:SS UTC'),
                        'unknown'
                    )
                end
            ), ', '
        )
        from pg_catalog.pg_stat_activity as a
        where a.pid = any (pg_catalog.pg_blocking_pids({pid}))
    )
from pg_catalog.pg_locks as l
where l.pid = {pid}
"""


class HoldExceeded(Exception):
    """The migration has kept others waiting for longer than it may.

    Attributes:
        waiting: Whether it was itself waiting for another lock at the time.
    """

    def __init__(self, waiting: bool) -> None:
        super().__init__()
        self.waiting = waiting


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the server's locks showed.

    Attributes:
        holds: Whether we hold an exclusive lock on something that others can see.
        waits: Whether we wait for a lock.
        blocked_by: Who is in the way, in words, or None.
    """

    holds: bool
    waits: bool
    blocked_by: str | None


class Watcher:
    """Watches the flights of a link, several times a second at most.

    Args:
        link: The connection that is at work.
        max_hold: Longest time in seconds that an exclusive lock may be held; None: any.
    """

    def __init__(self, link: Link, max_hold: float | None = None) -> None:
        self._link = link
        self._max_hold = max_hold
        self._pid = link.target.backend
        self._connection: psycopg.Connection[Any] | None = None
        self._blind = False
        self._began = self._free_at = time.monotonic()
        self._held_since: float | None = None
        self._looked_at = 0.0
        patience = min(_PATIENCE, max_hold / 4) if max_hold else _PATIENCE
        self._patience = patience
        self._interval = min(_INTERVAL, patience)
        self.blocked_by: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def look(self, flight: Flight) -> None:
        """Look, if it is time to.

        Raises:
            HoldExceeded: The migration has to make way.
        """
        now = time.monotonic()
        if self._blind or now - self._began < self._patience:
            return
        hold_ends = self._max_hold is not None and (
            self._held_since is not None and now + TICK > self._held_since + self._max_hold
        )
        if now - self._looked_at < self._interval and not hold_ends:
            return
        self._looked_at = now
        seen = self._look()
        if seen is None:
            self._blind = True
            self.blocked_by = None
            return
        self.blocked_by = seen.blocked_by
        if not seen.holds:
            self._free_at = now
        elif self._held_since is None:
            self._held_since = self._free_at  # it was taken after that, we don't know when
        if hold_ends:
            raise HoldExceeded(seen.waits)

    def _look(self) -> Look | None:
        """Return what is to be seen, or None if there is no second connection to be had."""
        try:
            if self._connection is None:
                self._connection = self._link.second_connection()
            rows = ask(self._connection, _LOOK.format(pid=self._pid), _ANSWER)
        except (TodoSqlError, psycopg.Error):
            return None
        if not rows:
            return None
        holds, waits, blocked_by = rows[0]
        return Look(holds == "t", waits == "t", blocked_by)
