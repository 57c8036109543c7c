"""`db.listen`: notifications on a connection of their own, which is opened again when it breaks.

PostgreSQL keeps no notification for who is away: so after each break every channel gets one
that says `missed`, whereupon the application reads the tables that it is told about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Self

from psycopg.abc import PQGen
from psycopg.waiting import Wait

from todo_sql.errors import UsageError
from todo_sql.wire.call_errors import Unavailable, translate
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import ConnectionLost, Failed, fly, losing
from todo_sql.wire.pool import Pool
from todo_sql.wire.retry import may_pass
from todo_sql.wire.statement import BEGIN, Step, WireStatement
from todo_sql.wire.waiting import DeadlinePassed, Fly, Work, run, run_async

# A connection that was silent for so long is asked whether its server is still there.
_QUIET = 30.0
_ANSWER = 5.0
_CONNECT = 10.0
# How long a pooler may let another client wait, and how many show how it lends.
_PATIENCE = 2.0
_OTHERS = 3
_MOST_BYTES = 63
_WHO = WireStatement("select pg_catalog.pg_backend_pid() as pid", label="greeting", once=True)


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody sent by ``notify`` or ``pg_notify``.

    Attributes:
        channel: Where it was sent.
        payload: What was sent with it; may be empty.
        pid: The backend that sent it; 0 where `missed`.
        missed: Whether the connection was away, so that others may have been lost.
    """

    channel: str
    payload: str
    pid: int
    missed: bool = False


class _Ear:
    """A connection that listens, opened anew when it breaks.

    Args:
        pool: Says where to connect; none of its connections is used.
        channels: Their names, as they are; quoted by us.
        timeout: Seconds without a notification after which there are no more; None: never.
    """

    def __init__(self, pool: Pool, channels: Sequence[str], timeout: float | None) -> None:
        for channel in channels or ("",):
            if not 0 < len(channel.encode()) <= _MOST_BYTES or "\0" in channel:
                raise UsageError(
                    f"`{channel}` is no channel",
                    cause=f"a channel's name has 1 to {_MOST_BYTES} bytes",
                    fix='name at least one, as in db.listen("tasks")',
                )
        self._pool = pool
        self._channels = tuple(dict.fromkeys(channels))
        self._timeout = timeout
        self._link: Link | None = None
        self._heard: deque[Notification] = deque()
        self._ended = self._begun = self._entered = False

    def open(self) -> Work[None]:
        """Begin to listen: what is sent from now on is heard.

        Raises:
            Unavailable: The database cannot be reached.
            UsageError: A pooler stands before it that lends connections by transaction.
        """
        self._begun = True
        link = Link((yield from self._pool.connect(monotonic() + _CONNECT)))
        try:
            backend = yield from _backend(link)
            if backend != link.pgconn.backend_pid and (yield from self._lends(link, backend)):
                raise UsageError(
                    "a pooler in transaction mode stands before the database, and keeps "
                    "notifications from us",
                    cause="it gives the server's connection to others between two transactions",
                    fix="call `listen` on a Database with the server's own URL, or with that of "
                    "a pool in session mode",
                )
            names = [name.replace('"', '""') for name in self._channels]
            steps = [Step(WireStatement(f'listen "{name}"', once=True)) for name in names]
            (answer,) = yield Fly(link, fly(link, [steps]), monotonic() + _ANSWER)
            answer.check()
        except BaseException as error:
            link.close()
            if isinstance(error, Failed):
                raise translate(error.error) from None
            if isinstance(error, (ConnectionLost, DeadlinePassed)):
                raise Unavailable(f"the connection broke: {error}", fix="try again") from None
            raise
        self._link = link

    def _lends(self, link: Link, backend: int) -> Work[bool]:
        """Say whether the pooler lends the server's connections by transaction.

        It does where another client is served by our backend, or we are by another one while
        others are busy. In session mode neither is: a small pool may keep others waiting.
        """
        others: list[Link] = []
        try:
            for _ in range(_OTHERS):
                others.append(Link((yield from self._pool.connect(monotonic() + _PATIENCE))))
                if (yield from _backend(others[-1], BEGIN)) == backend:
                    return True
                if (yield from _backend(link)) != backend:
                    return True
        except (ConnectionLost, DeadlinePassed, Unavailable):
            pass
        finally:
            for other in others:
                other.close()
        return False

    def next(self) -> Work[Notification | None]:
        """Return the next notification; None: there are no more."""
        until = None if self._timeout is None else monotonic() + self._timeout
        attempt = 1
        while not self._heard:
            if self._ended or (until is not None and monotonic() >= until):
                return None
            try:
                if self._link is None:
                    yield from self.open()
                    self._heard += [Notification(name, "", 0, True) for name in self._channels]
                    break
                yield from self._hear(self._link, until)
                attempt = 1
            except ConnectionLost as lost:
                self.close()
                if self._ended:
                    return None
                yield self._pool.retry(attempt, f"listening: {lost}")
            except Unavailable as away:
                if not may_pass(away.message):
                    raise
                yield self._pool.retry(attempt, f"listening: {away.message}")
            attempt = min(attempt + 1, 8)
        return self._heard.popleft()

    def _hear(self, link: Link, until: float | None) -> Work[None]:
        """Wait for notifications, for a while; make sure that the server is there."""
        quiet = monotonic() + _QUIET
        try:
            heard = losing(link, _notified(link))
            self._heard += yield Fly(link, heard, min(quiet, until or quiet))
        except DeadlinePassed:
            if until is not None and monotonic() >= until:
                return
            try:
                yield Fly(link, fly(link, [[]]), monotonic() + _ANSWER)
            except DeadlinePassed:
                raise ConnectionLost("no sign of life") from None
        except BaseException as error:
            if not isinstance(error, ConnectionLost):
                self.close()
            raise

    def close(self) -> None:
        """Hang up; the next notification is heard on a new connection."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def end(self) -> None:
        """Let whoever waits for a notification know that there are no more."""
        self._ended = True
        if self._link is not None:
            self._link.hang_up()


def _backend(link: Link, *before: Step) -> Work[int]:
    """Return which backend a client is served by."""
    flying = fly(link, [[*before, Step(_WHO)]])
    (answer,) = yield Fly(link, flying, monotonic() + _PATIENCE)
    return int(answer.check()[-1].get_value(0, 0) or 0)


def _notified(link: Link) -> PQGen[list[Notification]]:
    """Return what was sent since the last time; waits until something is."""
    found: list[Notification] = []
    while True:
        link.pgconn.consume_input()
        while (sent := link.pgconn.notifies()) is not None:
            found.append(Notification(sent.relname.decode(), sent.extra.decode(), sent.be_pid))
        if found:
            return found
        yield Wait.R


class Notifications(_Ear):
    """The notifications of some channels, to be iterated; a ``with`` block closes its connection.

    Without one, listening begins with the first and ends with the iteration.
    """

    def __enter__(self) -> Self:
        run(self.open())
        self._entered = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Notification]:
        if not self._begun:
            run(self.open())
        try:
            while (found := run(self.next())) is not None:
                yield found
        finally:
            if not self._entered:
                self.close()
                self._begun = False


class AsyncNotifications(_Ear):
    """The notifications of some channels, for ``async for``; see `Notifications`."""

    async def __aenter__(self) -> Self:
        await run_async(self.open())
        self._entered = True
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Notification]:
        if not self._begun:
            await run_async(self.open())
        try:
            while (found := await run_async(self.next())) is not None:
                yield found
        finally:
            if not self._entered:
                self.close()
                self._begun = False
