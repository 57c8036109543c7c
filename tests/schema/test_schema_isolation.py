"""Isolation in plain SQL: every command, on every table, as each kind of login.

Whoever logs in, tenant calls act as todo_app; ada is the tenant, grace the other one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.database import Server
from support.people import Connection, Login, tenant

pytestmark = pytest.mark.database

TENANT_TABLES = ["lists", "tasks", "tags", "task_tags", "audit_log"]
WRITABLE = {"task_tags": "tag_id", "tags": "name", "tasks": "title", "lists": "name"}


REFUSED = [
    "insert into tasks (user_id, title) values ('grace', 'x')",
    "insert into lists (user_id, name) values ('grace', 'x')",
    "insert into tags (user_id, name) values ('grace', 'x')",
    "insert into task_tags (user_id, task_id, tag_id) values ('grace', 1, 1)",
    "insert into tasks (user_id, title) values ('nobody', 'x')",
    "insert into tasks (user_id, title) values ('', 'x')",
    "update tasks set user_id = 'grace'",
    "update tasks set id = id + 1",
    "update lists set user_id = 'grace'",
    "update task_tags set user_id = 'grace'",
    "insert into users (id, name, email) values ('x', 'x', 'x')",
    "update users set name = 'x'",
    "delete from users",
    "select email from users",
    "select * from users",
    "select 1 from sessions",
    "select 1 from accounts",
    "select 1 from verifications",
    "truncate tasks",
    "alter table tasks disable row level security",
    "create policy mine on tasks for select using (true)",
    "drop policy tasks_select_own on tasks",
    "create table public.loot (id bigint, foreign key (id) references tasks (id))",
    "create view public.loot as select * from tasks",
    "select nextval('tasks_id_seq')",
    "select setval('tasks_id_seq', 1)",
    "select last_value from tasks_id_seq",
    "select lastval()",
    "copy tasks (user_id, title) from stdin",
    "copy tasks to '/tmp/loot'",
    "set local row_security = off; select 1 from tasks",
    "set local session_replication_role = replica",
    "select pg_read_file('/etc/passwd')",
    "create trigger t after insert on tasks for each row execute function record_change()",
    "set role todo_auth",
    "set role todo_readonly",
    "select pg_stat_reset()",
]


@pytest.fixture(params=["superuser", "bypassrls", "member"])
def session(
    request: pytest.FixtureRequest, people: str, server: Server, login: Login
) -> Iterator[Connection]:
    """A connection of each kind of login: superuser, BYPASSRLS, plain member of todo_app."""
    if request.param == "superuser":
        name = people.rpartition("/")[2]
        with psycopg.connect(server.url(name), autocommit=True) as connection:
            yield connection
    else:
        yield login({"bypassrls": "login_bypass", "member": "login_app"}[request.param])


def value(connection: Connection, query: str, *arguments: Any) -> Any:
    """Return the single value of a query."""
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0]


def test_without_a_tenant_nothing_is_visible(session: Connection) -> None:
    """No setting, an empty one, an unknown user, a trick: no rows, in any table."""
    for user in (None, "", "nobody", "ADA", " ada", "ada' or 'a'='a", "%"):
        with tenant(session, user):
            for table in [*TENANT_TABLES, "users"]:
                assert session.execute(f"select 1 from {table}").fetchall() == [], (user, table)


def test_nothing_is_visible_after_a_tenant(session: Connection) -> None:
    """The scope ends with its transaction: the setting is empty then, which is nobody."""
    with tenant(session, "ada"):
        assert value(session, "select count(*) from tasks") == 2
    with tenant(session, None):
        assert value(session, "select current_setting('app.current_user_id')") == ""
        assert value(session, "select count(*) from tasks") == 0


def test_only_own_rows_are_read(session: Connection) -> None:
    """By scan, by key, through joins, aggregates, sub-selects and COPY."""
    with tenant(session, "ada"):
        for table in TENANT_TABLES:
            seen = session.execute(f"select distinct user_id from {table}").fetchall()
            assert seen == [("ada",)], table
            assert value(session, f"select count(*) from {table} where user_id = 'grace'") == 0
        assert session.execute("select id, name, image from users").fetchall() == [
            ("ada", "Ada", None)
        ]
        with session.cursor().copy("copy tasks (title) to stdout") as copy:
            assert b"grace" not in b"".join(bytes(chunk) for chunk in copy)


def test_only_own_rows_are_changed(session: Connection, owned: Connection) -> None:
    """UPDATE and DELETE without a condition reach one's own rows and no others."""
    for table, column in WRITABLE.items():
        change_all(session, owned, table, column)


