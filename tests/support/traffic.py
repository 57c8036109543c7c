"""Traffic on a table, and somebody who keeps a transaction open on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg


class Traffic:
    """A client that queries all the while, and remembers its longest wait.

    Attributes:
        longest: Seconds of the slowest query so far.
        count: Queries so far.
    """

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self.count = 0
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._query)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _query(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.is_set():
                began = time.monotonic()
                connection.execute("select id from t")
                self.longest = max(self.longest, time.monotonic() - began)
                self.count += 1
                time.sleep(0.01)


@contextmanager
def once(condition: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Act in a thread as soon as a condition holds, or after a minute."""

    def run() -> None:
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def holding(url: str, table: str, until: float | Callable[[], bool]) -> Iterator[None]:
    """Read a table in a transaction that stays open, with its snapshot.

    Args:
        url: Of the database.
        table: What to read.
        until: For how many seconds, or until this is true.
    """
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute(f"select * from {table}".encode())
        began = time.monotonic()

        def ends() -> bool:
            return until() if callable(until) else time.monotonic() - began > until

        with once(ends, connection.rollback):
            yield
