"""What one tenant leaves on a pooled connection, the next one never reads, writes or holds.

Each attack is an ad hoc statement of one tenant that a list of words would have to know;
here the next tenant looks whether anything of it is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from support import sessions as q
from support.compiling import checked
from support.database import Server
from support.pgbouncer import pgbouncer

from todo_sql import AsyncDatabase, Database, DatabaseError, Session, UsageError

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database

# Kind of residue -> statements that leave it, each in words of its own.
ATTACKS = {
    "temporary table": (
        "create temp table tasks as select 'bob'::text as user_id, 1 as id",
        "explain analyze create temp table tasks as select 'bob'::text as user_id, 1 as id",
        "select 'bob'::text as user_id, 1 as id into temp tasks",
        "select 'bob'::text as user_id, 1 as id into \"pg_temp\".tasks",
        "select 'bob'::text as user_id, 1 as id into pg_temp . \"tasks\"",
        "create table pg_temp.tasks (user_id text, id bigint)",
        'create table U&"pg\\005ftemp".tasks (user_id text, id bigint)',
        "do $$ begin create temp table tasks (user_id text, id bigint); end $$",
        "create temp view tasks as select 'bob'::text as user_id, 1 as id",
        "create temp sequence tasks",
        "create function pg_temp.tasks() returns int language sql as 'select 1'",
        "create domain pg_temp.tasks as text",
    ),
    "advisory lock": (
        "select pg_advisory_lock(4711)",
        'select "pg_advisory_lock"(4711)',
        "select pg_try_advisory_lock_shared(4711)",
        "with a as (select pg_advisory_lock(4711)) select * from a",
        "explain analyze select pg_advisory_lock(4711)",
        "do $$ begin perform pg_advisory_lock(4711); end $$",
    ),
    "prepared statement": ("do $$ begin execute 'prepare planted as select 1'; end $$",),
    "cursor": (
        "declare planted cursor with hold for select 1",
        "do $$ begin execute 'declare planted cursor with hold for select 1'; end $$",
    ),
    "channel": (
        "listen planted",
        "do $$ begin execute 'listen planted'; end $$",
    ),
    "setting": (
        "select set_config('work_mem', '77MB', 1 = 2)",
        "do $$ begin set work_mem = '77MB'; end $$",
        "do $$ begin set session role none; end $$",
        "do $$ begin set app.current_user_id = 'bob'; end $$",
    ),
}
CASES = [
    pytest.param(text, id=f"{kind}: {text[:40]}")
    for kind, texts in ATTACKS.items()
    for text in texts
]

# Everything that a session holds, as the next caller would find it.
LEFT = """
select concat_ws(' ',
    (select string_agg(relname, ',') from pg_class where relnamespace = pg_my_temp_schema()),
    (select string_agg(proname, ',') from pg_proc where pronamespace = pg_my_temp_schema()),
    (select string_agg(typname, ',') from pg_type where typnamespace = pg_my_temp_schema()),
    (select 'lock ' || count(*) from pg_locks as l
        where l.locktype = 'advisory' and l.pid = pg_backend_pid() having count(*) > 0),
    (select string_agg(s.name, ',') from pg_prepared_statements as s where s.from_sql),
    (select string_agg(c.name, ',') from pg_cursors as c where c.is_holdable),
    (select string_agg(channel, ',') from pg_listening_channels() as channel),
    (select 'work_mem' where current_setting('work_mem') = '77MB'),
    (select 'tenant' where current_setting('app.current_user_id', true) <> ''),
    (select current_user where current_user <> session_user)
)
"""


def _try(attack: Callable[[Session, str], object], session: Session, text: str) -> None:
    """Attack; that it is refused, or fails, is well too."""
    with suppress(DatabaseError, UsageError):
        attack(session, text)


def _in_transaction(session: Session, text: str) -> None:
    with session.transaction() as tx:
        tx.sql(text, dict)


def _in_savepoint(session: Session, text: str) -> None:
    with session.transaction() as tx, tx.transaction() as inner:
        inner.sql(text, dict)


def _then_rolled_back(session: Session, text: str) -> None:
    with session.transaction() as tx:
        tx.sql(text, dict)
        raise UsageError("changed my mind")


def _then_failed(session: Session, text: str) -> None:
    with session.transaction() as tx:
        tx.sql(text, dict)
        tx.sql("select 1 / 0", int)


def _in_batch(session: Session, text: str) -> None:
    with session.batch() as batch:
        batch.add(lambda s: s.sql(text, dict))


WAYS: dict[str, Callable[[Session, str], object]] = {
    "call": lambda session, text: session.sql(text, dict),
    "transaction": _in_transaction,
    "savepoint": _in_savepoint,
    "rolled back": _then_rolled_back,
    "failed": _then_failed,
    "batch": _in_batch,
}


@contextmanager
def _reached(url: str, server: Server, *, pooled: bool) -> Iterator[str]:
    """Yield how the database is reached: directly, or through a pooler with one backend."""
    if not pooled:
        yield url
        return
    with pgbouncer(url, pool_size=1) as through:
        yield through


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pgbouncer"])
def test_nothing_is_left_for_the_next_tenant(two_users: str, server: Server, pooled: bool) -> None:
    """After every attack, in every shape of call, the session is as a new one."""
    tried = 0
    with (
        _reached(two_users, server, pooled=pooled) as url,
        psycopg.connect(two_users, autocommit=True) as direct,
        Database.connect(url, max_size=1, tenant=q.TENANT) as db,
    ):
        ann, login = db.as_user("ann"), db.session()
        direct.execute("insert into tasks (user_id, title) values ('bob', 'his')")
        ann.one(q.ADD, {"title": "mine"})
        for text in (text for texts in ATTACKS.values() for text in texts):
            for way, attack in WAYS.items():
                for session in (ann, login):
                    _try(attack, session, text)
                    tried += 1
                    assert login.sql(LEFT, str) == [""], (text, way)
                    assert ann.many(q.ALL, {}) == ["ann"], (text, way)
        found = direct.execute("select count(*) from tasks where user_id = 'ann'").fetchone()
        assert found == (1,)
    assert tried == len(CASES) * len(WAYS) * 2


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pgbouncer"])
def test_nobody_knows_the_next_random_numbers(two_users: str, server: Server, pooled: bool) -> None:
    """A seed outlasts even DISCARD ALL; the next caller's random() does not follow from it."""
    attack, look = "select setseed(0.5)", "select array[random(), random()]"
    with (
        _reached(two_users, server, pooled=pooled) as url,
        psycopg.connect(two_users, autocommit=True) as direct,
        Database.connect(url, max_size=1, tenant=q.TENANT) as db,
    ):
        direct.execute(attack)
        known = direct.execute(look).fetchall()
        direct.execute("discard all")
        direct.execute(attack)
        assert direct.execute(look).fetchall() == known
        for way in WAYS.values():
            _try(way, db.as_user("ann"), attack)
            assert [tuple(db.as_user("bob").sql(look, list))] != known