def change_all(session: Connection, owned: Connection, table: str, column: str) -> None:
    """Change and delete every row of a table that ada reaches."""
    before = owned.execute(f"select * from {table} where user_id = 'grace'").fetchall()
    with tenant(session, "ada"):
        assert session.execute(f"update {table} set {column} = {column}").rowcount > 0
        assert (
            session.execute(f"update {table} set {column} = {column} where user_id = 'grace'")
        ).rowcount == 0
        assert session.execute(f"delete from {table} where user_id = 'grace'").rowcount == 0
        assert session.execute(f"delete from {table}").rowcount > 0
    assert owned.execute(f"select * from {table} where user_id = 'grace'").fetchall() == before
    assert value(owned, f"select count(*) from {table} where user_id = 'ada'") == 0


def test_refused(login: Login) -> None:
    """What a plain member of todo_app must not do is an error, whoever's row it is."""
    session = login("login_app")
    for statement in REFUSED:
        with pytest.raises(psycopg.DatabaseError) as caught, tenant(session, "ada"):
            session.execute(statement.encode())
        assert caught.value.sqlstate in ("42501", "0A000", "55000"), statement


@pytest.mark.parametrize(
    ("table", "column", "other"),
    [("tasks", "list_id", "lists"), ("task_tags", "tag_id", "tags")],
)
def test_another_tenants_row_looks_like_none(
    session: Connection, owned: Connection, table: str, column: str, other: str
) -> None:
    """Referring to grace's row fails exactly as referring to no row does."""

    def attempt(id: int) -> tuple[Any, ...]:
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught, tenant(session, "ada"):
            session.execute(f"update {table} set {column} = %s", [id])
        found = caught.value.diag
        return (
            found.sqlstate,
            found.constraint_name,
            found.message_primary,
            re.sub(rf"\b{id}\b", "ID", found.message_detail or ""),
        )

    theirs = value(owned, f"select id from {other} where user_id = 'grace'")
    assert attempt(theirs) == attempt(987654321)


def test_keys_tell_nothing(session: Connection, owned: Connection) -> None:
    """Grace's public_id and her names are free for ada: no unique key spans tenants."""
    theirs = value(owned, "select public_id from tasks where user_id = 'grace' limit 1")
    with tenant(session, "ada"):
        session.execute(
            "insert into tasks (user_id, public_id, title) values ('ada', %s, 'x')", [theirs]
        )
        session.execute("insert into lists (user_id, name) values ('ada', 'Home 2')")
        assert (
            value(
                session,
                """
            insert into tasks (user_id, public_id, title) values ('ada', %s, 'y')
            on conflict (user_id, public_id) do update set public_id = excluded.public_id
            returning title
            """,
                theirs,
            )
            == "x"
        )


def test_a_cheap_function_sees_no_other_row(session: Connection) -> None:
    """A function that leaks its argument is called after the policy, never before."""
    heard: list[str] = []
    session.add_notice_handler(lambda diagnostic: heard.append(str(diagnostic.message_primary)))
    with tenant(session, "ada"):
        session.execute(
            """
            create function pg_temp.leak(text) returns boolean language plpgsql cost 0.000001
            as $$ begin raise notice 'heard %', $1; return true; end $$
            """
        )
        session.execute("select 1 from tasks where pg_temp.leak(title)")
        session.execute("select 1 from audit_log where pg_temp.leak(changes::text)")
        session.execute("delete from lists where pg_temp.leak(name)")
        session.execute("select 1 from tasks where 1 / (length(title) - length(title) + 1) = 1")
    assert heard
    assert not [text for text in heard if "grace" in text.lower()]


