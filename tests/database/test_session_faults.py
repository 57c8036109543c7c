"""A bad network and a restarting server: every call ends, nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import collections
import itertools
import random
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import sessions as q
from support.backends import backends_settle_at
from support.proxy import Action, Message, Proxy
from support.soak import pick

from todo_sql import AsyncDatabase, Database, Session, Timeout, TodoSqlError, Unavailable
from todo_sql.database.query import Query
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

pytest_plugins = ["support.session_fixtures"]

SECONDS = pick(8, 120)
WORKERS = 8
# A call's own limit; then the cancelling, and a busy machine.
CALL_SECONDS = 4.0
SLACK = 8.0


@pytest.fixture
def proxied(two_users: str) -> Iterator[Proxy]:
    """A proxy before a Todo database."""
    with Proxy(two_users) as proxy:
        yield proxy


def test_a_connection_that_died_idle_costs_a_retry(proxied: Proxy) -> None:
    """Reads and writes go through although every idle connection was cut."""
    with Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        for number in range(3):
            ann.one(q.ADD, {"title": str(number)})
            proxied.cut_all()
            time.sleep(0.1)
        assert ann.one(q.COUNT, {}) == 3


def test_a_server_that_hangs_up_costs_a_retry(two_users: str) -> None:
    """Told to go, a server says so before it has done anything: even a write is sent again."""
    with (
        Database.connect(two_users) as db,
        psycopg.connect(two_users, autocommit=True) as admin,
    ):
        ann = db.as_user("ann")
        for number in range(10):
            ann.one(q.ADD, {"title": str(number)})
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        assert ann.one(q.COUNT, {}) == 10


def test_a_read_is_sent_again(proxied: Proxy) -> None:
    """A connection cut in the flight of a read costs the caller nothing."""
    with Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        fault = proxied.fault("cut", match=lambda message: message.type == b"S")
        assert ann.one(q.COUNT, {}) == 0
        assert fault.fired.is_set()


def test_a_write_is_not_sent_again(proxied: Proxy) -> None:
    """Cut after COMMIT was sent, a write is reported as unknown, and is there at most once."""
    with Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        ann.one(q.ADD, {"title": "warm"})
        proxied.fault("cut", side="client", match=lambda message: message.type == b"S")
        with pytest.raises(Unavailable) as caught:
            ann.one(q.ADD, {"title": "once"})
        assert caught.value.outcome_unknown
        time.sleep(0.2)
        assert [t.title for t in ann.many(q.LIST, {})].count("once") <= 1


def test_a_create_with_a_public_id_is_sent_again(proxied: Proxy) -> None:
    """A client-supplied key makes a create safe to repeat, and it is repeated."""
    with Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        ann.one(q.CREATE, {"title": "warm", "public_id": uuid.uuid4()})
        for action in ("client", "server"):
            key = uuid.uuid4()
            proxied.fault("cut", after=2, side="server" if action == "server" else "client")
            made = ann.one(q.CREATE, {"title": action, "public_id": key})
            assert made.public_id == key
        assert ann.one(q.COUNT, {}) == 3


AWAY = """
create function away() returns trigger language plpgsql as $$
begin raise exception 'node x is away' using errcode = '08006'; end $$;
create trigger away before insert on tasks for each row execute function away()
"""


@pytest.mark.parametrize("way", ["call", "batch"])
@pytest.mark.parametrize("kind", ["write", "read", "node"])
def test_what_an_earlier_try_sent_is_not_forgotten(
    two_users: str, proxied: Proxy, way: str, kind: str
) -> None:
    """The next finds no server, or a node of it away: what came of a write is still unknown."""
    create: tuple[Query[Any], dict[str, Any]] = q.CREATE, {"title": "x", "public_id": uuid.uuid4()}
    query, values = (q.COUNT, {}) if kind == "read" else create
    if kind == "node":
        with psycopg.connect(two_users, autocommit=True) as admin:
            admin.execute(AWAY.encode())

    def refuse(message: Message) -> bool:
        proxied.refusing = kind != "node"
        return message.type == b"C"

    with Database.connect(proxied.url) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        proxied.fault("cut", side="server", match=refuse)
        with pytest.raises(Unavailable) as caught:
            if way == "call":
                ann.one(query, values)
            else:
                with ann.batch() as batch:
                    pending = batch.add(lambda session: session.one(query, values))
                pending.result()
        assert caught.value.outcome_unknown is (kind != "read")
        proxied.refusing = False
        assert ann.one(q.COUNT, {}) <= (kind == "write")


LOST = [
    "insert into lost (name) values (:name) on conflict (name) do nothing returning name",
    "insert into lost (name) values (:name) on conflict (name) do nothing",
    "insert into lost (name) select 'x' || random() || :name on conflict (name) do nothing",
    "insert into lost (name) values (:name) on conflict (name) do update set name = excluded.name",
]


@pytest.mark.parametrize("text", LOST)
def test_what_the_compiler_did_not_prove_is_not_sent_again(
    two_users: str, proxied: Proxy, text: str
) -> None:
    """Whatever the text looks like: ad hoc, or a query whose handle names no keys."""
    file = q.TextFile(f"-- name: claim :exec\n{text};", tenant=None)
    claim = file.query("claim", parameters={"name": "text"})
    with psycopg.connect(two_users, autocommit=True) as admin:
        admin.execute("create table lost (name text primary key)")
    with Database.connect(proxied.url, max_size=1) as db:
        session = db.session()
        calls = (
            lambda: session.execute(claim, {"name": "a"}),
            lambda: session.sql(text, name="b"),
        )
        for call in calls:
            session.sql("select 1", int)
            proxied.fault("cut", after=2, side="server")
            with pytest.raises(Unavailable) as caught:
                call()
            proxied.clear()
            assert caught.value.outcome_unknown


def test_a_stalled_server_ends_in_time(proxied: Proxy) -> None:
    """A call whose answer never comes is a Timeout; the connection is given up."""
    with Database.connect(proxied.url, timeout=1.0) as db:
        ann = db.as_user("ann")
        ann.one(q.COUNT, {})
        proxied.fault("stall", side="server")
        begin = time.monotonic()
        with pytest.raises(Timeout, match="no answer"):
            ann.one(q.ADD, {"title": "x"})
        assert time.monotonic() - begin < 1.0 + SLACK
        proxied.clear()
        assert ann.one(q.COUNT, {}) in (0, 1)


def test_cancelled_on_the_server(two_users: str) -> None:
    """A task that is cancelled does not leave its query running."""

    async def main() -> bool:
        async with AsyncDatabase.connect(two_users) as db:
            task = asyncio.create_task(db.as_user("ann").execute(q.NAP, {"seconds": 60.0}))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(Timeout):
                await db.as_user("ann").within(0.2).execute(q.NAP, {"seconds": 60.0})
            at_work = "state = 'active' and query like '%pg_sleep%'"
            return backends_settle_at(0, two_users, where=at_work)

    assert asyncio.run(main())


class Load:
    """What the workers of a sweep did: which writes were acknowledged, and how calls ended."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.acknowledged: set[str] = set()
        self.attempted: set[str] = set()
        self.ends: collections.Counter[str] = collections.Counter()
        self.longest = 0.0
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def work(self, seed: int) -> None:
        """Make random calls until told to stop."""
        dice = random.Random(seed)
        me = self.db.as_user("ann" if seed % 2 else "bob")
        for number in itertools.count():
            if self.stop.is_set():
                return
            title = f"{seed}-{number}"
            begin = time.monotonic()
            wrote, end = False, "answer"
            try:
                wrote = self._call(dice, me, title)
            except TodoSqlError as error:
                end = type(error).__name__
            with self._lock:
                self.longest = max(self.longest, time.monotonic() - begin)
                self.ends[end] += 1
                if wrote:
                    self.acknowledged.add(title)

    def _call(self, dice: random.Random, me: Session, title: str) -> bool:
        kind = dice.randrange(6)
        if kind <= 2:
            me.one(q.COUNT, {})
            return False
        with self._lock:
            self.attempted.add(title)
        if kind == 3:
            me.one(q.ADD, {"title": title})
        elif kind == 4:
            me.one(q.CREATE, {"title": title, "public_id": uuid.uuid4()})
        else:
            with me.transaction() as tx:
                tx.one(q.COUNT, {})
                tx.one(q.ADD, {"title": title})
        return True


