"""A server's processes: its own count of sessions, and their sudden end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psycopg

_COUNT = (
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and backend_type = 'client backend' and pid <> pg_backend_pid()"
)


def kill_server(postmaster: int) -> None:
    """End every process of a server with SIGKILL, as a machine that loses power.

    What no process had handed to the operating system is gone.
    """
    os.kill(postmaster, signal.SIGSTOP)  # it must not see its children die, nor make new ones
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    pids = [postmaster, *map(int, children)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)


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
