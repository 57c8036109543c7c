"""Reads on a hot standby: read-your-writes, and a standby that dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from typing import Any, overload

import psycopg
import pytest
from support import functions as f
from support import sessions as q
from support.soak import pick
from support.standby import Pair, primary_and_standby

from todo_sql import AsyncDatabase, AsyncSession, Database, DatabaseError, NoRow, Session
from todo_sql.migrations import migrate

PAIRS = int(pick(200, 1_000))

WHERE = q.TextFile("-- name: where :one\nselect pg_is_in_recovery() as replica").query(
    "where", row=bool, read_only=True
)
DIVIDE = q.TextFile("-- name: divide :one\nselect 1 / 0 as nothing").query(
    "divide", row=int, read_only=True
)


@overload
def is_on_replica(session: Session) -> bool: ...
@overload
def is_on_replica(session: AsyncSession) -> Coroutine[Any, Any, bool]: ...
def is_on_replica(session: Session | AsyncSession) -> Any:
    """Say where the call is made."""
    return session.one(WHERE, {})


def divide(session: Session) -> int:
    """Fail on either server."""
    nothing: int = session.one(DIVIDE, {})
    return nothing


@pytest.fixture(scope="module")
def pair(pytestconfig: pytest.Config) -> Iterator[Pair]:
    """A primary and its standby."""
    with primary_and_standby(pytestconfig.getoption("postgres")) as pair:
        with psycopg.connect(pair.primary, autocommit=True) as admin:
            admin.execute("create database migrated")
        migrate(pair.of("migrated")[0], q.MIGRATIONS)
        yield pair


@pytest.fixture
def urls(pair: Pair, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A migrated database on both."""
    name = f"replica_{abs(hash(request.node.name))}"
    with psycopg.connect(pair.primary, autocommit=True) as admin:
        admin.execute(f"create database {name} template migrated")
    primary, standby = pair.of(name)
    q.add_users(primary, "ann", "bob")
    while not replayed(standby):
        time.sleep(0.02)
    yield primary, standby


def replayed(standby: str) -> bool:
    """Return whether the standby has the database and its users."""
    try:
        with psycopg.connect(standby) as connection:
            return connection.execute("select count(*) from users").fetchone() == (2,)
    except psycopg.Error:
        return False


def test_reads_go_to_the_replica_as_fresh_as_own_writes(urls: tuple[str, str]) -> None:
    """Each read sees what the session wrote just before; reads run on the standby."""
    primary, standby = urls
    with Database.connect(primary, replica=standby) as db:
        ann = db.as_user("ann")
        ann.one(q.ADD, {"title": "settles the pools"})
        ann.one(q.COUNT, {})
        on_standby = 0
        for number in range(PAIRS):
            made = ann.one(q.ADD, {"title": str(number)})
            assert ann.one(q.GET, {"id": made.id}) == made
            on_standby += ann.one(WHERE, {})
        assert on_standby  # how often depends on how fast the standby replays
        assert ann.position > 0
        later = db.as_user("ann", after=ann.position)
        assert later.one(q.COUNT, {}) == PAIRS + 1
        with ann.transaction() as tx:
            tx.one(q.ADD, {"title": "in a transaction"})
        assert ann.one(q.COUNT, {}) == PAIRS + 2
        with ann.batch() as batch:
            batch.add(f.add_task, title="in a batch")
        assert ann.one(q.COUNT, {}) == PAIRS + 3
        with pytest.raises(NoRow):
            ann.one(q.GET, {"id": 0})
        with pytest.raises(DatabaseError):
            ann.execute(q.WRONG, {})


def test_the_same_asynchronously(urls: tuple[str, str]) -> None:
    """Read-your-writes with tasks."""

    async def main() -> None:
        async with AsyncDatabase.connect(urls[0], replica=urls[1]) as db:
            ann = db.as_user("ann")
            for number in range(20):
                made = await ann.one(q.ADD, {"title": str(number)})
                assert await ann.one(q.GET, {"id": made.id}) == made
            assert await ann.one(WHERE, {}) in (True, False)

    asyncio.run(main())


def test_a_replica_that_is_not_there(urls: tuple[str, str]) -> None:
    """Reads go to the primary, and nothing is raised."""
    with Database.connect(urls[0], replica="postgresql://x@127.0.0.1:1/x") as db:
        ann = db.as_user("ann")
        ann.one(q.ADD, {"title": "x"})
        assert ann.one(q.COUNT, {}) == 1
        assert ann.one(WHERE, {}) is False


def test_batches_of_reads_go_to_the_replica(urls: tuple[str, str]) -> None:
    """As fresh as the session's writes; where a call fails there, each has its own outcome."""
    with Database.connect(urls[0], replica=urls[1]) as db:
        ann = db.as_user("ann")
        for number in range(20):
            made = ann.one(q.ADD, {"title": str(number)})
            with ann.batch() as batch:
                got = batch.add(f.get_task, id=made.id)
            assert got.result() == made
        on_standby = False
        while not on_standby:  # at once, unless a slow connection let the standby rest
            with db.as_user("bob").batch() as batch:
                count, where = batch.add(f.count_tasks), batch.add(is_on_replica)
            assert count.result() == 0
            on_standby = where.result()
        with ann.batch() as batch:
            missing, count = batch.add(f.get_task, id=0), batch.add(f.count_tasks)
            wrong, where = batch.add(divide), batch.add(is_on_replica)
        assert count.result() == 20
        assert where.result() is False
        with pytest.raises(NoRow):
            missing.result()
        with pytest.raises(DatabaseError, match="division by zero"):
            wrong.result()


def test_a_batch_of_reads_asynchronously(urls: tuple[str, str]) -> None:
    """The same with tasks."""

    async def main() -> None:
        async with AsyncDatabase.connect(urls[0], replica=urls[1]) as db:
            async with db.as_user("ann").batch() as batch:
                count = batch.add(f.count_tasks)
                where = batch.add(is_on_replica)
            assert count.result() == 0
            assert where.result() in (True, False)

    asyncio.run(main())


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_replica_that_dies_costs_nothing_but_time(
    pair: Pair, urls: tuple[str, str], way: str
) -> None:
    """Stopped, or killed with no word, in the middle of reads and writes: it is given up."""
    with Database.connect(urls[0], replica=urls[1]) as db:
        ann = db.as_user("ann")
        for number in range(60):
            made = ann.one(q.ADD, {"title": str(number)})
            assert ann.one(q.GET, {"id": made.id}) == made
            with ann.batch() as batch:
                count = batch.add(f.count_tasks)
            assert count.result() == number + 1
            if number == 30:
                pair.cluster.stop() if way == "stop" else pair.kill()
        assert ann.one(WHERE, {}) is False
        assert ann.one(q.COUNT, {}) == 60
    pair.start()
