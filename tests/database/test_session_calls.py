"""Calls on a session: rows, tenants, arguments, typed errors."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.types.range import Range
from pydantic import BaseModel
from support import functions as f
from support import sessions as q
from support.database import Owner, Server

from todo_sql import (
    AsyncDatabase,
    BadParameter,
    BadRow,
    Database,
    DatabaseError,
    IntegrityError,
    NoRow,
    QueryEvent,
    RoleRefused,
    TenantRequired,
    TooManyRows,
    Unavailable,
    UsageError,
)
from todo_sql.database.query import Query

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database


@dataclass(frozen=True, slots=True)
class Spot:
    """A row of two columns."""

    number: int
    word: str


def test_rows_become_models(two_users: str) -> None:
    """A row comes back as its model, a dataclass, or a bare value."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        made = ann.one(q.ADD, {"title": "Buy milk"})
        assert isinstance(made, q.Task)
        assert ann.one(q.GET, {"id": made.id}) == made
        assert ann.optional(q.FIND, {"title": "Buy milk"}) == made
        assert ann.optional(q.FIND, {"title": "nothing"}) is None
        assert ann.many(q.LIST, {}) == [made]
        assert ann.many(q.LIST, {"completed": True}) == []
        assert ann.one(q.COUNT, {}) == 1
        assert ann.execrows(q.COMPLETE, {}) == 1
        ann.execute(q.RENAME, {"id": made.id, "title": "Buy tea"})
        (fast,) = ann.many(q.LIST.into(q.FastTask), {"completed": True})
        assert isinstance(fast, q.FastTask)
        assert fast.title == "Buy tea"


def test_the_asynchronous_session_has_the_same_calls(two_users: str) -> None:
    """Coroutines give what the blocking calls give."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users) as db:
            ann = db.as_user("ann")
            made = await ann.one(q.ADD, {"title": "Buy milk"})
            assert await ann.one(q.GET, {"id": made.id}) == made
            assert await ann.optional(q.FIND, {"title": "nothing"}) is None
            assert await ann.many(q.LIST, {}) == [made]
            await ann.execute(q.RENAME, {"id": made.id, "title": "Buy tea"})
            assert await ann.execrows(q.COMPLETE, {}) == 1
            with pytest.raises(NoRow):
                await ann.one(q.GET, {"id": 0})
            assert await ann.sql("select :a::int as a", int, a=1) == [1]
            assert await asyncio.gather(*(ann.one(q.COUNT, {}) for _ in range(30))) == [1] * 30

    asyncio.run(main())


def test_a_tenant_sees_its_own_rows_alone(two_users: str) -> None:
    """Whoever logs in, calls run as todo_app, even a query that forgot its predicate."""
    with Database.connect(two_users) as db:
        ann, bob = db.as_user("ann"), db.as_user("bob")
        mine = ann.one(q.ADD, {"title": "mine"})
        bob.one(q.ADD, {"title": "his"})
        assert ann.one(q.WHO, {}) == "todo_app"
        assert ann.many(q.ALL, {}) == ["ann"]
        assert bob.many(q.ALL, {}) == ["bob"]
        with pytest.raises(NoRow):
            bob.one(q.GET, {"id": mine.id})
        bob.execute(q.RENAME, {"id": mine.id, "title": "stolen"})
        assert ann.one(q.GET, {"id": mine.id}).title == "mine"
        assert db.session().one(q.WHO, {}) != "todo_app"


def test_a_query_needs_its_tenant(two_users: str) -> None:
    """Without a tenant, or with an empty one, nothing is sent."""
    with Database.connect(two_users) as db:
        with pytest.raises(TenantRequired, match="list_tasks"):
            db.session().many(q.LIST, {})
        for empty in ("", "  ", None):
            with pytest.raises(TenantRequired):
                db.as_user(empty)
        with pytest.raises(BadParameter, match="from the session"):
            db.as_user("ann").many(q.LIST, {"user_id": "bob"})
        assert db.pool_size == 0


@pytest.mark.parametrize(
    ("query", "arguments", "parameter"),
    [
        (q.GET, {}, "id"),
        (q.GET, {"id": 1, "title": "x"}, "title"),
        (q.GET, {"id": "1"}, "id"),
        (q.GET, {"id": True}, "id"),
        (q.GET, {"id": 2**63}, "id"),
        (q.ADD, {"title": 5}, "title"),
        (q.ADD, {"title": "a\0b"}, "title"),
        (q.ADD, {"title": "\ud800"}, "title"),
        (q.CREATE, {"title": "x", "public_id": "not a uuid"}, "public_id"),
        (q.LIST, {"completed": 1}, "completed"),
    ],
)
def test_a_bad_argument_is_named(
    two_users: str, query: Query[Any], arguments: dict[str, object], parameter: str
) -> None:
    """A missing, surplus or mistyped argument is an error that names the parameter."""
    with Database.connect(two_users) as db, pytest.raises(BadParameter) as caught:
        db.as_user("ann").many(query, arguments)
    assert caught.value.parameter == parameter
    assert f"`{parameter}`" in str(caught.value)


def test_one_statement_whatever_the_value(two_users: str) -> None:
    """Small and big numbers are sent as the described type: one prepared statement."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        for number in (1, 40_000, 3_000_000_000):
            with pytest.raises(NoRow):
                ann.one(q.GET, {"id": number})
        names = db.session().sql(
            "select statement from pg_prepared_statements where statement like :like",
            str,
            like="%tasks.sql:get_task */%",
        )
        assert len(names) == 1
        assert names[0].startswith("/* queries/tasks.sql:get_task */ select")


