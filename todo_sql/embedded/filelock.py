"""An exclusive lock on a file, released by the operating system when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from todo_sql.errors import DatabaseError

POLL_SECONDS = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[None]:
    """Hold `path` locked against every other process and thread.

    Args:
        path: The lock file; it is created, and never removed.
        timeout: Seconds to wait for another holder.

    Raises:
        DatabaseError: Another process holds the lock for longer than `timeout`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"another process has held {path} for {timeout:.0f} seconds",
                    code="E106",
                    fix="wait for the other command, or end it, then try again",
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
