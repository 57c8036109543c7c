"""A small pool of connections, opened lazily, each by the call that first needs it.

No thread or task works behind the caller's back: so the error of a failed connection
reaches the call that wanted it, a fork or a frozen function leaves nothing behind, and a
pool that is not used costs nothing. Serves threads and tasks alike.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any
from weakref import WeakSet, finalize

import psycopg

from todo_sql.logs import CANCEL, RETRY
from todo_sql.wire import retry
from todo_sql.wire.call_errors import Closed, Timeout, Unavailable
from todo_sql.wire.connection import AnyConnection, Link
from todo_sql.wire.limits import Limits, PoolStats
from todo_sql.wire.pipeline import ConnectionLost, fly
from todo_sql.wire.waiting import Cancel, DeadlinePassed, Fly, Pause, Work

# An idle connection is asked for a sign of life only after this long.
QUIET = 60.0
# How long a server that does not answer is tried again, within the call's deadline.
PATIENCE = 5.0


class Connect:
    """Open a connection, on a thread or on an event loop."""

    __slots__ = ("options",)

    def __init__(self, conninfo: dict[str, Any], deadline: float) -> None:
        wanted = float(conninfo.get("connect_timeout", 10))
        seconds = max(1, round(min(wanted, deadline - monotonic())))
        self.options = {**conninfo, "connect_timeout": seconds, "autocommit": True}

    def run(self) -> AnyConnection:
        """Connect, blocking."""
        return psycopg.Connection.connect(**self.options)

    async def run_async(self) -> AnyConnection:
        """Connect, awaiting."""
        return await psycopg.AsyncConnection.connect(**self.options)


class Vacancy:
    """The right to open a connection: it counts as one for as long as somebody holds it."""

    __slots__ = ("__weakref__",)


class Slot:
    """A place in the queue for something that another caller hands over."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.granted = False
        self.refused = False
        self.gift: Link | Vacancy | None = None
        self._wake: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def grant(self, gift: Link | Vacancy | None = None) -> None:
        """Hand over a connection or the right to open one; with none, wake only."""
        with self._lock:
            self.granted, self.gift = True, gift
            if self._wake:
                with suppress(RuntimeError):  # the event loop of who waited is closed
                    self._wake()

    def run(self) -> bool:
        """Wait, blocking; return whether something came in time."""
        event = threading.Event()
        if not self._came(event.set):
            event.wait(max(0.0, self.deadline - monotonic()))
        return self.granted

    async def run_async(self) -> bool:
        """Wait, awaiting; return whether something came in time."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        if not self._came(lambda: loop.call_soon_threadsafe(event.set)):
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), max(0.0, self.deadline - monotonic()))
        return self.granted

    def _came(self, wake: Callable[[], object]) -> bool:
        with self._lock:
            self._wake = wake
            return self.granted


class Pool:
    """Connections to one server.

    Args:
        shown: How messages name the server, without secrets.
        patience: Seconds for which a server that does not answer is tried again.
    """

    def __init__(
        self, conninfo: dict[str, Any], limits: Limits, shown: str, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._conninfo = conninfo
        self._limits = limits
        self._shown = shown
        self._closed = False
        self._inherited: list[Any] = []
        self._reset()

    def __repr__(self) -> str:
        return f"Pool({self._shown})"

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        # Weak: what an exception took out of everybody's hands counts no longer.
        self._links: WeakSet[Link] = WeakSet()
        self._opening: WeakSet[Vacancy] = WeakSet()
        self._waiting: deque[Slot] = deque()
        self._drained: Slot | None = None
        self._opened = self._waits = self.retries = self.cancels = 0
        self._waited = 0.0

    @property
    def _total(self) -> int:
        return len(self._links) + len(self._opening)

    def stats(self) -> PoolStats:
        """Return the sizes, and what was counted."""
        with self._lock:
            now = self._limits.max_size, self._total, len(self._idle), len(self._waiting)
            return PoolStats(*now, self._opened, self._waits, self._waited)

    def retry(self, attempt: int, what: str) -> Pause:
        """Count and tell that something is tried again; return the pause before it."""
        pause = Pause(retry.pause(attempt))
        with self._lock:
            self.retries += 1
        RETRY.info("attempt %d in %.2f s: %s", attempt + 1, pause.seconds, what)
        return pause

    def cancel(self, link: Link, why: str) -> Cancel:
        """Count and tell that the server is to stop; return what tells it."""
        with self._lock:
            self.cancels += 1
        CANCEL.warning("backend %d is told to stop: %s", link.pgconn.backend_pid, why)
        return Cancel(link)

    def outdate(self, link: Link) -> None:
        """Let every connection prepare anew: the server said on `link` that the schema changed."""
        link.forget()
        with self._lock:
            for other in self._links:
                if other in self._idle:
                    other.forget()
                else:
                    other.outdated = other is not link

    # -- taking and giving back ---------------------------------------------------------

    def acquire(self, deadline: float) -> Work[Link]:
        """Return a connection that the server has not hung up on.

        Raises:
            Closed: The pool is closed.
            Timeout: Every connection stayed in use until the deadline.
            Unavailable: No connection could be opened.
        """
        while True:
            taken = self._take(deadline)
            if isinstance(taken, Slot):
                taken = yield from self._queue(taken)
            if isinstance(taken, Vacancy):
                return (yield from self._open(taken, deadline))
            if monotonic() - taken.used < QUIET or (yield from self._responds(taken, deadline)):
                return taken
            self.release(taken)

    def _take(self, deadline: float) -> Link | Slot | Vacancy:
        """Take an idle connection, or the right to open one, or a place in the queue."""
        if self._pid != os.getpid():  # after a fork the connections are the parent's
            self._inherited.append(self._idle)
            self._reset()
        with self._lock:
            if self._closed:
                raise Closed("the database is closed", fix="open it with `with` or `.open()`")
            now = monotonic()
            while self._idle:
                link = self._idle.pop()
                if now < link.expires and link.alive():
                    return link
                self._end(link)
            if self._total < self._limits.max_size:
                return self._place()
            slot = Slot(deadline)
            self._waiting.append(slot)
            return slot

    def _place(self) -> Vacancy:
        place = Vacancy()
        self._opening.add(place)
        return place

    def _queue(self, slot: Slot) -> Work[Link | Vacancy]:
        began = monotonic()
        try:
            granted = yield slot
        except BaseException:
            self._withdraw(slot)
            raise
        finally:
            with self._lock:
                self._waits += 1
                self._waited += monotonic() - began
        if not granted:
            self._withdraw(slot)
            raise Timeout(
                f"all {self._limits.max_size} connections stayed in use",
                cause="the deadline passed while waiting for one",
                fix="raise max_size, shorten transactions, or make fewer calls at once",
            )
        if slot.refused:
            raise Closed("the database was closed while waiting for a connection")
        assert slot.gift is not None
        return slot.gift

    def _withdraw(self, slot: Slot) -> None:
        """Leave the queue; what was handed over meanwhile goes to the next."""
        with self._lock:
            if slot in self._waiting:
                self._waiting.remove(slot)
                return
        if isinstance(slot.gift, Link):
            self.release(slot.gift)
        elif slot.gift is not None:
            self._give_up(slot.gift)

    def _open(self, place: Vacancy, deadline: float) -> Work[Link]:
        try:
            connection = yield from self.connect(deadline)
        except BaseException:
            self._give_up(place)
            raise
        link = Link(connection, self._limits.max_lifetime * random.uniform(0.9, 1.1))
        finalize(link, self._lost).atexit = False
        with self._lock:
            self._links.add(link)
            self._opening.discard(place)
            self._opened += 1
        return link

    def connect(self, deadline: float) -> Work[AnyConnection]:
        """Open a connection that is not one of the pool, while the server may yet answer."""
        patience = min(deadline, monotonic() + self._patience)
        attempt = 1
        while True:
            try:
                connection: AnyConnection = yield Connect(self._conninfo, deadline)
                return connection
            except psycopg.OperationalError as error:
                reason = _reason(error)
                if not retry.may_pass(reason) or monotonic() + retry.longest(attempt) > patience:
                    raise Unavailable(
                        f"cannot connect to {self._shown}: {reason}",
                        sqlstate=error.sqlstate,
                        cause=f"{attempt} attempts" if attempt > 1 else None,
                        fix="check the URL, and that the server runs and lets you in",
                    ) from None
            yield self.retry(attempt, f"cannot connect to {self._shown}: {reason}")
            attempt += 1

    def _responds(self, link: Link, deadline: float) -> Work[bool]:
        try:
            yield Fly(link, fly(link, [[]]), min(deadline, monotonic() + 5.0))
        except (ConnectionLost, DeadlinePassed):
            link.broken = True
        except BaseException:
            link.broken = True
            self.release(link)
            raise
        return not link.broken

    def release(self, link: Link) -> None:
        """Give a connection back; a broken one is closed."""
        if link.pid != os.getpid():
            return
        with self._lock:
            now = monotonic()
            if link.outdated:
                link.forget()
            if not link.is_clean or self._closed or now > link.expires:
                self._end(link)
                self._hand_on_place()
                return
            link.used = now
            if self._waiting:
                self._waiting.popleft().grant(link)
                return
            self._idle.append(link)
            limits = self._limits
            while now - self._idle[0].used > limits.max_idle and self._total > limits.min_size:
                self._end(self._idle.pop(0))

    def _end(self, link: Link) -> None:
        self._links.discard(link)
        link.close()

    def _give_up(self, place: Vacancy) -> None:
        with self._lock:
            self._opening.discard(place)
            self._hand_on_place()

    def _lost(self) -> None:
        """Let the next in the queue have the place of a connection that nobody holds."""
        if self._lock.acquire(blocking=False):  # whoever has it hands on by itself
            try:
                if self._pid == os.getpid() and self._total < self._limits.max_size:
                    self._hand_on_place()
            finally:
                self._lock.release()

    def _hand_on_place(self) -> None:
        """Let the next in the queue open the connection that is one fewer now."""
        if self._waiting and not self._closed:
            self._waiting.popleft().grant(self._place())
        elif self._drained and not self._total:
            self._drained.grant()

    # -- closing ------------------------------------------------------------

    def close(self, timeout: float) -> Work[None]:
        """Refuse new work, wait for the work in hand, close every connection."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._end(self._idle.pop())
            waiting, self._waiting = self._waiting, deque()
            for slot in waiting:
                slot.refused = True
                slot.grant()
            self._drained = drained = Slot(monotonic() + timeout)
            if not self._total:
                return
        if not (yield drained):
            for link in list(self._links):
                link.closing = True
                yield self.cancel(link, "the database is closed")
                link.hang_up()


def _reason(error: psycopg.Error) -> str:
    """Return libpq's last line on why a connection failed; it never holds the password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if "failed" in line or "FATAL" in line), "")
    return (reason or (lines[-1] if lines else "no answer")).removeprefix("- ")
