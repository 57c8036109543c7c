"""The pool: sizes, ages, queues, forks, closing, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import sessions as q
from support.backends import backends_settle_at
from support.proxy import Proxy

from todo_sql import AsyncDatabase, Closed, Database, Timeout, UsageError
from todo_sql.wire.connection import Link

pytest_plugins = ["support.session_fixtures"]

AT_WORK = "state = 'active' and query like '%pg_sleep%'"


def test_opens_lazily_and_stays_small(two_users: str) -> None:
    """One caller at a time needs one connection; many need no more than allowed."""
    with Database.connect(two_users, max_size=3) as db:
        assert backends_settle_at(0, two_users)
        ann = db.as_user("ann")
        for _ in range(5):
            ann.one(q.COUNT, {})
        assert db.pool_size == 1
        threads = [
            threading.Thread(target=ann.execute, args=(q.NAP, {"seconds": 0.2})) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.pool_size == 3
        assert backends_settle_at(3, two_users)
    assert backends_settle_at(0, two_users)


def test_idle_and_old_connections_are_replaced(two_users: str) -> None:
    """Both limits close connections, at the next use of the pool."""
    with Database.connect(two_users, max_idle=0.2) as db:
        session = db.session()
        with session.transaction() as one, session.transaction() as other:
            one.one(q.WHO, {})
            other.one(q.WHO, {})
        assert db.pool_size == 2
        time.sleep(0.3)
        session.one(q.WHO, {})
        assert db.pool_size == 1
    with Database.connect(two_users, max_lifetime=0.2) as db:
        pid = "select pg_backend_pid() as pid"
        (before,) = db.session().sql(pid, int)
        time.sleep(0.3)
        (after,) = db.session().sql(pid, int)
        assert before != after
        assert db.pool_size == 1


def test_a_full_pool_ends_in_a_timeout(two_users: str) -> None:
    """Who waits too long for a connection is told so; the place is not lost."""
    with Database.connect(two_users, max_size=1, timeout=0.3) as db:
        session = db.session()
        with session.transaction() as tx:
            tx.one(q.WHO, {})
            with pytest.raises(Timeout, match="stayed in use"):
                session.one(q.WHO, {})
        assert session.one(q.WHO, {})


def test_closing_waits_for_the_work_in_hand(two_users: str) -> None:
    """Calls at work end well, new ones are refused."""
    db = Database.connect(two_users).open()
    session = db.session()
    outcome: list[object] = []

    def work() -> None:
        session.execute(q.NAP, {"seconds": 1.0})
        outcome.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    assert backends_settle_at(1, two_users, where=AT_WORK)
    db.close()
    thread.join()
    assert outcome == ["done"]
    with pytest.raises(Closed):
        session.one(q.WHO, {})
    assert backends_settle_at(0, two_users)
    with db:
        assert db.session().one(q.WHO, {})


def test_closing_is_bounded(two_users: str) -> None:
    """Work that does not end in time loses its connection; a read may not begin again."""
    db = Database.connect(two_users).open()
    session = db.session()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            session.execute(q.NAP, {"seconds": 30.0})
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert backends_settle_at(1, two_users, where=AT_WORK)
    begin = time.monotonic()
    db.close(timeout=0.3)
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - begin < 10
    assert [type(error) for error in errors] == [Closed]


def test_closing_is_told_from_a_time_limit(two_users: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the server's word that it cancelled comes first, the call was closed."""
    hang_up = Link.hang_up

    def late(link: Link) -> None:
        time.sleep(1.0)
        hang_up(link)

    monkeypatch.setattr(Link, "hang_up", late)
    test_closing_is_bounded(two_users)


def test_wakes_a_server_that_sleeps(two_users: str) -> None:
    """A server that refuses at first is tried again, with pauses, for some seconds."""
    with Proxy(two_users) as proxy, Database.connect(proxy.url) as db:
        proxy.refusing = True
        threading.Timer(1.0, lambda: setattr(proxy, "refusing", False)).start()
        assert db.session().one(q.WHO, {})


