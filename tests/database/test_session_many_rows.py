"""Many rows: pages, streams, COPY, and one query with many sets of arguments."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg.types.range import Range
from support import sessions as q

from todo_sql import (
    AsyncDatabase,
    BadCursor,
    BadParameter,
    Database,
    DatabaseError,
    IntegrityError,
    TenantRequired,
)
from todo_sql.queries.cursor import Cursor, encode

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database


def rows(count: int, **changes: object) -> Iterator[dict[str, object]]:
    """Yield rows for `q.IMPORT`."""
    for number in range(count):
        yield {
            "public_id": uuid.uuid4(),
            "title": f"task {number}",
            "description": None if number % 2 else 'odd, "quoted"\n',
            "completed": False,
            **changes,
        }


def test_pages_forwards_and_back(two_users: str) -> None:
    """Every row is met once, in both directions, and a foreign cursor is refused."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        assert ann.copyfrom(q.IMPORT, rows(25)) == 25
        seen: list[int] = []
        page = ann.page(q.PAGE, {"limit": 10})
        assert page.previous is None
        while True:
            assert all(isinstance(task, q.Task) for task in page.items)
            seen += [task.id for task in page.items]
            if page.next is None:
                break
            last = page
            page = ann.page(q.PAGE, {"limit": 10}, page.next)
        assert len(seen) == len(set(seen)) == 25
        assert page.previous is not None
        assert ann.page(q.PAGE, {"limit": 10}, page.previous).items == last.items
        newest = ann.page(q.PAGE, {"limit": 3, "sort": "newest"})
        assert [task.id for task in newest.items] == sorted(seen, reverse=True)[:3]
        with pytest.raises(BadCursor):
            ann.page(q.PAGE, {"limit": 10}, "nonsense")
        with pytest.raises(BadParameter):
            ann.page(q.PAGE, {"limit": 0})
        with ann.transaction() as tx:
            assert len(tx.page(q.PAGE, {"limit": 5}).items) == 5
        assert db.as_user("bob").page(q.PAGE, {"limit": 5}).items == []


def test_a_cursor_with_values_that_no_row_has(two_users: str) -> None:
    """What PostgreSQL cannot read is the fault of who forged it, not of the database."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        ann.copyfrom(q.IMPORT, rows(3))
        named = q.PAGE.named
        for key in ("x", "9" * 30, "", "1\0", "1; drop table tasks"):
            forged = encode(named, Cursor(False, ("title", key), {"sort": "title"}))
            with pytest.raises(BadCursor, match="forged"):
                ann.page(q.PAGE, {"limit": 10}, forged)
            with pytest.raises(BadCursor, match="forged"), ann.transaction() as tx:
                tx.page(q.PAGE, {"limit": 10}, forged)
        fits = encode(named, Cursor(False, ("title", "7"), {"sort": "title"}))
        assert ann.page(q.PAGE, {"limit": 10}, fits).next is None


def test_streams(two_users: str) -> None:
    """Rows come piece by piece; an early end leaves a usable connection."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        ann.copyfrom(q.IMPORT, rows(1203))
        with ann.stream(q.STREAM, {}) as titles:
            assert list(titles) == [f"task {number}" for number in range(1203)]
        with ann.stream(q.STREAM, {}) as titles:
            assert next(iter(titles)) == "task 0"
        with pytest.raises(ZeroDivisionError), ann.stream(q.STREAM, {}) as titles:
            raise ZeroDivisionError
        with ann.transaction() as tx:
            with tx.stream(q.STREAM, {}) as titles:
                assert len(list(titles)) == 1203
            assert tx.one(q.COUNT, {}) == 1203
        with pytest.raises(TenantRequired):
            db.session().stream(q.STREAM, {})
        assert db.pool_size == 1


def test_copies_rows_of_a_tenant(two_users: str) -> None:
    """COPY goes by way of a temporary table, under row security; a repeat adds nothing."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        given = list(rows(5000))
        assert ann.copyfrom(q.IMPORT, iter(given)) == 5000
        assert ann.copyfrom(q.IMPORT, given) == 0
        assert ann.one(q.COUNT, {}) == 5000
        assert ann.many(q.LIST, {})[7].title == "task 7"
        assert db.as_user("bob").one(q.COUNT, {}) == 0
        assert ann.copyfrom(q.IMPORT, []) == 0
        with ann.transaction() as tx:
            assert tx.copyfrom(q.IMPORT, rows(3)) == 3
            assert tx.copyfrom(q.IMPORT, rows(3)) == 3
            assert tx.one(q.COUNT, {}) == 5006
        assert ann.one(q.COUNT, {}) == 5006


def test_copies_what_has_a_default(two_users: str) -> None:
    """A row may leave out what has a default in the header, and nothing else."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        given = [{"title": "a"}, {"title": "b", "completed": False}]
        assert ann.copyfrom(q.IMPORT_TITLES, given) == 2
        assert [(one.title, one.completed) for one in ann.many(q.LIST, {})] == [
            ("a", True),
            ("b", False),
        ]
        with pytest.raises(BadParameter, match="lacks `title`"):
            ann.copyfrom(q.IMPORT_TITLES, [{"completed": True}])
        for row in ({"title": "a", "x": 1}, {"title": "a", "x": 1, "completed": True}):
            with pytest.raises(BadParameter, match="unexpected `x`"):
                ann.copyfrom(q.IMPORT_TITLES, [row])


