"""Whose turn it is: the calls of a transaction are made one after the other.

Threads and tasks that share it wait for each other. Whoever is in the middle of a call and comes
back (a listener, the rows of a COPY, a validator, a signal handler) would wait for itself: an
error at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from todo_sql.errors import UsageError


class Turn:
    """A lock that knows who holds it.

    Args:
        lock: Taken first, as in ``with turn.lock, turn:``.
        me: Returns who asks: a thread or a task.
    """

    def __init__(self, lock: Any, me: Callable[[], object]) -> None:
        self.lock = lock
        self._me = me
        self._holder: object = None

    @classmethod
    def of_threads(cls) -> Turn:
        """Return a turn that threads take."""
        return cls(threading.Lock(), threading.get_ident)

    @classmethod
    def of_tasks(cls) -> Turn:
        """Return a turn that tasks take."""
        return cls(asyncio.Lock(), asyncio.current_task)

    def check(self) -> None:
        """Refuse whoever would wait for itself.

        Raises:
            UsageError: It is this thread's or task's turn already.
        """
        if self._holder is not None and self._holder == self._me() and self.lock.locked():
            raise UsageError(
                "the transaction is in the middle of a call",
                code="D233",
                cause="something that this call runs (a listener, the rows of a COPY, a validator, "
                "a signal handler) uses the transaction again, and would wait for itself",
                fix="do it behind the call, or in a session or transaction of its own",
            )

    def __enter__(self) -> None:
        """Say that the lock is held by whoever is asking."""
        self._holder = self._me()

    def __exit__(self, *_: object) -> None:
        """Say that nobody holds the lock; it is about to be released."""
        self._holder = None
