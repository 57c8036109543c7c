"""Transactions: savepoints, isolation, errors at COMMIT, units of work that are redone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from support import sessions as q

from todo_sql import (
    AsyncDatabase,
    Conflict,
    Database,
    DatabaseError,
    IntegrityError,
    Isolation,
    Timeout,
    Transaction,
    TransactionAborted,
    UsageError,
)

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database


def titles(session: Any) -> list[str]:
    """Return the titles of a tenant's tasks."""
    return [task.title for task in session.many(q.LIST, {})]


def test_commits_or_rolls_back(two_users: str) -> None:
    """A block that ends well commits, one that an error leaves does not."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with ann.transaction() as tx:
            tx.one(q.ADD, {"title": "a"})
            assert titles(tx) == ["a"]
            assert titles(ann) == []
        with pytest.raises(ZeroDivisionError), ann.transaction() as tx:
            tx.one(q.ADD, {"title": "b"})
            raise ZeroDivisionError
        assert titles(ann) == ["a"]
        with pytest.raises(UsageError, match="over"):
            tx.one(q.COUNT, {})


def test_nothing_is_sent_for_nothing(two_users: str) -> None:
    """An empty transaction opens no connection."""
    with Database.connect(two_users) as db:
        with db.as_user("ann").transaction() as tx, tx.transaction():
            pass
        assert db.pool_size == 0


def test_nested_transactions_are_savepoints(two_users: str) -> None:
    """An inner block that fails takes its own work with it alone."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with ann.transaction() as tx:
            tx.one(q.ADD, {"title": "a"})
            with pytest.raises(IntegrityError) as caught, tx.transaction() as inner:
                inner.one(q.ADD, {"title": "b"})
                inner.one(q.ADD, {"title": ""})
            assert caught.value.field == "title"
            with tx.transaction() as inner:
                inner.one(q.ADD, {"title": "c"})
                with inner.transaction() as innermost:
                    innermost.one(q.ADD, {"title": "d"})
            with tx.transaction():
                pass
            with pytest.raises(UsageError, match="savepoint"):
                tx.transaction(isolation="serializable")
        assert titles(ann) == ["a", "c", "d"]


def test_an_error_that_was_caught_still_aborts(two_users: str) -> None:
    """A transaction whose error was swallowed cannot pretend to have committed."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with pytest.raises(TransactionAborted), ann.transaction() as tx:
            tx.one(q.ADD, {"title": "a"})
            with pytest.raises(IntegrityError):
                tx.one(q.ADD, {"title": ""})
        with pytest.raises(TransactionAborted), ann.transaction() as tx:
            with pytest.raises(IntegrityError):
                tx.one(q.ADD, {"title": ""})
            tx.one(q.COUNT, {})
        with (
            pytest.raises(TransactionAborted),
            ann.transaction() as tx,
            tx.transaction() as inner,
            pytest.raises(IntegrityError),
        ):
            inner.one(q.ADD, {"title": ""})
        assert titles(ann) == []


def test_isolation_and_read_only(two_users: str) -> None:
    """Both reach the server; an unknown level is refused."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with ann.transaction(isolation=Isolation.SERIALIZABLE) as tx:
            assert tx.sql("select current_setting('transaction_isolation')", str) == [
                "serializable"
            ]
        with pytest.raises(DatabaseError) as caught, ann.transaction(read_only=True) as tx:
            tx.one(q.ADD, {"title": "x"})
        assert caught.value.sqlstate == "25006"
        with pytest.raises(UsageError, match="isolation"):
            ann.transaction(isolation="chaos")


def test_errors_at_commit_keep_their_sqlstate(two_users: str) -> None:
    """A deferred constraint fails at COMMIT; the connection stays usable."""
    with Database.connect(two_users, max_size=1) as db:
        admin = db.session()
        admin.sql("create table parent (id int primary key)", dict)
        admin.sql(
            "create table child (id int, constraint child_fkey foreign key (id) "
            "references parent deferrable initially deferred)",
            dict,
        )
        for _ in range(3):
            with pytest.raises(IntegrityError) as caught:
                admin.sql("insert into child values (1)", dict)
            assert caught.value.sqlstate == "23503"
            assert caught.value.columns == ("id",)
            with pytest.raises(IntegrityError), admin.transaction() as tx:
                tx.sql("insert into child values (2)", dict)
        assert admin.sql("select count(*) from child", int) == [0]
        assert db.pool_size == 1


def test_a_setting_does_not_outlive_its_call(two_users: str) -> None:
    """A query's own timeout ends with it, inside a transaction, too."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        with pytest.raises(Timeout):
            ann.execute(q.SHORT_NAP, {"seconds": 5.0})
        with ann.transaction() as tx:
            tx.execute(q.SHORT_NAP, {"seconds": 0.0})
            tx.execute(q.NAP, {"seconds": 0.4})
        role, user = db.session().sql(
            "select current_user = session_user as role, "
            "current_setting('app.current_user_id', true) as user",
            tuple,
        )[0]
        assert role
        assert not user


def test_a_unit_of_work_is_redone(two_users: str) -> None:
    """Two serializable transactions that collide both succeed in the end."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        meet = threading.Barrier(2)
        tries: list[int] = []

        def work(tx: Transaction) -> None:
            count = tx.one(q.COUNT, {})
            tries.append(count)
            if len(tries) <= 2:
                meet.wait(10)
            tx.one(q.ADD, {"title": f"task {count}"})

        threads = [
            threading.Thread(target=ann.run, args=(work,), kwargs={"isolation": "serializable"})
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(titles(ann)) == ["task 0", "task 1"]
        assert len(tries) == 3


def test_a_unit_of_work_gives_up(two_users: str) -> None:
    """It is tried a few times only, and other errors at once end it."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        tries = []

        def collide(tx: Transaction) -> None:
            tries.append(1)
            tx.sql("do $$ begin raise exception using errcode = '40001'; end $$", dict)

        with pytest.raises(Conflict):
            ann.run(collide)
        assert 1 < len(tries) < 10
        tries.clear()

        def fail(tx: Transaction) -> None:
            tries.append(1)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            db.run(fail)
        assert len(tries) == 1


def test_threads_take_turns_on_a_transaction(two_users: str) -> None:
    """A transaction may be shared; its calls do not mix."""
    with Database.connect(two_users) as db, db.as_user("ann").transaction() as tx:
        threads = [
            threading.Thread(target=tx.one, args=(q.ADD, {"title": str(number)}))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tx.one(q.COUNT, {}) == 8


def test_asynchronous_transactions(two_users: str) -> None:
    """The same with tasks."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users) as db:
            ann = db.as_user("ann")
            async with ann.transaction() as tx:
                await asyncio.gather(*(tx.one(q.ADD, {"title": str(n)}) for n in range(8)))
                with pytest.raises(IntegrityError):
                    async with tx.transaction() as inner:
                        await inner.one(q.ADD, {"title": ""})
            assert await ann.one(q.COUNT, {}) == 8
            with pytest.raises(ZeroDivisionError):
                async with ann.transaction() as tx:
                    await tx.execrows(q.COMPLETE, {})
                    raise ZeroDivisionError
            assert await ann.many(q.LIST, {"completed": True}) == []
            assert await ann.run(lambda tx: tx.one(q.COUNT, {})) == 8

    asyncio.run(main())