def test_copies_objects_and_undescribed_types(two_users: str) -> None:
    """Rows may be objects; without described types the text form is used."""

    @dataclass
    class Row:
        public_id: uuid.UUID
        title: str
        description: str | None
        completed: bool

    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        untyped = q.FILE.query("import_tasks", tenant=True)
        assert ann.copyfrom(untyped, [Row(uuid.uuid4(), 'a\tb\\"', None, True)]) == 1
        (task,) = ann.many(q.LIST, {})
        assert task.title == 'a\tb\\"'
        assert task.completed


def test_copies_directly_without_row_security(empty_database: str) -> None:
    """A plain table of a project without tenants is copied into as it is."""
    file = q.TextFile(
        "-- name: fill :copyfrom\ninsert into plain (a, b) values (:a, :b);", tenant=None
    )
    fill = file.query("fill", parameters={"a": "integer", "b": "timestamp with time zone"})
    now = datetime.datetime.now(datetime.UTC)
    with Database.connect(empty_database) as db:
        session = db.session()
        session.sql("create table plain (a int not null, b timestamptz)", dict)
        assert session.copyfrom(fill, ({"a": n, "b": now} for n in range(1000))) == 1000
        assert session.sql("select max(b) from plain", datetime.datetime) == [now]
        with pytest.raises(BadParameter, match="`a`"):
            session.copyfrom(fill, [{"a": 2**31, "b": now}])
        east = datetime.timezone(datetime.timedelta(hours=14))
        beyond = datetime.datetime.min.replace(tzinfo=east)
        with pytest.raises(BadParameter, match="`b`"):
            session.copyfrom(fill, [{"a": 1, "b": now.astimezone(east)}, {"a": 1, "b": beyond}])
        with pytest.raises(IntegrityError) as caught:
            session.copyfrom(fill, [{"a": None, "b": now}])
        assert caught.value.field == "a"
        assert caught.value.index == 0


@pytest.mark.parametrize("declared", ["small", "int check (a < 5)", "int unique"])
@pytest.mark.parametrize("pg_type", ["integer", None])
def test_the_row_that_the_server_refuses(
    empty_database: str, declared: str, pg_type: str | None
) -> None:
    """Its place among the rows is told, in the binary form and as text."""
    file = q.TextFile("-- name: fill :copyfrom\ninsert into plain (a) values (:a);", tenant=None)
    fill = file.query("fill", parameters={"a": pg_type} if pg_type else {})
    with Database.connect(empty_database) as db:
        session = db.session()
        session.sql("create domain small as int check (value < 5)", dict)
        session.sql(f"create table plain (a {declared})", dict)
        with pytest.raises(IntegrityError) as caught:
            session.copyfrom(fill, [{"a": n} for n in (0, 1, 2, 3, 4, 5, 5)])
        assert caught.value.index == (6 if "unique" in declared else 5)
        assert f"in the set with index {caught.value.index}" in str(caught.value)
        assert session.copyfrom(fill, [{"a": 1}]) == 1


