"""A table whose rows tell how often they were done, and a migration that does each in batches."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psycopg

from support import migrate_process
from support.backends import backends_settle_at
from support.migrations import Recorder, fetch, write
from todo_sql.migrations.batch_state import BatchState

TABLE, FILL = "20260101000000_orders", "20260102000000_fill"
OUTSIDE = "-- transactional: false\n"
ADD = "update orders set n = n + 1;\n"
SUBTRACT = "update orders set n = n - 1;\n"


def write_counted(
    folder: Path, rows: int, more: str = "", statement: str = ADD, back: str = SUBTRACT
) -> Path:
    """Write a table of rows that count, and a file that adds one to each; return its path.

    Args:
        folder: Where.
        rows: How many.
        more: Directives of the file.
        statement: It.
        back: That of the rollback.
    """
    write(
        folder,
        TABLE,
        "create table orders (id bigint primary key, n int not null default 0, region text);\n"
        f"insert into orders (id) select i from generate_series(1, {rows}) as i;\n",
        "drop table orders;",
    )
    head = f"{OUTSIDE}-- batch: orders by id\n"
    return write(folder, FILL, f"{head}{more}{statement}", f"{head}{back}")


def counts(url: str) -> dict[int, int]:
    """Return how many rows there are by how often they were done."""
    found = fetch(url, "select n || ':' || count(*) from orders group by n order by n")
    return {int(n): int(count) for n, count in (one.split(":") for one in found)}


def kill_in_batches(url: str, folder: Path, whom: Literal["migrator", "backend"]) -> int:
    """SIGKILL a migrator, or its backend, at a random moment of its batches.

    A backend that dies so takes the server's other processes with it; they are waited for.

    Returns:
        How many rows were done by then.
    """
    process = migrate_process.spawn(url, folder)
    migrate_process.go(process)
    mine = "from pg_stat_activity where application_name = 'todo-sql migrate'"
    done = _done(url)
    while _done(url) == done and process.poll() is None:  # its first batch
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.15))
    if whom == "migrator":
        process.kill()
    else:
        for pid in fetch(url, f"select pid {mine} and datname = current_database()"):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=120)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            if backends_settle_at(0, url):
                break
        time.sleep(0.1)
    assert set(counts(url)) <= {0, 1}
    return _done(url)


def _done(url: str) -> int:
    return counts(url).get(1, 0)


class Batches(Recorder):
    """Keeps the states after each batch, and may stop a run after some."""

    def __init__(self, stop: int | None = None) -> None:
        super().__init__()
        self.states: list[BatchState] = []
        self.stop = stop

    def batched(self, state: BatchState) -> None:
        """Keep it; stop as Ctrl-C does."""
        self.states.append(state)
        if self.stop is not None and len(self.states) >= self.stop:
            raise KeyboardInterrupt