@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 12:00+00 BC"])
def test_a_value_that_python_cannot_hold(two_users: str, value: str) -> None:
    """Written by another client, it is a typed error that names the column; other rows are read."""
    file = q.TextFile(
        "-- name: due :many\n"
        "select title, due_date from tasks\n"
        "where user_id = :user_id\n"
        "    and title = :title  -- if: title"
    )
    due: Query[Any] = file.query(
        "due", row=dict, parameters={"user_id": "text", "title": "text"}, tenant=True
    )
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        for title in ("good", "odd"):
            ann.one(q.ADD, {"title": title})
        for _ in range(2):  # in text, then in binary
            assert len(ann.many(due, {"title": "good"})) == 1
        ann.sql(f"update tasks set due_date = '{value}' where title = 'odd'", dict)
        for _ in range(2):
            with pytest.raises(BadRow, match="column `due_date`") as caught:
                ann.many(due, {})
        assert "tasks.sql:due" in str(caught.value)
        assert value not in str(caught.value)
        assert len(ann.many(due, {"title": "good"})) == 1


def test_a_violated_constraint_names_its_field(two_users: str) -> None:
    """Constraint, table, columns and field are known although row security hides DETAIL."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        for _ in range(2):  # looked up, then remembered
            with pytest.raises(IntegrityError) as caught:
                ann.one(q.ADD, {"title": ""})
            assert caught.value.constraint == "tasks_title_check"
            assert caught.value.table == "tasks"
            assert caught.value.columns == ("title",)
            assert caught.value.field == "title"
            assert caught.value.kind == "check"
            assert caught.value.sqlstate == "23514"
            said = str(caught.value)
            assert "constraint tasks_title_check of table tasks, column title;" in said
            assert "fix: give `title` a value" in said
            assert caught.value.message.startswith('new row for relation "tasks" violates')
            assert "\n" not in caught.value.message
            place = caught.value.finding.place
            assert place and (place.excerpt or "")[place.column - 1 :].startswith(":title")
            assert caught.value.facts() == {
                "sqlstate": "23514",
                "kind": "check",
                "constraint": "tasks_title_check",
                "table": "tasks",
                "columns": ["title"],
                "field": "title",
            }
        made = ann.one(q.ADD, {"title": "x"})
        with pytest.raises(IntegrityError) as caught:
            ann.execute(q.MOVE, {"id": made.id, "list_id": 99})
        assert caught.value.kind == "foreign_key"
        assert caught.value.columns == ("user_id", "list_id")
        assert caught.value.field == "list_id"
        assert "columns user_id, list_id;" in str(caught.value)
        assert "fix: set `list_id` to a row that exists" in str(caught.value)
        with pytest.raises(IntegrityError) as caught:
            ann.one(q.ADD, {"title": None})
        assert (caught.value.kind, caught.value.field) == ("not_null", "title")
        with pytest.raises(IntegrityError) as caught:
            db.as_user("nobody").one(q.ADD, {"title": "x"})
        assert caught.value.constraint == "tasks_user_id_fkey"
        place = caught.value.finding.place
        assert place and (place.excerpt or "").startswith("insert into tasks")


def test_a_unique_expression_names_its_column(two_users: str) -> None:
    """What an expression of a unique index reads is among the columns: lower(name) is name."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        ann.sql("insert into lists (user_id, name) values ('ann', 'Unique') returning 1", int)
        with pytest.raises(IntegrityError) as caught:
            ann.sql("insert into lists (user_id, name) values ('ann', 'UNIQUE') returning 1", int)
    assert caught.value.constraint == "idx_lists_user_id_lower_name"
    assert caught.value.columns == ("user_id", "name")
    assert caught.value.field == "name"