def test_none_is_refused_in_every_set(empty_database: str) -> None:
    """The compiler's proof of `returning a` relies on it, where the column would take NULL."""
    file = q.TextFile(
        "-- name: fill :copyfrom\n-- param: a not null\n"
        "insert into loose (a, b) values (:a, :b);\n"
        "-- name: add :batch\n-- param: a not null\n"
        "insert into loose (a, b) values (:a, :b) returning :a::int as a;\n",
        tenant=None,
    )
    types = {"a": "integer", "b": "integer"}
    fill = file.query("fill", parameters=types, nullable=("b",))
    add = file.query("add", row=int, parameters=types, nullable=("b",))
    good, bad = {"a": 1, "b": None}, {"a": None, "b": 1}
    with Database.connect(empty_database) as db:
        session = db.session()
        session.sql("create table loose (a int, b int)", dict)
        for sets in ([bad], [good, bad], [good] * 1500 + [bad]):
            with pytest.raises(BadParameter, match="`a`"):
                session.copyfrom(fill, sets)
            with pytest.raises(BadParameter, match="`a`"):
                session.batch_execute(add, sets)
        assert session.sql("select count(*) from loose", int) == [0]
        assert session.batch_execute(add, [good]) == [1]
        assert session.copyfrom(fill, [good]) == 1


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"title": 5}, "title"),
        ({"completed": "yes"}, "completed"),
        ({"surplus": 1}, "surplus"),
        ({"user_id": "bob"}, "user_id"),
    ],
)
def test_a_bad_row_is_named_and_nothing_kept(
    two_users: str, changes: dict[str, object], parameter: str
) -> None:
    """A mistake in the last of many rows undoes all of them; the connection stays."""
    with Database.connect(two_users, max_size=1) as db:
        ann = db.as_user("ann")
        with pytest.raises(BadParameter) as caught:
            ann.copyfrom(q.IMPORT, [*rows(2000), *rows(1, **changes)])
        assert caught.value.parameter == parameter
        assert caught.value.index == 2000
        with pytest.raises(BadParameter, match="lacks `completed`") as caught:
            ann.copyfrom(q.IMPORT, [{"public_id": None, "title": "x", "description": None}])
        assert "in the set with index 0" in str(caught.value)
        assert ann.one(q.COUNT, {}) == 0
        assert db.pool_size == 1


def test_errors_while_copying(two_users: str) -> None:
    """A violated constraint, or rows that raise, undo everything; in a transaction, too."""

    def failing() -> Iterator[dict[str, object]]:
        yield from rows(10)
        raise ZeroDivisionError

    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        with pytest.raises(IntegrityError) as caught:
            ann.copyfrom(q.IMPORT, rows(3, title=""))
        assert caught.value.field == "title"
        with pytest.raises(ZeroDivisionError):
            ann.copyfrom(q.IMPORT, failing())
        with ann.transaction() as tx:
            tx.one(q.ADD, {"title": "kept"})
            with pytest.raises(ZeroDivisionError), tx.transaction() as inner:
                inner.copyfrom(q.IMPORT, failing())
        assert [task.title for task in ann.many(q.LIST, {})] == ["kept"]


def test_numbers_too_big_do_not_wrap(empty_database: str) -> None:
    """A number that its type cannot hold is an error, in arrays and ranges, too."""
    file = q.TextFile(
        "-- name: echo :one\nselect :small as small, :many as many, :span as span;", tenant=None
    )
    types = {"small": "smallint", "many": "integer[]", "span": "int4range"}
    echo = file.query("echo", row=dict, parameters=types)
    good: dict[str, object] = {"small": -(2**15), "many": [2**31 - 1, None], "span": Range(1, 5)}
    with Database.connect(empty_database) as db:
        assert db.session().one(echo, good) == good
        for change in ({"small": 2**15}, {"many": [2**31]}, {"span": Range(1, 2**31)}):
            with pytest.raises((BadParameter, DatabaseError)):
                db.session().one(echo, {**good, **change})


def test_many_sets_of_arguments(two_users: str) -> None:
    """A :batch query is atomic, and returns its rows or how many it affected."""
    with Database.connect(two_users) as db:
        ann = db.as_user("ann")
        titles = [f"task {number}" for number in range(2500)]
        assert ann.batch_execute(q.ADD_EACH, ({"title": title} for title in titles)) == titles
        tasks = ann.many(q.LIST, {})
        sets = [{"id": task.id, "title": task.title.upper()} for task in tasks[:7]]
        assert ann.batch_execute(q.RENAME_EACH, sets) == 7
        assert ann.batch_execute(q.RENAME_EACH, []) == 0
        with pytest.raises(IntegrityError):
            ann.batch_execute(q.ADD_EACH, [{"title": "a"}, {"title": ""}, {"title": "b"}])
        assert ann.one(q.COUNT, {}) == 2500


def test_the_same_asynchronously(two_users: str) -> None:
    """Pages, streams, COPY and sets with tasks."""

    async def main() -> None:
        async with AsyncDatabase.connect(two_users) as db:
            ann = db.as_user("ann")
            assert await ann.copyfrom(q.IMPORT, rows(1100)) == 1100
            async with ann.stream(q.STREAM, {}) as titles:
                assert len([title async for title in titles]) == 1100
            page = await ann.page(q.PAGE, {"limit": 10})
            page = await ann.page(q.PAGE, {"limit": 10}, page.next)
            assert len(page.items) == 10
            assert await ann.batch_execute(q.ADD_EACH, [{"title": "x"}]) == ["x"]
            async with ann.transaction() as tx:
                async with tx.stream(q.STREAM, {}) as titles:
                    assert len([title async for title in titles]) == 1101
                with pytest.raises(BadParameter):
                    async with tx.transaction() as inner:
                        await inner.copyfrom(q.IMPORT, rows(2, title=5))
                assert await tx.one(q.COUNT, {}) == 1101

    asyncio.run(main())
