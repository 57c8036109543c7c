"""The suite on isolation, every command and every kind of login, on the shards of a coordinator.

Three tests differ: Citus has errors of its own for what one server refuses or allows.
"""

from __future__ import annotations

import psycopg
import pytest
from schema.test_schema_isolation import *  # noqa: F403
from schema.test_schema_isolation import REFUSED, TENANT_TABLES
from support.people import Connection, Login, tenant


def test_refused(login: Login) -> None:  # type: ignore[no-redef]
    """What a plain member of todo_app must not do is an error; COPY has a test of its own."""
    session = login("login_app")
    for statement in REFUSED:
        if statement.startswith("copy tasks (user_id"):
            continue
        with pytest.raises(psycopg.DatabaseError) as caught, tenant(session, "ada"):
            session.execute(statement.encode())
        assert caught.value.sqlstate in ("42501", "0A000", "55000"), statement


def test_nothing_is_copied_into_another_tenants_rows(login: Login, owned: Connection) -> None:
    """One server refuses COPY into a table with row security at once, a shard its first row."""
    session = login("login_app")
    before = owned.execute("select count(*) from tasks").fetchone()
    with (
        pytest.raises(psycopg.DatabaseError),
        tenant(session, "ada"),
        session.cursor().copy("copy tasks (user_id, title) from stdin") as copy,
    ):
        copy.write_row(("grace", "x"))
    assert owned.execute("select count(*) from tasks").fetchone() == before


def test_a_cheap_function_sees_no_other_row(session: Connection) -> None:  # type: ignore[no-redef]
    """A temporary function is on no node: an error, before any row is read."""
    with pytest.raises(psycopg.errors.InvalidSchemaName), tenant(session, "ada"):
        session.execute(
            "create function pg_temp.leak(text) returns boolean language plpgsql cost 0.000001 "
            "as $$ begin raise notice 'heard %', $1; return true; end $$"
        )
        session.execute("select 1 from tasks where pg_temp.leak(title)")


def test_todo_readonly_reads_all_and_writes_none(login: Login) -> None:  # type: ignore[no-redef]
    """As on one server; that a row would change its node is refused before its privilege is."""
    session = login("login_readonly")
    for table in TENANT_TABLES:
        seen = session.execute(f"select distinct user_id from {table} order by 1").fetchall()
        assert seen == [("ada",), ("grace",)]
        for statement in (f"delete from {table}", f"update {table} set user_id = 'x'"):
            with pytest.raises(psycopg.DatabaseError) as caught:
                session.execute(statement.encode())
            assert caught.value.sqlstate in ("42501", "0A000"), statement
    assert len(session.execute("select id, name, created_at from users").fetchall()) == 2
    for query in ("select email from users", "select 1 from sessions", "select 1 from accounts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(query)
