"""What can be observed from outside: `db.stats()`, and what `logging` is told."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from support import functions as f
from support import sessions as q
from support.backends import backends_settle_at
from support.proxy import Proxy

from todo_sql import (
    AsyncDatabase,
    AsyncTransaction,
    Conflict,
    Database,
    DatabaseStats,
    RoleRefused,
    Timeout,
    Transaction,
)
from todo_sql.wire.url import DatabaseUrl

pytest_plugins = ["support.session_fixtures"]

SECRET = "a-value-nobody-shall-read"


def told(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """Return what a logger was told."""
    return [r.getMessage() for r in caplog.records if r.name == f"todo_sql.{name}"]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, two_users: str) -> Iterator[pytest.LogCaptureFixture]:
    """Everything told; no record holds a password or the value of a call."""
    caplog.set_level(logging.DEBUG, "todo_sql")
    yield caplog
    password = DatabaseUrl.parse(two_users).parameters["password"]
    whole = "\n".join(f"{record.getMessage()} {record.exc_info}" for record in caplog.records)
    assert password not in whole
    assert SECRET not in whole


def check_used_once(found: DatabaseStats) -> None:
    """One caller at a time used one connection, and waited for none."""
    primary = found.primary
    assert (primary.max_size, primary.size, primary.idle, primary.opened) == (3, 1, 1, 1)
    assert (primary.waiting, primary.waits, primary.waited) == (0, 0, 0.0)
    assert (found.replica, found.replica_rests) == (None, False)
    assert (found.retries, found.cancels) == (0, 0)


def test_one_caller(two_users: str) -> None:
    """Nothing is open before the first call; then one connection serves them all."""
    with Database.connect(two_users, max_size=3) as db:
        assert db.stats().primary.opened == 0
        for _ in range(3):
            db.as_user("ann").one(q.COUNT, {})
        found = db.stats()
        check_used_once(found)
        with pytest.raises(dataclasses.FrozenInstanceError):
            found.retries = 1  # type: ignore[misc]


def test_one_task(two_users: str) -> None:
    """The same for tasks."""

    async def main() -> DatabaseStats:
        async with AsyncDatabase.connect(two_users, max_size=3) as db:
            for _ in range(3):
                await db.as_user("ann").one(q.COUNT, {})
            return db.stats()

    check_used_once(asyncio.run(main()))


def test_callers_that_wait(two_users: str) -> None:
    """Who queues is seen while it waits and counted afterwards, in vain or not."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        with ann.transaction() as tx:
            tx.one(q.COUNT, {})
            assert db.stats().primary.idle == 0
            other = threading.Thread(target=ann.one, args=(q.COUNT, {}))
            other.start()
            while not db.stats().primary.waiting:
                pass
        other.join()
        found = db.stats().primary
        assert (found.waits, found.waiting, found.idle) == (1, 0, 1)
        assert found.waited > 0
        with ann.transaction() as tx:
            tx.one(q.COUNT, {})
            with pytest.raises(Timeout):
                ann.within(0.01).one(q.COUNT, {})
        assert db.stats().primary.waits == 2


