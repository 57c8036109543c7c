"""`db.listen`: what is sent is heard, on threads and tasks; what may be missed is said."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest
from support.backends import backends_settle_at
from support.pgbouncer import pgbouncer

from todo_sql import AsyncDatabase, Database, DatabaseError, UsageError

pytestmark = pytest.mark.database

CUT = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'"


def test_what_is_sent_is_heard(empty_database: str) -> None:
    """In order, from every channel named, once the block has begun; whatever their names are."""
    with Database.connect(empty_database) as db:
        with db.listen("news", 'an "odd" Name', timeout=1.0) as heard:
            session = db.session()
            session.sql("select pg_notify('news', 'a')")
            session.sql("select pg_notify('other', 'b')")
            session.sql("select pg_notify(:name, 'c')", name='an "odd" Name')
            found = [(one.channel, one.payload, one.missed) for one in heard]
        assert found == [("news", "a", False), ('an "odd" Name', "c", False)]
        assert db.stats().primary.size == 1
    assert backends_settle_at(0, empty_database, where="application_name = 'todo-sql'")


def test_without_a_block(empty_database: str) -> None:
    """Iterated as it is, it listens from the first to the end of the loop."""
    with Database.connect(empty_database) as db:
        timer = threading.Timer(0.5, lambda: db.session().sql("select pg_notify('a', '1')"))
        timer.start()
        for one in db.listen("a"):
            assert one.payload == "1"
            assert one.pid
            break
        timer.join()
        assert backends_settle_at(0, empty_database, where="query ilike 'listen%'")


def test_a_break_is_said(empty_database: str) -> None:
    """It connects again, and each channel hears that something may have been missed."""
    with (
        Database.connect(empty_database) as db,
        psycopg.connect(empty_database, autocommit=True) as admin,
        db.listen("a", "b", timeout=3.0) as heard,
    ):
        notifications = iter(heard)
        for round_ in range(2):
            admin.execute(CUT)
            missed = [next(notifications) for _ in range(2)]
            assert [(one.channel, one.missed) for one in missed] == [("a", True), ("b", True)]
            admin.execute("select pg_notify('b', %s)", [str(round_)])
            assert next(notifications).payload == str(round_)


def test_tasks_listen(empty_database: str) -> None:
    """The same with `async with` and `async for`; a break, a cancelled task, a closed database."""

    async def main() -> list[tuple[str, bool]]:
        found = []
        async with AsyncDatabase.connect(empty_database) as db:
            async with db.listen("a", timeout=3.0) as heard:
                await db.session().sql("select pg_notify('a', 'x')")
                async for one in heard:
                    found.append((one.payload, one.missed))
                    if len(found) == 1:
                        await db.session().sql(CUT, bool)
                    elif len(found) == 2:
                        break

            async def forever() -> None:
                async for _ in db.listen("b"):
                    pass

            task = asyncio.create_task(forever())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            ends = asyncio.create_task(forever())
            await asyncio.sleep(0.3)
        await asyncio.wait_for(ends, 5)
        return found

    assert asyncio.run(main()) == [("x", False), ("", True)]
    assert backends_settle_at(0, empty_database, where="application_name = 'todo-sql'")


def test_closing_the_database_ends_it(empty_database: str) -> None:
    """A thread that waits for a notification goes on."""
    db = Database.connect(empty_database).open()
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(db.listen("a")))
    thread.start()
    assert backends_settle_at(1, empty_database, where="query ilike 'listen%'")
    db.close()
    thread.join(10)
    assert not thread.is_alive()
    assert found == []


@pytest.mark.parametrize("names", [(), ("",), ("x" * 64,), ("a", "b\0")])
def test_what_is_no_channel(empty_database: str, names: tuple[str, ...]) -> None:
    """It is refused before anything is sent."""
    with Database.connect(empty_database) as db, pytest.raises(UsageError, match="no channel"):
        db.listen(*names)


def test_who_may_not_connect(empty_database: str) -> None:
    """The error reaches the caller."""
    wrong = empty_database.rpartition("/")[0] + "/nowhere"
    with Database.connect(wrong) as db, pytest.raises(DatabaseError), db.listen("a"):
        pass


@pytest.mark.parametrize("size", [1, 3])
def test_behind_a_pool_of_sessions(empty_database: str, size: int) -> None:
    """It hears what is sent, also where the pool serves nobody else; and after a break."""
    with (
        pgbouncer(empty_database, pool_size=size, mode="session") as pooled,
        Database.connect(pooled) as db,
        psycopg.connect(empty_database, autocommit=True) as admin,
        db.listen("a", timeout=10.0) as heard,
    ):
        notifications = iter(heard)
        admin.execute("select pg_notify('a', 'x')")
        assert next(notifications).payload == "x"
        admin.execute(CUT)
        assert next(notifications).missed
        admin.execute("select pg_notify('a', 'y')")
        assert next(notifications).payload == "y"


@pytest.mark.parametrize("busy", [False, True])
def test_behind_a_pool_of_transactions(empty_database: str, busy: bool) -> None:
    """It is an error, for tasks too, and nothing goes on listening on a connection of others."""
    with pgbouncer(empty_database, pool_size=4, mode="transaction") as pooled:
        over = threading.Event()

        def others() -> None:
            with Database.connect(pooled) as db:
                while busy and not over.wait(0.001):
                    db.session().sql("select 1", int)

        thread = threading.Thread(target=others)
        thread.start()
        with (
            Database.connect(pooled) as db,
            pytest.raises(UsageError, match="transaction mode"),
            db.listen("a"),
        ):
            pass

        async def main() -> None:
            async with AsyncDatabase.connect(pooled) as db:
                with pytest.raises(UsageError, match="transaction mode"):
                    async for _ in db.listen("a"):
                        pass

        asyncio.run(main())
        over.set()
        thread.join()
        assert backends_settle_at(0, empty_database, where="query ilike 'listen%'")
