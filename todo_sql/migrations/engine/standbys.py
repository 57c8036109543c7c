"""Waits while a standby is too far behind the batches of a statement."""

from __future__ import annotations

import time

from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.progress import Events
from todo_sql.queries.own import bound
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import FlightCommand

_FIRST, _LONGEST = 0.1, 2.0  # seconds between two looks


class Throttle:
    """Keeps the standbys of a server from falling behind.

    Args:
        link: To the primary.
        max_lag: How many bytes a standby may be behind; None: any.
        events: Is told what is waited for.
    """

    def __init__(self, link: MigrationLink, max_lag: int | None, events: Events) -> None:
        self._link = link
        self._max_lag = max_lag
        self._events = events

    def wait(self) -> None:
        """Wait until every standby is near enough; where that is not to be seen, say so once."""
        pause = _FIRST
        while self._max_lag is not None:
            text, _ = bound(__package__, "standbys")
            looking = [FlightCommand(SAFE_LOCALLY), FlightCommand(text)]
            seen, behind = self._link.fly(looking)[1].rows[0]
            if seen != "t":
                self._max_lag = None
                self._events.note(
                    f"warning: `max-lag` is not kept: role {self._link.target.role} does not see "
                    "how far the standbys are; grant it pg_monitor"
                )
                return
            if behind is None or float(behind) <= self._max_lag:
                return
            self._events.waiting(f"a standby is more than {_size(self._max_lag)} behind")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST)


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"