def test_a_fork_gets_connections_of_its_own(two_users: str, tmp_path: Path) -> None:
    """A child does not use, and does not close, the connections of its parent."""
    script = tmp_path / "fork.py"
    script.write_text(
        f"""
import os, sys
from todo_sql import Database, UsageError
db = Database.connect({two_users!r}).open()
session = db.session()
pid = lambda: session.sql("select pg_backend_pid() as pid", int)[0]
tx = session.transaction().__enter__()
tx.sql("select 1 as one", int)
mine = pid()
child = os.fork()
if not child:
    assert pid() != mine
    try:
        tx.sql("select 1 as one", int)
    except UsageError:
        os._exit(0)
    os._exit(1)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert pid() == mine
tx.sql("select 1 as one", int)
tx.__exit__(None, None, None)
db.close()
"""
    )
    answer = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")


LEAKS = """
import asyncio, gc, sys, threading, warnings
sys.path.insert(0, sys.argv[2])
from support import functions as f
from support import sessions as q
from support.backends import backends_settle_at
from todo_sql import AsyncDatabase, Database, IntegrityError, NoRow

url = sys.argv[1]

def counts(session):
    return session.sql(
        "select (select count(*) from pg_prepared_statements) as statements, "
        "(select count(*) from pg_stat_activity where datname = current_database()) as backends",
        dict,
    )[0]

with Database.connect(url, max_size=1) as db:
    me = db.as_user("ann")
    def some(number):
        me.one(q.ADD, {"title": str(number)})
        me.many(q.LIST, {})
        try:
            me.one(q.GET, {"id": 0})
        except NoRow:
            pass
        try:
            me.one(q.ADD, {"title": ""})
        except IntegrityError:
            pass
        with me.transaction() as tx:
            with tx.transaction() as inner:
                inner.one(q.COUNT, {})
        with me.batch() as batch:
            batch.add(f.count_tasks)
        with me.stream(q.STREAM, {}) as titles:
            next(iter(titles))
    for number in range(5):
        some(number)
    counts(db.session())
    before = counts(db.session())
    for number in range(140):
        some(number)
    assert counts(db.session()) == before, (before, counts(db.session()))
assert threading.active_count() == 1

async def main():
    asyncio.get_running_loop().slow_callback_duration = 30  # the machine may be busy
    async with AsyncDatabase.connect(url, max_size=2) as db:
        me = db.as_user("ann")
        for number in range(100):
            await me.one(q.COUNT, {})
            async with me.batch() as batch:
                batch.add(f.count_tasks)
        await asyncio.gather(*(me.one(q.COUNT, {}) for _ in range(50)))
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
asyncio.run(main())
gc.collect()
assert backends_settle_at(0, url)
"""


def test_a_thousand_calls_leave_nothing_behind(two_users: str, tmp_path: Path) -> None:
    """No connection, prepared statement, task or thread, with every warning an error."""
    script = tmp_path / "leaks.py"
    script.write_text(LEAKS)
    answer = subprocess.run(
        [sys.executable, "-W", "error", script, two_users, str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDEVMODE": "1"},
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_queued_tasks_can_be_cancelled(two_users: str) -> None:
    """Cancelling who waits in the queue loses neither a connection nor a place."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users, max_size=2) as db:
            session = db.session()
            for _ in range(10):
                tasks = [
                    asyncio.create_task(session.execute(q.NAP, {"seconds": 0.02}))
                    for _ in range(12)
                ]
                await asyncio.sleep(0.03)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            results = await asyncio.gather(*(session.one(q.WHO, {}) for _ in range(8)))
            assert len(results) == 8
            assert db.pool_size <= 2

    asyncio.run(main())
    gc.collect()
    assert backends_settle_at(0, two_users)


def test_importing_is_light() -> None:
    """`import todo_sql` loads neither psycopg nor pydantic; sessions no command-line tool."""
    heavy = ["typer", "rich", "yoyo", "sqlfluff", "postgast"]
    code = (
        "import sys, todo_sql\n"
        "assert not {'psycopg', 'pydantic'} & set(sys.modules)\n"
        "from todo_sql import Database, AsyncDatabase, Session, UNSET\n"
        f"found = set({heavy}) & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_closed_transaction_says_so(two_users: str) -> None:
    """A transaction cannot be used before its block nor a batch inside one."""
    with Database.connect(two_users) as db:
        with db.session().transaction() as tx:
            pass
        with pytest.raises(UsageError, match="over"):
            tx.one(q.WHO, {})