def test_a_retry_is_counted_and_told(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """A connection that breaks in a read costs one retry, which names the query alone."""
    with Proxy(two_users) as proxied, Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        for call in (
            lambda: ann.one(q.COUNT, {}),
            lambda: _in_transaction(ann),
            lambda: _in_batch(ann),
        ):
            before = db.stats().retries
            proxied.fault("cut", match=lambda message: message.type == b"S")
            call()
            assert db.stats().retries == before + 1
    texts = told(log, "retry")
    assert len(texts) == 3
    assert all("the connection broke" in text for text in texts)
    assert q.COUNT.name in texts[0]


def _in_transaction(session: Any) -> None:
    with session.transaction() as tx:
        tx.one(q.COUNT, {})


def _in_batch(session: Any) -> None:
    with session.batch() as batch:
        batch.add(f.count_tasks)


def _conflicts(times: list[int]) -> Callable[[Any], None]:
    """A unit of work that gets in another's way once."""

    def work(_: Any) -> None:
        times.append(1)
        if len(times) == 1:
            raise Conflict(SECRET, sqlstate="40001")

    return work


def test_a_unit_of_work_is_redone(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """`run` counts and tells each time that it begins again, for threads and for tasks."""

    def on_a_thread(work: Callable[[Any], None]) -> int:
        with Database.connect(two_users) as db:

            def unit(tx: Transaction) -> None:
                work(tx)

            db.as_user("ann").run(unit)
            return db.stats().retries

    async def on_a_loop(work: Callable[[Any], None]) -> int:
        async with AsyncDatabase.connect(two_users) as db:

            async def unit(tx: AsyncTransaction) -> None:
                work(tx)

            await db.as_user("ann").run(unit)
            return db.stats().retries

    assert on_a_thread(_conflicts([])) == 1
    assert asyncio.run(on_a_loop(_conflicts([]))) == 1
    assert [text.endswith("a unit of work: Conflict") for text in told(log, "retry")] == [True] * 2


def test_a_connect_that_fails(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """A server that cannot be reached is tried again, and each time told without a password."""
    nowhere = f"postgresql://ann:{SECRET}@127.0.0.1:1/x"
    with Database.connect(nowhere, timeout=0.5) as db:
        with pytest.raises(Exception, match="cannot connect"):
            db.session().one(q.WHO, {})
        assert db.stats().retries == len(told(log, "retry")) > 0
        assert db.stats().primary.size == 0


def _is_napping(url: str) -> bool:
    return backends_settle_at(1, url, where="state = 'active' and query like '%pg_sleep%'")


def test_a_cancelled_call(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """A call without an answer, and one whose task is cancelled, are counted and told."""
    with Proxy(two_users) as proxied, Database.connect(proxied.url, timeout=0.3) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        proxied.fault("stall")
        with pytest.raises(Timeout):
            ann.one(q.ADD, {"title": SECRET})
        assert db.stats().cancels == 1

    async def main() -> int:
        async with AsyncDatabase.connect(two_users) as db:
            nap = asyncio.create_task(db.as_user("ann").execute(q.NAP, {"seconds": 60}))
            while not await asyncio.to_thread(_is_napping, two_users):
                pass
            nap.cancel()
            with pytest.raises(asyncio.CancelledError):
                await nap
            return db.stats().cancels

    assert asyncio.run(main()) == 1
    first, second = told(log, "cancel")
    assert "no answer in time" in first
    assert "interrupted" in second


def test_a_refused_role(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """A role that row security does not hold is told as well as raised."""
    with psycopg.connect(two_users, autocommit=True) as admin:
        admin.execute("create table owned_here (id int)")
        admin.execute("alter table owned_here enable row level security")
        admin.execute("grant create on schema public to todo_app")
        admin.execute("grant todo_app to current_user")
        admin.execute("alter table owned_here owner to todo_app")
    with Database.connect(two_users) as db, pytest.raises(RoleRefused):
        db.as_user(SECRET).one(q.COUNT, {})
    (text,) = told(log, "role")
    assert "todo_app" in text
    assert "owned_here" in text


def test_a_resting_replica(two_users: str, log: pytest.LogCaptureFixture) -> None:
    """A replica that is not there is told once, and rests while the primary reads."""
    replica = f"postgresql://x:{SECRET}@127.0.0.1:1/x"
    with Database.connect(two_users, replica=replica) as db:
        assert not db.stats().replica_rests
        for _ in range(3):
            db.as_user("ann").one(q.COUNT, {})
        found = db.stats()
        assert found.replica is not None
        assert found.replica_rests
        assert (found.primary.opened, found.replica.opened) == (1, 0)
    (text,) = told(log, "replica")
    assert "127.0.0.1:1" in text
