"""An exception at any point of a call: the pool stays whole, the session clean, nothing is twice.

A signal handler raises between two lines of ours, a greenlet is killed or a task cancelled in
a wait, a coroutine is closed: so each line that a call of each shape runs is made to raise once.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import linecache
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest
from support import functions as f
from support import sessions as q
from support.backends import backends_settle_at
from support.soak import pick

import todo_sql
from todo_sql import AsyncDatabase, AsyncSession, Database, Session
from todo_sql.database import batch, session

pytest_plugins = ["support.session_fixtures"]
# A connection that is lost as it is opened is closed by psycopg, with a warning.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOMS = tuple(str(Path(todo_sql.__file__).parent / room) for room in ("database", "wire"))
# What the event loop calls by itself: an exception there reaches no caller.
CALLBACKS = {"_wake", "_expire", "_lost", "__del__", "<lambda>"}
# Where threads drive the work of a call.
DRIVERS = (batch, session)
STRIDE = int(pick(19, 1))


class Killed(BaseException):
    """Like the exception of a signal handler, or of a greenlet's kill."""


class At:
    """Raises when the nth line of ours is about to run."""

    def __init__(self, number: int, error: type[BaseException]) -> None:
        self.left = number
        self.error = error
        self.fired = False

    def __enter__(self) -> At:
        sys.settrace(self._called)
        return self

    def __exit__(self, *details: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        ours = code.co_filename.startswith(ROOMS) and code.co_name not in CALLBACKS
        return self._line if ours else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        # Where a `with` ends, no signal is handled before its lock is given back; tracing is.
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        if event == "line" and not self.fired and not text.startswith(("with ", "async with ")):
            self.left -= 1
            if self.left < 0:
                self.fired = True
                sys.settrace(None)
                raise self.error
        return self._line


def _rows(title: str) -> Iterator[Mapping[str, object]]:
    for number in range(3):
        yield {"title": f"{title}-{number}"}


def _transaction(ann: Session, title: str) -> None:
    with ann.transaction() as tx:
        tx.one(q.ADD, {"title": title})
        with tx.transaction() as inner:
            inner.one(q.COUNT, {})


def _batch(ann: Session, title: str) -> None:
    with ann.batch() as batch:
        batch.add(f.add_task, title=title)
        batch.add(f.count_tasks)


def _stream(ann: Session, title: str) -> None:
    with ann.stream(q.STREAM, {}) as rows:
        for _ in rows:
            pass


SHAPES: dict[str, Callable[[Session, str], Any]] = {
    "plain": lambda ann, title: ann.one(q.ADD, {"title": title}),
    "ad hoc": lambda ann, title: ann.sql(
        "select query_to_xml($$select set_config('a.b', 'x', false)$$, true, true, '')::text"
        " || :title",
        str,
        title=title,
    ),
    "page": lambda ann, title: ann.page(q.PAGE, {"limit": 2}),
    "each": lambda ann, title: ann.batch_execute(q.ADD_EACH, _rows(title)),
    "copy": lambda ann, title: ann.copyfrom(q.IMPORT_TITLES, _rows(title)),
    "run": lambda ann, title: ann.run(lambda tx: tx.one(q.ADD, {"title": title})),
    "refused": lambda ann, title: ann.one(q.ADD, {"title": ""}),
    "transaction": _transaction,
    "batch": _batch,
    "stream": _stream,
}


def _twice(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = collections.Counter(
            title for (title,) in connection.execute("select title from tasks")
        )
    return [title for title, count in found.items() if count > 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_raising_at_every_line(two_users: str, shape: str) -> None:
    """Whatever line of ours an exception strikes, the next call finds the pool as it was."""
    call, raised = SHAPES[shape], 0
    with Database.connect(two_users, max_size=1, timeout=20.0, tenant=q.TENANT) as db:
        ann, login = db.as_user("ann"), db.session()
        ann.one(q.ADD, {"title": "first"})
        for number in range(len(shape) % STRIDE, 100_000, STRIDE):
            at = At(number, Killed)
            try:
                with at:
                    call(ann, f"{shape} {number}")
            except (Killed, todo_sql.TodoSqlError):
                pass
            if not at.fired:
                break
            raised += 1
            gc.collect(0)
            state = "select current_user = session_user, current_setting('a.b', true)"
            ((is_login, setting),) = login.sql(state, tuple[bool, str | None])
            assert is_login, number
            assert not setting, number
            assert db.stats().primary.size == db.stats().primary.idle == 1, number
    assert raised > 3
    assert _twice(two_users) == []
    assert backends_settle_at(0, two_users, where="application_name = 'todo-sql'")


@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_closed_at_every_step(
    two_users: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that nobody goes on with answers its end by no further step, and gives back."""
    left = closed = 0

    def drive(work: Generator[Any, Any, Any]) -> Any:
        nonlocal left, closed
        outcome = failure = None
        while True:
            try:
                request = work.send(outcome) if failure is None else work.throw(failure)
                failure = None
                if left == 0:
                    closed += 1
                    work.close()
                    raise Killed
                outcome, left = request.run(), left - 1
            except StopIteration as stop:
                return stop.value
            except BaseException as error:
                if getgeneratorstate(work) == GEN_CLOSED:
                    raise
                failure = error

    with Database.connect(two_users, max_size=1, timeout=20.0, tenant=q.TENANT) as db:
        ann, login = db.as_user("ann"), db.session()
        ann.one(q.ADD, {"title": "first"})
        for number in range(1_000):
            left, before = number, closed
            with monkeypatch.context() as patch, suppress(Killed, todo_sql.TodoSqlError):
                for module in DRIVERS:
                    patch.setattr(module, "run", drive)
                SHAPES[shape](ann, f"{shape} {number}")
            assert login.sql("select current_user = session_user", bool) == [True], number
            assert db.stats().primary.size == db.stats().primary.idle == 1, number
            if closed == before:
                break
    assert closed >= 1
    assert _twice(two_users) == []


async def _async_transaction(ann: AsyncSession, title: str) -> None:
    async with ann.transaction() as tx:
        await tx.one(q.ADD, {"title": title})


async def _async_batch(ann: AsyncSession, title: str) -> None:
    async with ann.batch() as batch:
        batch.add(f.add_task, title=title)


async def _async_stream(ann: AsyncSession, title: str) -> None:
    async with ann.stream(q.STREAM, {}) as rows:
        async for _ in rows:
            pass


ASYNC_SHAPES: dict[str, Callable[[AsyncSession, str], Any]] = {
    "plain": lambda ann, title: ann.one(q.ADD, {"title": title}),
    "page": lambda ann, title: ann.page(q.PAGE, {"limit": 2}),
    "each": lambda ann, title: ann.batch_execute(q.ADD_EACH, _rows(title)),
    "copy": lambda ann, title: ann.copyfrom(q.IMPORT_TITLES, _rows(title)),
    "run": lambda ann, title: ann.run(lambda tx: tx.one(q.ADD, {"title": title})),
    "transaction": _async_transaction,
    "batch": _async_batch,
    "stream": _async_stream,
}


@pytest.mark.parametrize("shape", ASYNC_SHAPES)
def test_raising_at_every_line_of_a_task(two_users: str, shape: str) -> None:
    """The same on an event loop, with the exception of a task that is cancelled."""
    call = ASYNC_SHAPES[shape]

    async def main() -> int:
        raised = 0
        async with AsyncDatabase.connect(two_users, max_size=1, timeout=20.0) as db:
            ann = db.as_user("ann")
            await ann.one(q.ADD, {"title": "first"})
            for number in range(len(shape) % STRIDE, 100_000, STRIDE):
                at = At(number, asyncio.CancelledError)
                try:
                    with at:
                        await call(ann, f"{shape} {number}")
                except (asyncio.CancelledError, todo_sql.TodoSqlError):
                    pass
                if not at.fired:
                    break
                raised += 1
                gc.collect(0)
                assert await db.session().sql("select current_user = session_user", bool) == [True]
                assert db.stats().primary.size == db.stats().primary.idle == 1, number
        return raised

    assert asyncio.run(main()) > 5
    assert _twice(two_users) == []


@pytest.mark.parametrize("shape", ASYNC_SHAPES)
def test_closing_the_coroutine_at_every_await(two_users: str, shape: str) -> None:
    """A coroutine that is closed in a wait gives its connection back and asks for nothing more."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users, max_size=1, timeout=20.0) as db:
            ann = db.as_user("ann")
            await ann.one(q.ADD, {"title": "first"})
            for awaits in range(1, 100):
                coroutine = ASYNC_SHAPES[shape](ann, f"{shape} {awaits}")
                try:
                    for _ in range(awaits):
                        future = coroutine.send(None)
                        if future is not None:
                            future._asyncio_future_blocking = False
                            await asyncio.wait([future])
                except StopIteration:
                    break
                coroutine.close()
                assert await db.session().sql("select 1", int) == [1]
                assert db.stats().primary.size == db.stats().primary.idle == 1
            assert awaits > 1

    asyncio.run(main())
    assert _twice(two_users) == []


def test_what_a_kill_interrupts_is_cancelled(two_users: str) -> None:
    """On a thread, by whatever exception: the server stops, too."""
    import signal

    def kill(number: int, frame: object) -> None:
        raise Killed

    before = signal.signal(signal.SIGALRM, kill)
    try:
        with Database.connect(two_users, max_size=1, timeout=60.0) as db:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(Killed):
                db.session().execute(q.NAP, {"seconds": 60.0})
            at_work = "state = 'active' and query like '%pg_sleep%'"
            assert backends_settle_at(0, two_users, where=at_work)
            assert db.session().sql("select 1", int) == [1]
            assert db.stats().cancels == 1
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_closing_a_coroutine_interrupts_is_cancelled(two_users: str) -> None:
    """Nothing can be awaited then, and the server is told all the same."""

    async def main() -> bool:
        async with AsyncDatabase.connect(two_users, max_size=1) as db:
            await db.session().sql("select 1", int)
            coroutine = db.session().execute(q.NAP, {"seconds": 60.0})
            coroutine.send(None)
            await asyncio.sleep(0.3)
            coroutine.close()
            at_work = "state = 'active' and query like '%pg_sleep%'"
            return backends_settle_at(0, two_users, where=at_work)

    assert asyncio.run(main())
