"""Drive the generators of this package: on a thread, or on an event loop.

The work of a call is written once, as a generator that yields what it needs done: `Fly`,
`Pause`, and the requests of the pool. `run` does these blocking, `run_async` awaits them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from inspect import GEN_CLOSED, getgeneratorstate
from time import monotonic
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait, wait

from todo_sql.wire.connection import Link

T = TypeVar("T")

# How long a thread waits before Python may run the handler of a signal.
_SLICE = 0.2


class Request(Protocol):
    """Something that takes time, done on a thread or on an event loop."""

    def run(self) -> Any:
        """Do it, blocking."""

    async def run_async(self) -> Any:
        """Do it, awaiting."""


Work = Generator[Request, Any, T]


class DeadlinePassed(Exception):
    """The server did not answer in time."""


def run(work: Work[T]) -> T:
    """Do a piece of work on this thread.

    Whatever is raised, here or by a request, ends in the work, which puts things right.
    """
    outcome: Any = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                request = work.send(outcome) if failure is None else work.throw(failure)
                failure = None
                outcome = request.run()
            except BaseException as error:
                if getgeneratorstate(work) == GEN_CLOSED:
                    value: T = _ended(error)
                    return value
                failure = error
    finally:
        failure = None  # it knows this frame, as what the work caught does: circles that would
        work.close()  # keep the work, and its connection, until the garbage collector comes by


async def run_async(work: Work[T]) -> T:
    """Do a piece of work on the running event loop; see `run`."""
    outcome: Any = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                request = work.send(outcome) if failure is None else work.throw(failure)
                failure = None
                outcome = await request.run_async()
            except BaseException as error:
                if getgeneratorstate(work) == GEN_CLOSED:
                    value: T = _ended(error)
                    return value
                failure = error
    finally:
        failure = None  # it knows this frame, as what the work caught does: circles that would
        work.close()  # keep the work, and its connection, until the garbage collector comes by


def _ended(error: BaseException) -> Any:
    """Return what a piece of work returned, or raise what it raised."""
    if isinstance(error, StopIteration):
        return error.value
    raise error


@dataclass(slots=True, eq=False)
class Fly:
    """Drive a flight to its end, or to its deadline."""

    link: Link
    flying: PQGen[Any]
    deadline: float

    def run(self) -> Any:
        """Wait with what psycopg waits with on this platform."""
        flying = self.flying
        try:
            wanted = next(flying)
            fileno = self.link.pgconn.socket
            while True:
                left = self.deadline - monotonic()
                if left <= 0:
                    raise DeadlinePassed
                if ready := wait(_once(wanted), fileno, left if left < _SLICE else _SLICE):
                    wanted = flying.send(ready)
        except StopIteration as stop:
            return stop.value

    async def run_async(self) -> Any:
        """Wait on the event loop."""
        flying = self.flying
        try:
            wanted = next(flying)
        except StopIteration as stop:
            return stop.value
        line = _Line(self.link.pgconn.socket, self.deadline)
        try:
            while True:
                ready = await line.ready(wanted)
                if not ready:
                    raise DeadlinePassed
                wanted = flying.send(ready)
        except StopIteration as stop:
            return stop.value
        finally:
            line.close()


@dataclass(slots=True, eq=False)
class Pause:
    """Sleep."""

    seconds: float

    def run(self) -> None:
        """Sleep on this thread."""
        time.sleep(self.seconds)

    async def run_async(self) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(self.seconds)


@dataclass(slots=True, eq=False)
class Cancel:
    """Tell the server to stop what the connection is doing; a failure to do so is ignored."""

    link: Link

    def now(self) -> None:
        """Cancel where nothing can be waited for; blocks for a round trip."""
        with suppress(psycopg.Error, OSError):
            self.link.pgconn.get_cancel().cancel()

    def run(self) -> None:
        """Cancel, bounded."""
        with suppress(psycopg.Error, OSError):
            self.link.connection.cancel_safe(timeout=2.0)

    async def run_async(self) -> None:
        """Cancel, bounded."""
        connection: Any = self.link.connection
        with suppress(psycopg.Error, OSError):
            await connection.cancel_safe(timeout=2.0)


def _once(wanted: Wait) -> PQGen[int]:
    return (yield wanted)


class _Line:
    """A socket on an event loop, listened to until a deadline: then every wait ends empty."""

    __slots__ = ("_expired", "_fileno", "_future", "_loop", "_timer")

    def __init__(self, fileno: int, deadline: float) -> None:
        self._fileno = fileno
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[int] | None = None
        self._expired = False
        self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._expire)
        self._loop.add_reader(fileno, self._wake, int(Ready.R))

    async def ready(self, wanted: Wait) -> int:
        """Wait until the socket can be read, or written if that is wanted, or time is up."""
        if self._expired:
            return 0
        self._future = self._loop.create_future()
        if not wanted & Wait.W:
            return await self._future
        self._loop.add_writer(self._fileno, self._wake, int(Ready.W))
        try:
            return await self._future
        finally:
            self._loop.remove_writer(self._fileno)

    def close(self) -> None:
        """Stop listening."""
        self._timer.cancel()
        self._loop.remove_reader(self._fileno)

    def _wake(self, ready: int) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(ready)

    def _expire(self) -> None:
        self._expired = True
        self._wake(0)