def test_fault_sweep() -> None:
    """Cuts, stalls, delays and a restart under a mixed load."""
    with temporary_server(18, settings={"synchronous_commit": "on"}) as server:
        migrate(server.url(), q.MIGRATIONS)
        q.add_users(server.url(), "ann", "bob")
        with (
            Proxy(server.url()) as proxy,
            Database.connect(proxy.url, max_size=6, timeout=CALL_SECONDS) as db,
        ):
            load = Load(db)
            threads = [threading.Thread(target=load.work, args=(n,)) for n in range(WORKERS)]
            for thread in threads:
                thread.start()
            _make_trouble(proxy, server)
            load.stop.set()
            for thread in threads:
                thread.join(CALL_SECONDS + SLACK)
                assert not thread.is_alive(), "a worker hangs"
            # The pool is whole: as many calls at once as it has room for, all answered.
            assert db.run(lambda tx: tx.sql("select 1 as one", int)) == [1]
            assert db.pool_size <= 6
        with psycopg.connect(server.url()) as connection:
            found = collections.Counter(
                title for (title,) in connection.execute("select title from tasks")
            )
        left = "application_name = 'todo-sql'"
        none_left = backends_settle_at(0, server.url(), where=left)
    print(f"\n{dict(load.ends)}, longest {load.longest:.1f} s, {len(found)} rows")
    assert {title: found[title] for title in load.acknowledged if found[title] != 1} == {}
    assert {title: count for title, count in found.items() if count > 1} == {}
    assert found.keys() <= load.attempted
    assert load.longest < CALL_SECONDS + SLACK
    assert load.ends["answer"] > WORKERS
    assert set(load.ends) <= {"answer", "Unavailable", "Timeout", "TransactionAborted"}
    assert none_left


def _make_trouble(proxy: Proxy, server: EmbeddedServer) -> None:
    """Set one fault after the other until the time is up; restart the server in the middle."""
    begin = time.monotonic()
    actions: list[Action] = ["cut", "stall", "delay"]
    restarted = False
    for number in itertools.count():
        passed = time.monotonic() - begin
        if passed > SECONDS:
            break
        if passed > SECONDS / 2 and not restarted:
            proxy.clear()
            server.stop()
            server.start()
            restarted = True
        action = actions[number % 3]
        proxy.fault(action, after=7 + number * 5 % 41, seconds=0.2, repeat=action != "stall")
        time.sleep(min(1.5, SECONDS / 8))
        proxy.clear()
    proxy.clear()
