"""Batches: many calls in one round trip, each with its own result or error."""

from __future__ import annotations

import asyncio

import pytest
from support import functions as f
from support import sessions as q
from support.proxy import Proxy

from todo_sql import (
    AsyncDatabase,
    Database,
    IntegrityError,
    NoRow,
    Session,
    TenantRequired,
    UsageError,
)
from todo_sql.database.query import Query
from todo_sql.wire.connection import MOST_PREPARED

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database


def test_each_call_has_its_own_result(two_users: str) -> None:
    """Results come back typed, in the order of the calls."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with ann.batch() as batch:
            made = [batch.add(f.add_task, title=f"task {number}") for number in range(5)]
            count = batch.add(f.count_tasks)
            with pytest.raises(UsageError, match="no result yet"):
                count.result()
        assert [entry.result().title for entry in made] == [f"task {n}" for n in range(5)]
        assert count.result() == 5


def test_a_failure_leaves_its_neighbours_whole(two_users: str) -> None:
    """One call that fails, at its statement, at COMMIT or on its rows, harms no other."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        with ann.batch() as batch:
            before = batch.add(f.add_task, title="before")
            bad = batch.add(f.add_task, title="")
            missing = batch.add(f.get_task, id=0)
            after = batch.add(f.add_task, title="after")
        assert before.result().title == "before"
        with pytest.raises(IntegrityError) as caught:
            bad.result()
        assert caught.value.field == "title"
        with pytest.raises(NoRow):
            missing.result()
        assert after.result().title == "after"
        assert [task.title for task in ann.many(q.LIST, {})] == ["before", "after"]


def test_more_statements_than_are_kept_prepared(two_users: str) -> None:
    """One flight may hold more statements than a connection keeps; all are answered, again too."""
    numbers = range(MOST_PREPARED + 20)
    text = "".join(f"-- name: number_{n} :one\nselect {n} as n;\n" for n in numbers)
    file = q.TextFile(text)
    queries = [file.query(f"number_{n}", row=int, read_only=True) for n in numbers]

    def ask(session: Session, query: Query[int]) -> int:
        return session.one(query, {})

    with Database.connect(two_users, max_size=1) as db:
        me = db.session()
        for _ in range(2):
            assert ask(me, queries[1]) == 1
            with me.batch() as batch:
                found = [batch.add(ask, query) for query in queries]
            assert [one.result() for one in found] == list(numbers)
        held = me.sql("select name from pg_prepared_statements", str)
        (link,) = db._engine.pool._idle  # type: ignore[union-attr]
        known = [entry.name for entry in link._prepared.values() if entry.ready]
        assert {*held} <= {name.decode() for name in [*known, *link._doomed]}
        assert db.stats().retries == 0


def test_errors_at_commit_belong_to_their_call(two_users: str) -> None:
    """A deferred constraint fails one call of a batch."""
    with Database.connect(two_users, max_size=1) as db:
        admin = db.session()
        admin.sql("create table p (id int primary key)", dict)
        admin.sql("create table c (id int references p deferrable initially deferred)", dict)
        with admin.batch() as batch:
            one = batch.add(lambda s: s.sql("insert into p values (1) returning id", int))
            orphan = batch.add(lambda s: s.sql("insert into c values (9)", dict))
            child = batch.add(lambda s: s.sql("insert into c values (1) returning id", int))
        assert one.result() == child.result() == [1]
        with pytest.raises(IntegrityError):
            orphan.result()


def test_nothing_is_sent_after_a_mistake(two_users: str) -> None:
    """A wrong argument, or a function that is no query, stops the batch before it starts."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with pytest.raises(TypeError), ann.batch() as batch:
            batch.add(f.add_task, title="x")
            batch.add(f.add_task)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="not one call"), ann.batch() as batch:
            batch.add(lambda session: 5)
        with pytest.raises(TenantRequired), db.session().batch() as batch:
            batch.add(f.count_tasks)
        with pytest.raises(UsageError, match="no batch"), ann.transaction() as tx:
            tx.batch()
        with ann.batch():
            pass
        assert ann.one(q.COUNT, {}) == 0


def test_asynchronous_batches(two_users: str) -> None:
    """The same with tasks."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users) as db:
            ann = db.as_user("ann")
            async with ann.batch() as batch:
                made = batch.add(f.add_task, title="x")
                bad = batch.add(f.add_task, title="")
                count = batch.add(f.count_tasks)
            assert made.result().title == "x"
            assert isinstance(count.result(), int)
            with pytest.raises(IntegrityError):
                bad.result()

    asyncio.run(main())


def test_a_big_batch_does_not_block(two_users: str) -> None:
    """More bytes than the buffers hold, both ways, are sent and read by turns."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with ann.batch() as batch:
            made = [batch.add(f.add_task, title="x" * 200) for _ in range(3000)]
        assert len({entry.result().id for entry in made}) == 3000


@pytest.mark.parametrize("asynchronous", [False, True])
def test_round_trips(two_users: str, asynchronous: bool) -> None:
    """A scoped call is one round trip, three in a transaction four, ten in a batch one."""
    with Proxy(two_users, latency=0.02) as proxy:
        found = asyncio.run(_async_round_trips(proxy)) if asynchronous else _round_trips(proxy)
    assert found == {"read": 1, "write": 1, "transaction": 4, "batch": 1}


def _round_trips(proxy: Proxy) -> dict[str, int]:
    found = {}
    with Database.connect(proxy.url, max_size=1) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        with proxy.counting() as counted:
            ann.one(q.COUNT, {})
        found["read"] = counted.round_trips
        with proxy.counting() as counted:
            ann.one(q.ADD, {"title": "x"})
        found["write"] = counted.round_trips
        with proxy.counting() as counted, ann.transaction() as tx:
            tx.one(q.ADD, {"title": "x"})
            tx.one(q.COUNT, {})
            tx.execrows(q.COMPLETE, {})
        found["transaction"] = counted.round_trips
        with proxy.counting() as counted, ann.batch() as batch:
            for _ in range(10):
                batch.add(f.count_tasks)
        found["batch"] = counted.round_trips
    return found


async def _async_round_trips(proxy: Proxy) -> dict[str, int]:
    found = {}
    async with AsyncDatabase.connect(proxy.url, max_size=1) as db:
        ann = db.as_user("ann")
        await ann.one(q.COUNT, {})
        with proxy.counting() as counted:
            await ann.one(q.COUNT, {})
        found["read"] = counted.round_trips
        with proxy.counting() as counted:
            await ann.one(q.ADD, {"title": "x"})
        found["write"] = counted.round_trips
        with proxy.counting() as counted:
            async with ann.transaction() as tx:
                await tx.one(q.ADD, {"title": "x"})
                await tx.one(q.COUNT, {})
                await tx.execrows(q.COMPLETE, {})
        found["transaction"] = counted.round_trips
        with proxy.counting() as counted:
            async with ann.batch() as batch:
                for _ in range(10):
                    batch.add(f.count_tasks)
        found["batch"] = counted.round_trips
    return found