def test_statistics_are_hidden(session: Connection, owned: Connection) -> None:
    """pg_stats would show the commonest titles of everybody."""
    owned.execute("analyze")
    with tenant(session, "ada"):
        assert (
            session.execute(
                "select tablename, attname from pg_stats where tablename = any(%s)",
                [TENANT_TABLES],
            ).fetchall()
            == []
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select * from pg_statistic")


def test_explain_shows_no_value_of_others(session: Connection, owned: Connection) -> None:
    """A plan, executed or not, names no title of grace's."""
    owned.execute("analyze")
    with tenant(session, "ada"):
        for statement in ("select * from tasks", "select * from tasks where title > 'a'"):
            for options in ("", "(analyze, verbose, buffers, settings) "):
                plan = session.execute(f"explain {options}{statement}").fetchall()
                assert "grace" not in str(plan)


def test_a_temporary_table_does_not_outlive_the_check(session: Connection) -> None:
    """Definer functions are not fooled by tables of the caller: pg_temp is last on their path."""
    with tenant(session, "ada"):
        session.execute("create temporary table audit_log (like public.audit_log)")
        session.execute("create temporary table sessions (user_id text, token text)")
        session.execute("set local search_path = pg_temp, public")
        session.execute("update public.tasks set completed = true")
        assert value(session, "select count(*) from pg_temp.audit_log") == 0
        assert (
            value(session, "select count(*) from public.audit_log where operation = 'update'") == 2
        )
        session.execute("insert into pg_temp.sessions values ('grace', 'token')")
        assert session.execute("select * from resolve_session('token')").fetchall() == []
        session.execute("drop table pg_temp.audit_log, pg_temp.sessions")


def test_sessions_are_resolved_without_being_readable(login: Login, owned: Connection) -> None:
    """A token that lives gives its user; an expired, unknown or missing one gives nothing."""
    owned.execute(
        """
        insert into sessions (id, user_id, token, expires_at)
        values ('1', 'ada', 'alive', now() + interval '1 hour'),
            ('2', 'grace', 'expired', now() - interval '1 second')
        """
    )
    session = login("login_app")
    found = session.execute("select user_id, expires_at > now() from resolve_session('alive')")
    assert found.fetchall() == [("ada", True)]
    for token in ("expired", "unknown", "", None, "%", "alive "):
        assert session.execute("select * from resolve_session(%s)", [token]).fetchall() == []


def test_a_login_without_a_role_is_shut_out(login: Login) -> None:
    """A login that was granted nothing reads nothing, resolves nothing."""
    session = login("login_nobody")
    for table in [*TENANT_TABLES, "users", "sessions", "accounts", "verifications"]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"select 1 from {table}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("select * from resolve_session('x')")


def test_todo_readonly_reads_all_and_writes_none(login: Login) -> None:
    """Reports see every user's rows, no address, no credential, and change nothing."""
    session = login("login_readonly")
    for table in TENANT_TABLES:
        assert session.execute(f"select distinct user_id from {table} order by 1").fetchall() == [
            ("ada",),
            ("grace",),
        ]
        for statement in (f"delete from {table}", f"update {table} set user_id = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    assert len(session.execute("select id, name, created_at from users").fetchall()) == 2
    for query in ("select email from users", "select 1 from sessions", "select 1 from accounts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(query)


def test_todo_auth_signs_in_and_no_more(login: Login) -> None:
    """It owns the sign-in tables; tasks, lists, tags and history are none of its business."""
    session = login("login_auth")
    session.execute("update users set name = 'Ada L.' where id = 'ada'")
    for table in TENANT_TABLES:
        for statement in (f"select 1 from {table}", f"delete from {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    assert session.execute("delete from users where id = 'grace'").rowcount == 1
