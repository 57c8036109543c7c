"""What a session sends where Citus is: the tenant as a statement, which Citus hands on.

A server counts as one with Citus if it knows the setting of Citus' library; here it is given to
a plain one. So what is sent is shown without Citus; what Citus makes of it, in `tests/citus`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest
from support import sessions as q
from support.proxy import Message, Proxy

from todo_sql import AsyncDatabase, BadParameter, Database, NoRow, Unavailable
from todo_sql.database.scope import scope_step, scope_steps

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database

SETTINGS = (("role", "todo_app"), ("app.current_user_id", "u1"), ("statement_timeout", "5ms"))
SEEN = "select current_setting('app.current_user_id')"

HOSTILE = [
    "u1",
    "it's",
    "'; select 1; --",
    "\\",
    "\\'",
    "'\\''; reset role; --",
    "E'\\x41'",
    "$$a$$",
    "$1",
    "%s %(x)s",
    "a\nb\r\tc",
    "/* no comment */ -- nor this",
    "U&'\\0041'",
    "true",
    "default",
    "日本 é \U0001f600",
    "\u2028\ufeff",
    "x" * 5_000,
]


def as_citus(url: str, *options: str) -> str:
    """Return the URL under which the server says of itself that Citus is there."""
    words = ["citus.propagate_set_commands=none", *options]
    given = quote(" ".join(f"-c {word}" for word in words))
    return f"{url}{'&' if '?' in url else '?'}options={given}"


def sent(step_sql: bytes) -> str:
    """Return a statement as text."""
    return step_sql.decode()


def test_the_tenant_is_a_statement_of_its_own() -> None:
    """Role and time limit by set_config, which stays here; the tenant by both, and goes on."""
    first, second = scope_steps(SETTINGS, citus=True)
    assert [call.split("'")[1] for call in sent(first.statement.sql).split(",")[::3]] == [
        "citus.propagate_set_commands",
        "role",
        "app.current_user_id",
        "statement_timeout",
    ]
    assert list(first.values) == ["local", "todo_app", "u1", "5ms"]
    assert sent(second.statement.sql) == "set local \"app.current_user_id\" to E'u1'"
    assert second.statement.once


def test_elsewhere_nothing_is_added() -> None:
    """One statement for all of a plain server; none where a call has no settings."""
    (only,) = scope_steps(SETTINGS, citus=False)
    assert only.statement is scope_step(SETTINGS).statement
    assert scope_steps((), citus=True) == scope_steps((), citus=False) == []


def test_a_call_without_a_tenant_sends_one_statement() -> None:
    """A role alone has nothing that the other nodes must hear of."""
    (only,) = scope_steps((("role", "todo_auth"), ("statement_timeout", "5ms")), citus=True)
    assert "citus" not in sent(only.statement.sql)


def test_names_are_quoted_and_a_setting_is_lifted() -> None:
    """As a name with a quote, and as one whose value is taken away again."""
    *_, last = scope_steps((('my."x', None),), citus=True)
    assert sent(last.statement.sql) == 'set local "my.""x" to default'


@pytest.mark.parametrize("conforming", ["on", "off"])
@pytest.mark.parametrize("tenant", HOSTILE, ids=lambda tenant: ascii(tenant)[:20])
def test_any_tenant_arrives_as_it_is(todo_database: str, tenant: str, conforming: str) -> None:
    """Whatever it holds, and however the server reads a backslash in a string."""
    url = as_citus(todo_database, f"standard_conforming_strings={conforming}")
    q.add_users(todo_database, tenant)
    with Database.connect(url) as db:
        me, other = db.as_user(tenant), db.as_user("other")
        assert me.sql(SEEN, str) == [tenant]
        made = me.one(q.CREATE, {"title": "mine", "public_id": UUID(int=1)})
        assert me.many(q.ALL, {}) == [tenant]
        assert other.many(q.ALL, {}) == []
        with pytest.raises(NoRow):
            other.one(q.GET, {"id": made.id})


@pytest.mark.parametrize("tenant", ["a\0b", "\ud800", "\0"])
@pytest.mark.parametrize("kind", ["call", "batch", "transaction"])
def test_what_no_text_holds_is_refused(two_users: str, tenant: str, kind: str) -> None:
    """And nothing of the call is sent."""
    with Proxy(as_citus(two_users)) as proxy, Database.connect(proxy.url) as db:
        db.as_user("ann").one(q.COUNT, {})
        me = db.as_user(tenant)
        with proxy.counting() as counted, pytest.raises(BadParameter):
            if kind == "call":
                me.one(q.COUNT, {})
            elif kind == "batch":
                with me.batch() as batch:
                    batch.add(lambda session: session.one(q.COUNT, {}))
            else:
                with me.transaction() as tx:
                    tx.one(q.COUNT, {})
        assert counted.from_client == 0


AWAY = "do $$ begin raise exception 'node x is away' using errcode = '08006'; end $$"
AWAY_AT_COMMIT = """
create function away() returns trigger language plpgsql as $$
begin raise exception 'node x is away' using errcode = '08006'; end $$;
create constraint trigger away after insert on tasks deferrable initially deferred
for each row execute function away()
"""


def test_a_node_that_is_away(two_users: str) -> None:
    """Told as a database that is away; behind COMMIT what became of a change is not known."""
    with Database.connect(as_citus(two_users)) as db:
        me = db.as_user("ann")
        with pytest.raises(Unavailable) as caught:
            me.sql(AWAY)
        assert not caught.value.outcome_unknown
        with psycopg.connect(two_users, autocommit=True) as admin:
            admin.execute(AWAY_AT_COMMIT)
        with pytest.raises(Unavailable) as caught:
            me.one(q.ADD, {"title": "x"})
        assert caught.value.outcome_unknown
        with pytest.raises(Unavailable) as caught, me.transaction() as tx:
            tx.one(q.ADD, {"title": "x"})
        assert caught.value.outcome_unknown
        assert me.one(q.COUNT, {}) == 0


def in_calls(db: Database) -> None:
    """A read and a write."""
    db.as_user("ann").one(q.ADD, {"title": "x"})
    db.as_user("ann").one(q.COUNT, {})


def in_a_transaction(db: Database) -> None:
    """Two calls, one in a savepoint that is rolled back."""
    with db.as_user("ann").transaction() as tx:
        tx.one(q.ADD, {"title": "x"})
        with pytest.raises(ZeroDivisionError), tx.transaction() as inner:
            inner.one(q.COUNT, {})
            raise ZeroDivisionError
        tx.one(q.COUNT, {})


def in_a_batch(db: Database) -> None:
    """Two calls in one flight."""
    with db.as_user("ann").batch() as batch:
        batch.add(lambda session: session.one(q.ADD, {"title": "x"}))
        batch.add(lambda session: session.one(q.COUNT, {}))


def in_a_stream(db: Database) -> None:
    """Rows from a cursor."""
    with db.as_user("ann").stream(q.STREAM, {}) as rows:
        list(rows)


def in_a_copy(db: Database) -> None:
    """Rows through COPY."""
    db.as_user("ann").copyfrom(q.IMPORT_TITLES, [{"title": "x"}, {"title": "y"}])


def in_a_unit(db: Database) -> None:
    """A unit of work that may be redone."""
    db.as_user("ann").run(lambda tx: tx.one(q.ADD, {"title": "x"}))


EVERY_WAY = [
    in_calls,
    in_a_transaction,
    in_a_batch,
    in_a_stream,
    in_a_copy,
    in_a_unit,
]


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: way.__name__)
def test_every_way_to_call_sends_the_tenant_on(
    two_users: str, way: Callable[[Database], None]
) -> None:
    """As many statements as transactions begin, and as many round trips as on a plain server."""
    trips, statements = [], []
    for url in (two_users, as_citus(two_users)):
        heard: list[bytes] = []

        def note(message: Message, heard: list[bytes] = heard) -> bool:
            heard.append(message.body)
            return False

        with Proxy(url, latency=0.01) as proxy, Database.connect(proxy.url, max_size=1) as db:
            db.as_user("bob").one(q.COUNT, {})
            proxy.fault("delay", match=note, side="client")
            with proxy.counting() as counted:
                way(db)
            trips.append(counted.round_trips)
        text = b"\n".join(heard)
        statements.append(text.count(b"set local \"app.current_user_id\" to E'ann'"))
    assert trips[0] == trips[1]
    assert statements[0] == 0
    assert statements[1] >= 1


def test_the_first_call_costs_no_more(two_users: str) -> None:
    """That Citus is there is learnt with what a new connection is asked anyway."""
    trips = []
    for url in (two_users, as_citus(two_users)):
        with Proxy(url, latency=0.01) as proxy, Database.connect(proxy.url) as db:
            with proxy.counting() as counted:
                db.as_user("ann").one(q.COUNT, {})
            trips.append(counted.round_trips)
    assert trips[0] == trips[1]


def test_it_leaves_nothing_behind(two_users: str) -> None:
    """The next call on the connection has neither tenant nor setting."""
    with Database.connect(as_citus(two_users), max_size=1) as db:
        db.as_user("ann").one(q.COUNT, {})
        names = "coalesce(current_setting('app.current_user_id', true), '')"
        found = db.session().sql(
            f"select {names} || '/' || current_setting('citus.propagate_set_commands')", str
        )
        assert found == ["/none"]


def test_the_asynchronous_twin_sends_it_too(two_users: str) -> None:
    """One implementation serves both."""
    with psycopg.connect(two_users, autocommit=True) as admin:
        admin.execute("insert into tasks (user_id, title) values ('ann', 'x'), ('bob', 'y')")

    async def main() -> None:
        async with AsyncDatabase.connect(as_citus(two_users)) as db:
            assert await db.as_user("ann").many(q.ALL, {}) == ["ann"]
            assert await db.as_user("ann").sql(SEEN, str) == ["ann"]

    asyncio.run(main())
