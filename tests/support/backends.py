"""The server's own count of sessions, which ends a moment after the client has closed."""

from __future__ import annotations

import time

import psycopg

_COUNT = (
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and backend_type = 'client backend' and pid <> pg_backend_pid()"
)


def backends_settle_at(expected: int, url: str, *, where: str = "true", within: float = 15) -> bool:
    """Tell whether the database of ``url`` comes to ``expected`` sessions beside the asking one.

    ``where`` is a condition on ``pg_stat_activity``; ``within`` is in seconds. A server
    process lives on for a moment after its client has gone: a count taken at once is a race.
    """
    end = time.monotonic() + within
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(f"{_COUNT} and {where}").fetchone()
            if row == (expected,):
                return True
            if time.monotonic() > end:
                print(f"{row} sessions, not {expected}")
                return False
            time.sleep(0.02)
