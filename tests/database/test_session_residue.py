"""Ad hoc SQL leaves nothing on the connection that the next call gets."""

from __future__ import annotations

import asyncio

import pytest
from support import sessions as q

from todo_sql import AsyncDatabase, Database, UsageError
from todo_sql.wire.residue import refuse

pytest_plugins = ["support.session_fixtures"]

WHO = "select concat_ws('/', current_user, session_user, current_setting('statement_timeout'))"
TENANT = "select coalesce(current_setting('app.current_user_id', true), '')"
# What our own scanner cannot see through.
HIDDEN = "select set_config(:name, :value, :local)"


@pytest.mark.parametrize(
    "text",
    [
        "begin",
        "/* a */ commit -- b",
        ";rollback",
        "savepoint a",
        "prepare transaction 'x'",
        "set role none",
        "SET session statement_timeout = 1",
        "set statement_timeout = 1",
        "set local role none",
        "set local session authorization default",
        "reset all",
        "discard all",
        "deallocate all",
        "select set_config('app.current_user_id', 'bob', false)",
        "select pg_catalog.set_config(upper('a') , 'b', FALSE)",
        "copy users to stdout",
        "copy (select 1) to stdout (format csv)",
        "/* a */ COPY users (id) FROM /* b */ STDIN",
    ],
)
def test_what_ad_hoc_sql_cannot_do(text: str) -> None:
    """The transaction and the session are not the statement's to change."""
    with pytest.raises(UsageError) as caught:
        refuse(text)
    assert caught.value.finding.code == "D207"
    assert caught.value.finding.fix


@pytest.mark.database
@pytest.mark.parametrize("text", ["copy users to stdout", "copy users from stdin", "commit"])
def test_what_no_call_can_make_costs_no_connection(two_users: str, text: str) -> None:
    """Ad hoc or named, in a transaction or not: nothing is sent."""
    query = q.TextFile(f"-- name: no :exec\n{text};", tenant=None).query("no", leaves=True)
    with Database.connect(two_users, max_size=1) as db:
        login = db.session()
        (pid,) = login.sql("select pg_backend_pid()", int)
        with login.transaction() as tx:
            for session in (login, tx):
                with pytest.raises(UsageError, match="a call cannot"):
                    session.sql(text)
                with pytest.raises(UsageError, match="a call cannot"):
                    session.execute(query, {})
        assert login.sql("select pg_backend_pid()", int) == [pid]


@pytest.mark.database
def test_settings_do_not_outlive_their_call(two_users: str) -> None:
    """Role, tenant and timeout are the login's again, on the same connection."""
    with Database.connect(two_users, max_size=1, tenant=q.TENANT) as db:
        login = db.session()
        (before,) = login.sql(WHO, str)
        ann = db.as_user("ann")
        bob = {"name": q.TENANT.setting, "value": "bob", "local": False}
        pid = "select pg_backend_pid()"
        (backend,) = login.sql(pid, int)
        for session in (ann, login):
            session.sql(HIDDEN, str, **bob)
            assert login.sql(TENANT, str) == [""]
            session.sql(HIDDEN, str, name="role", value="todo_app", local=False)
            session.sql(HIDDEN, str, name="statement_timeout", value="60s", local=False)
            assert login.sql(WHO, str) == [before]
            with session.transaction() as tx:
                tx.sql(HIDDEN, str, name="role", value="todo_app", local=False)
                tx.sql(HIDDEN, str, **bob)
            assert (login.sql(WHO, str), login.sql(TENANT, str)) == ([before], [""])
        with ann.batch() as batch:
            batch.add(lambda s: s.sql(HIDDEN, str, **bob))
        assert login.sql(TENANT, str) == [""]
        assert login.sql(pid, int) == [backend]


@pytest.mark.database
def test_a_transaction_keeps_its_tenant(two_users: str) -> None:
    """Whatever an ad hoc statement set, the next call's scope is the session's."""
    with Database.connect(two_users, tenant=q.TENANT) as db:
        ann, bob = db.as_user("ann"), db.as_user("bob")
        ann.one(q.ADD, {"title": "mine"})
        bob.one(q.ADD, {"title": "his"})
        for name, value in (("role", "none"), (q.TENANT.setting, "bob")):
            with ann.transaction() as tx:
                tx.sql(HIDDEN, str, name=name, value=value, local=True)
                assert tx.many(q.ALL, {}) == ["ann"]
                tx.sql(HIDDEN, str, name=name, value=value, local=True)
                with tx.transaction() as inner:
                    assert inner.many(q.ALL, {}) == ["ann"]
                assert tx.one(q.WHO, {}) == "todo_app"
        with ann.transaction() as tx:
            with pytest.raises(UsageError):
                tx.sql("commit", int)
            assert tx.many(q.ALL, {}) == ["ann"]
            tx.within(30).sql("select 1", int)
            assert tx.sql("select current_setting('statement_timeout')", str) != ["30s"]


@pytest.mark.database
def test_a_temporary_table_ends_with_its_connection(two_users: str) -> None:
    """What resets cannot undo costs the connection, outside and inside a transaction."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users, max_size=1) as db:
            login = db.session()
            await login.sql("create temporary table left_over (a int)", dict)
            assert await login.sql("select to_regclass('left_over') is null", bool) == [True]
            async with login.transaction() as tx:
                await tx.sql("create temporary table left_over (a int)", dict)
                assert await tx.sql("select count(*) from left_over", int) == [0]
            assert await login.sql("select to_regclass('left_over') is null", bool) == [True]

    asyncio.run(main())
