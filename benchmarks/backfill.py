"""A backfill of a large table, in batches beside one UPDATE: ``python benchmarks/backfill.py``.

Each fills a table of its own on a temporary server while somebody writes single rows to it, one
every millisecond. Told are the seconds, the longest wait of such a write, and the size of the
table before and after. At the end the rows are counted that were done twice, or never.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import psycopg

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator

MAKE = """
create table orders (
    id bigint primary key, a int not null, n int not null default 0, note text not null,
    touched int not null default 0
);
insert into orders (id, a, note)
select i, i % 1000, repeat('x', 60) from generate_series(1, {}) as i;
create index i_orders_a on orders (a);
"""
STATEMENT = "update orders set n = n + 1;\n"
FILES = {
    "one UPDATE": STATEMENT,
    "in batches": f"-- transactional: false\n-- batch: orders by id\n{STATEMENT}",
}


class Writer:
    """Writes single rows, and knows how long the slowest took."""

    def __init__(self, url: str, rows: int) -> None:
        self._url, self._rows = url, rows
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop.is_set():
                began = time.monotonic()
                key = random.randrange(1, self._rows + 1)
                connection.execute("update orders set touched = 1 where id = %s", (key,))
                self.seconds.append(time.monotonic() - began)
                self._stop.wait(0.001)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measure(version: int, rows: int, text: str) -> str:
    """Return what one way took, and what others felt of it."""
    with (
        temporary_server(version, in_memory=False) as server,
        tempfile.TemporaryDirectory() as name,
    ):
        url, folder = server.url("postgres"), Path(name)
        for id, forward in (
            ("20260101000000_make", MAKE.format(rows)),
            ("20260102000000_fill", text),
        ):
            (folder / f"{id}.sql").write_text(forward)
            (folder / f"{id}.rollback.sql").write_text("select 1;\n")
        Migrator(url, load(folder)).migrate(to="20260101000000")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze orders")
            size = "select pg_total_relation_size('orders') / 1048576"
            before = connection.execute(size).fetchone()
            with Writer(url, rows) as writer:
                began = time.monotonic()
                migrate(url, folder)
                took = time.monotonic() - began
            after = connection.execute(size).fetchone()
            wrong = connection.execute("select count(*) from orders where n <> 1").fetchone()
    assert before and after and wrong
    waits = sorted(writer.seconds)
    return (
        f"{took:6.0f} s, slowest of {len(waits):,} writes {waits[-1] * 1000:,.0f} ms, "
        f"p99 {waits[len(waits) * 99 // 100] * 1000:,.1f} ms, "
        f"table {before[0]:,} to {after[0]:,} MB, "
        f"rows not done exactly once: {wrong[0]}"
    )


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    for name, text in FILES.items():
        print(f"{name}: {measure(arguments.postgres, arguments.rows, text)}", flush=True)


if __name__ == "__main__":
    main()