def test_an_error_has_its_place_in_the_file(two_users: str) -> None:
    """PostgreSQL's position points into the query's file."""
    with Database.connect(two_users) as db, pytest.raises(DatabaseError) as caught:
        db.as_user("ann").execute(q.WRONG, {})
    assert caught.value.sqlstate == "42703"
    place = caught.value.finding.place
    assert place is not None
    assert place.file == "queries/tasks.sql"
    assert (place.excerpt or "")[place.column - 1 :].startswith("nonsense")


def test_too_many_rows(two_users: str) -> None:
    """A query for one row that finds two says so."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        for _ in range(2):
            ann.one(q.ADD, {"title": "twin"})
        with pytest.raises(TooManyRows, match="2 rows"):
            ann.optional(q.FIND, {"title": "twin"})


def test_ad_hoc_sql(two_users: str) -> None:
    """`session.sql` runs any statement and types its rows."""

    class Row(BaseModel):
        a: int
        b: str | None

    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        ann.one(q.ADD, {"title": "x"})
        assert ann.sql("select count(*) from tasks", int) == [1]
        assert db.session().sql("select :a::int as a, :b::text as b", Row, a=1, b=None) == [
            Row(a=1, b=None)
        ]
        assert db.session().sql("select 1 as one, 'x' as two", dict) == [{"one": 1, "two": "x"}]
        with pytest.raises(BadParameter):
            ann.sql("select :a::int", int)


@pytest.mark.parametrize(
    ("text", "row", "made"),
    [
        ("select 7", int, 7),
        ("select null::int", int | None, None),
        ("select array[1, 2]", list[int], [1, 2]),
        ("select 1.5::numeric", float, 1.5),
        ("select 1, 'x'", tuple[int, str], (1, "x")),
        ("select 1 as number, 'x' as word", Spot, Spot(1, "x")),
        ("select int4range(1, 3)", Range, Range(1, 3)),
    ],
)
def test_ad_hoc_rows_are_what_was_named(two_users: str, text: str, row: Any, made: object) -> None:
    """A value, a tuple, a dataclass, an optional value."""
    with Database.connect(two_users) as db:
        assert db.session().sql(text, row) == [made]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("select 'secret'", int),
        ("select null::int", int),
        ("select 1, 2", int),
        ("select 'secret' as number, 'x' as word", Spot),
        ("select 1 as number", Spot),
        ("select 1, 'secret'", tuple[int, int]),
    ],
)
def test_ad_hoc_rows_that_are_not_what_was_named(two_users: str, text: str, row: Any) -> None:
    """The caller's type is held against every value; the message names no value."""
    with Database.connect(two_users) as db, pytest.raises(BadRow) as caught:
        db.session().sql(text, row)
    assert "secret" not in str(caught.value)


