"""Traffic on a table, and somebody who keeps a transaction open on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
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
def holding(url: str, table: str, seconds: float) -> Iterator[None]:
    """Read a table in a transaction that stays open for a while, with its snapshot."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute(f"select * from {table}".encode())
        timer = threading.Timer(seconds, connection.rollback)
        timer.start()
        yield
        timer.join()