@pytest.mark.parametrize("text", CASES)
def test_nothing_is_left_by_tasks(two_users: str, text: str) -> None:
    """The same holds for asynchronous sessions."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users, max_size=1, tenant=q.TENANT) as db:
            ann, login = db.as_user("ann"), db.session()
            for session in (ann, login):
                for nested in (False, True):
                    with suppress(DatabaseError, UsageError):
                        if nested:
                            async with session.transaction() as tx:
                                await tx.sql(text, dict)
                        else:
                            await session.sql(text, dict)
                    assert await login.sql(LEFT, str) == [""]

    asyncio.run(main())


def test_a_lock_of_a_failed_statement_is_given_back(two_users: str) -> None:
    """A rollback keeps session locks: they are given back behind it."""
    with Database.connect(two_users, max_size=1, tenant=q.TENANT) as db:
        ann, login = db.as_user("ann"), db.session()
        failing = "select pg_advisory_lock(4711), 1 / (select count(*) from tasks where false)"
        for session in (ann, login):
            for attack in WAYS.values():
                _try(attack, session, failing)
                assert login.sql(LEFT, str) == [""]


@pytest.mark.parametrize("text", ["commit and chain", "rollback and chain", "end", "abort"])
def test_the_transaction_stays_the_sessions(two_users: str, text: str) -> None:
    """What ends the transaction is refused, and nothing of another tenant is read after it."""
    with Database.connect(two_users, max_size=1, tenant=q.TENANT) as db:
        db.as_user("bob").one(q.ADD, {"title": "his"})
        with pytest.raises(UsageError), db.as_user("ann").transaction() as tx:
            tx.sql(text, dict)
        assert db.as_user("ann").many(q.ALL, {}) == []


def test_an_ad_hoc_call_keeps_its_connection(two_users: str) -> None:
    """What the resets end costs no connection."""
    with Database.connect(two_users, max_size=1, tenant=q.TENANT) as db:
        login = db.session()
        pids = set()
        for text in ("select 1", "select pg_advisory_lock(1)", "select 1 as a into temp a"):
            login.sql(text, dict)
            pids |= set(login.sql("select pg_backend_pid()", int))
        assert len(pids) == 1


NAMED = {
    "select pg_advisory_lock(4711)": True,
    "select pg_advisory_xact_lock(4711)": False,
    "select set_config('work_mem', '77MB', :local::boolean)": True,
    "listen planted": True,
    "create temporary table tasks as select 1 as id": True,
    "select 1 as id into temporary tasks": True,
    "select public.volatile_one()": True,
    "select public.stable_one()": False,
    "select id from public.kept where id = :id": False,
    "insert into public.kept (name) values (:name) returning id": False,
    "delete from public.kept where id = :id": False,
    "with a as (select pg_try_advisory_lock(4711)) select * from a": True,
}


def test_the_compiler_knows_what_named_queries_leave(empty_database: str) -> None:
    """A query that is proved clean pays nothing; behind any other the session is made new."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "create table public.kept (id bigint generated always as identity, name text);"
            "create function public.volatile_one() returns int language sql volatile as 'select 1';"
            "create function public.stable_one() returns int language sql stable as 'select 1'"
        )
        text = "\n".join(f"-- name: q{n} :exec\n{sql};\n" for n, sql in enumerate(NAMED))
        found = {e.query.name: e.leaves for e in checked(connection, text).described}
    assert found == {f"q{n}": leaves for n, leaves in enumerate(NAMED.values())}


def test_a_named_query_that_leaves_something_is_followed_by_resets(two_users: str) -> None:
    """The lock of a named query is given back behind it, as an ad hoc one's is."""
    file = q.TextFile("-- name: hold :exec\nselect pg_advisory_lock(4711);\n")
    hold = file.query("hold", leaves=True)
    with Database.connect(two_users, max_size=1, tenant=q.TENANT) as db:
        for session in (db.session(), db.as_user("ann")):
            session.execute(hold, {})
            assert db.session().sql(LEFT, str) == [""]