def test_a_repeated_create_returns_the_same_row(two_users: str) -> None:
    """A client-supplied public_id makes a create safe to repeat."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        key = uuid.uuid4()
        first = ann.one(q.CREATE, {"title": "x", "public_id": key})
        assert ann.one(q.CREATE, {"title": "x", "public_id": key}) == first


@pytest.mark.parametrize("hazard", ["superuser", "bypassrls"])
def test_a_role_that_row_security_does_not_hold_is_refused(
    server: Server, two_users: str, hazard: str
) -> None:
    """The effective role is checked; the message says what to do."""
    admin = server.admin
    role = f"hazard_{uuid.uuid4().hex[:8]}"
    admin.execute(f"create role {role} nologin {hazard}")
    try:
        with Database.connect(server.url(), tenant=q.TENANT) as db:
            file = q.TextFile(
                "-- name: who :one\nselect current_user::text as who",
                tenant=type(q.TENANT)(role=role),
            )
            with pytest.raises(RoleRefused, match=role) as caught:
                db.as_user("ann").one(file.query("who", row=str), {})
            assert f"no{hazard}" in (caught.value.finding.fix or "")
    finally:
        admin.execute(f"drop role {role}")


def test_a_missing_role_is_refused(two_users: str) -> None:
    """A database that was not migrated is told from one that was."""
    file = q.TextFile(
        "-- name: who :one\nselect current_user::text as who",
        tenant=type(q.TENANT)(role="role_that_is_not_there"),
    )
    with Database.connect(two_users) as db, pytest.raises(RoleRefused, match="does not have"):
        db.as_user("ann").one(file.query("who", row=str), {})


def test_the_owner_of_a_tenant_table_is_refused(empty_database: str, owner: Owner) -> None:
    """An owner passes by its tables' policies."""
    if owner.kind != "plain":
        pytest.skip("the other owner is a superuser")
    file = q.TextFile("-- name: who :one\nselect 1 as one", tenant=type(q.TENANT)(role=owner.name))
    with Database.connect(empty_database) as db:
        db.session().sql("create table owned_table (user_id text)", dict)
        db.session().sql("alter table owned_table enable row level security", dict)
        with pytest.raises(RoleRefused, match="owned_table"):
            db.as_user("ann").one(file.query("who", row=int), {})


def test_nobody_there_and_not_let_in(server: Server) -> None:
    """A failed connection says whom it tried, why it failed, and no password."""
    cases = [
        (server.url("nonesuch"), "does not exist"),
        (server.url(user="nobody_here"), "nobody_here"),
        ("postgresql://me:hunter2@127.0.0.1:1/x?connect_timeout=1", "refused"),
    ]
    for url, reason in cases:
        with Database.connect(url, timeout=1) as db, pytest.raises(Unavailable) as caught:
            db.session().sql("select 1", int)
        assert reason in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert server.password not in str(caught.value)


def test_secrets_stay_out_of_every_repr(server: Server) -> None:
    """No object of the public interface shows the password."""
    with Database.connect(server.url()) as db:
        session = db.as_user("ann")
        session.sql  # noqa: B018 (touched, as a debugger would)
        shown = "".join(map(repr, (db, session, session.transaction(), db.session())))
    assert server.password not in shown
    assert "ann" in shown


def test_a_database_must_be_open(two_users: str) -> None:
    """Before `open` and after `close` a call says what to do."""
    db = Database.connect(two_users)
    with pytest.raises(UsageError, match="not open"):
        db.session()
    with db:
        session = db.session()
        assert session.sql("select 1", int) == [1]
    with pytest.raises(UsageError, match="closed"):
        session.sql("select 1", int)


def test_listeners_hear_of_each_call(two_users: str) -> None:
    """on_query gets name, duration, rows and SQLSTATE."""
    with Database.connect(two_users) as db:
        events: list[QueryEvent] = []
        db.on_query(events.append)
        ann = db.as_user("ann")
        ann.one(q.ADD, {"title": "x"})
        ann.many(q.LIST, {})
        ann.one(q.COUNT, {})
        ann.execrows(q.COMPLETE, {})
        ann.optional(q.FIND, {"title": "nothing"})
        with pytest.raises(IntegrityError):
            ann.one(q.ADD, {"title": ""})
        with pytest.raises(BadParameter):
            ann.one(q.ADD, {})
        with ann.batch() as batch:
            batch.add(f.count_tasks)
            batch.add(f.add_task, title="")
        with ann.stream(q.STREAM, {}) as titles:
            assert list(titles) == ["x"]
        ann.page(q.PAGE, {"limit": 5})
        ann.batch_execute(q.ADD_EACH, [{"title": "y"}, {"title": "z"}])
    assert [(event.name, event.rows, event.sqlstate, event.error) for event in events] == [
        ("add_task", 1, None, None),
        ("list_tasks", 1, None, None),
        ("count_tasks", 1, None, None),
        ("complete_tasks", 1, None, None),
        ("find_task", 0, None, None),
        ("add_task", None, "23514", "IntegrityError"),
        ("add_task", None, None, "BadParameter"),
        ("count_tasks", 1, None, None),
        ("add_task", None, "23514", "IntegrityError"),
        ("stream_titles", 1, None, None),
        ("page_tasks", 1, None, None),
        ("add_each", 2, None, None),
    ]
    assert all(event.duration > 0 and event.started_at > 0 for event in events)
