"""What happens beside a call does not harm it: listeners, a small pool, DDL, missing `with`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel
from support import functions as f
from support import sessions as q

from todo_sql import (
    AsyncDatabase,
    BadParameter,
    BadRow,
    Database,
    IntegrityError,
    SchemaChanged,
    Session,
    UsageError,
)

pytest_plugins = ["support.session_fixtures"]
pytestmark = pytest.mark.database

FILE = q.TextFile(
    """
-- name: read :many
select * from things order by id;

-- name: add :batch
insert into things (name) values (:name);

-- name: put :batch
insert into things (name) values (:name) returning *;

-- name: copy :copyfrom
insert into things (name) values (:name);

-- name: copy_unless :copyfrom
insert into things (name) values (:name) on conflict (id) do nothing;

-- name: add_one :exec
insert into things (name) values (:name);

-- name: refer :exec
insert into refers (thing) values (:thing);

-- name: pages :page
select * from things order by id limit :limit;

-- name: stream :stream
select * from things order by id;
""",
    tenant=None,
)
TEXT = {"name": "text"}
READ = FILE.query("read", row=dict, read_only=True)
ADD = FILE.query("add", parameters=TEXT, nullable=())
PUT = FILE.query("put", row=dict, parameters=TEXT)
COPY = FILE.query("copy", parameters=TEXT)
COPY_UNLESS = FILE.query("copy_unless", parameters=TEXT)
ADD_ONE = FILE.query("add_one", parameters=TEXT)
REFER = FILE.query("refer", parameters={"thing": "bigint"})
PAGES = FILE.query("pages", row=dict, parameters={"limit": "bigint"}, not_null=("id",))
STREAM = FILE.query("stream", row=dict, read_only=True)

SCHEMA = """
create table things (
    id bigint generated always as identity primary key,
    name text not null constraint one_name unique
);
create table refers (
    thing bigint constraint known references things deferrable initially deferred
);
insert into things (name) values ('a')
"""


@pytest.fixture
def things(empty_database: str) -> str:
    """The URL of a database with things, of which there is one."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
    return empty_database


def _nested(session: Session) -> None:
    with session.transaction() as tx:
        tx.execute(ADD_ONE, {"name": "kept"})
        with pytest.raises(IntegrityError) as caught, tx.transaction() as inner:
            inner.execute(ADD_ONE, {"name": "a"})
        assert caught.value.columns == ("name",)
        tx.execute(ADD_ONE, {"name": "kept too"})
        inner_error = caught.value
    names = [row["name"] for row in session.many(READ, {})]
    assert names == ["a", "kept", "kept too"]
    raise inner_error


def _transaction(session: Session) -> None:
    with session.transaction() as tx:
        tx.execute(ADD_ONE, {"name": "b"})
        tx.execute(ADD_ONE, {"name": "a"})


def _batch(session: Session) -> None:
    with session.batch() as batch:
        good = batch.add(lambda s: s.execute(ADD_ONE, {"name": "b"}))
        bad = batch.add(lambda s: s.execute(ADD_ONE, {"name": "a"}))
    good.result()
    bad.result()


def _deferred(session: Session) -> None:
    with session.transaction() as tx:
        tx.execute(REFER, {"thing": 99})


VIOLATIONS: dict[str, Callable[[Session], Any]] = {
    "plain": lambda s: s.execute(ADD_ONE, {"name": "a"}),
    "ad hoc": lambda s: s.sql("insert into things (name) values (:name)", name="a"),
    "transaction": _transaction,
    "nested": _nested,
    "batch": _batch,
    "each": lambda s: s.batch_execute(ADD, [{"name": "b"}, {"name": "a"}]),
    "copy": lambda s: s.copyfrom(COPY, [{"name": "a"}]),
    "copy and insert": lambda s: s.copyfrom(COPY_UNLESS, [{"name": "a"}]),
    "commit": _deferred,
    "plain commit": lambda s: s.execute(REFER, {"thing": 99}),
}


@pytest.mark.parametrize("shape", VIOLATIONS)
def test_a_violation_names_its_columns_with_a_pool_of_one(things: str, shape: str) -> None:
    """They are looked up on the connection itself: nobody waits for a second one."""
    column = "thing" if "commit" in shape else "name"
    with Database.connect(things, max_size=1) as db:
        for _ in range(2):
            with pytest.raises(IntegrityError) as caught:
                VIOLATIONS[shape](db.session())
            assert (caught.value.columns, caught.value.field) == ((column,), column)
            db.session().sql("delete from things where name <> 'a'")
        assert (db.stats().primary.waits, db.stats().primary.opened) == (0, 1)


@pytest.mark.parametrize(
    ("sets", "index", "error"),
    [
        ([{"name": "a"}], 0, IntegrityError),
        ([{"name": "x"}, {"name": "y"}, {"name": "a"}, {"name": "z"}], 2, IntegrityError),
        ([{"name": str(n)} for n in range(1500)] + [{"name": "a"}], 1500, IntegrityError),
        ([{"name": "x"}, {"name": 5}], 1, BadParameter),
        ([{"name": 5}], 0, BadParameter),
        ([{"name": "x"}, {"other": "y"}], 1, BadParameter),
        ([{"name": "x"}, {"name": None}], 1, BadParameter),
    ],
)
def test_the_failing_set_is_named(
    things: str, sets: list[dict[str, Any]], index: int, error: type[Exception]
) -> None:
    """An error of a `:batch` says which set it is about; nothing of the batch is kept."""
    with Database.connect(things, max_size=1) as db:
        with pytest.raises(error) as caught:
            db.session().batch_execute(ADD, sets)
        assert isinstance(caught.value, IntegrityError | BadParameter)
        assert caught.value.index == index
        assert f"index {index}" in str(caught.value)
        assert len(db.session().many(READ, {})) == 1


def test_a_listener_that_raises_harms_no_call(
    things: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged, and the call returns; the other listeners are told as well."""
    told: list[str] = []
    with Database.connect(things, max_size=1) as db, caplog.at_level(logging.ERROR, "todo_sql"):

        @db.on_query
        def away(event: object) -> None:
            raise RuntimeError("the exporter is away")

        db.on_query(lambda event: told.append(event.name))
        session = db.session()
        session.execute(ADD_ONE, {"name": "b"})
        with session.batch() as batch:
            one = batch.add(lambda s: s.execute(ADD_ONE, {"name": "c"}))
        one.result()
        session.batch_execute(ADD, [{"name": "d"}])
        session.copyfrom(COPY, [{"name": "e"}])
        with session.transaction() as tx:
            tx.execute(ADD_ONE, {"name": "f"})
        with session.stream(STREAM, {}) as rows:
            assert len(list(rows)) == 6
        assert len(session.page(PAGES, {"limit": 2}).items) == 2
        with pytest.raises(IntegrityError):
            session.execute(ADD_ONE, {"name": "a"})
        expected = ["add_one", "add_one", "add", "copy", "add_one", "stream", "pages", "add_one"]
        assert told == expected
        assert [record.name for record in caplog.records] == ["todo_sql.listener"] * len(expected)


WIDEN = "alter table things add column if not exists extra int default 7"


@pytest.mark.parametrize(
    ("shape", "call"),
    {
        "plain": lambda s: s.many(READ, {}),
        "page": lambda s: s.page(PAGES, {"limit": 1}).items,
        "each": lambda s: s.batch_execute(PUT, [{"name": "b"}, {"name": "c"}]),
        "ad hoc": lambda s: s.sql("select * from things", dict),
        "run": lambda s: s.run(lambda tx: tx.many(READ, {})),
    }.items(),
)
def test_ddl_beside_calls(things: str, shape: str, call: Callable[[Session], Any]) -> None:
    """A statement prepared before the schema changed is prepared anew, on every connection."""
    with Database.connect(things, max_size=3) as db:
        session = db.session()
        with session.transaction() as one, session.transaction() as two:
            for tx in (one, two):  # three connections know the statement
                tx.many(READ, {})
            call(session)
        session.sql("delete from things where name <> 'a'")
        with psycopg.connect(things, autocommit=True) as admin:
            admin.execute(WIDEN)
        for _ in range(3):
            assert all(row["extra"] == 7 for row in call(session))
            session.sql("delete from things where name <> 'a'")


def test_ddl_beside_the_rest(things: str) -> None:
    """A batch, a stream, COPY and the first call of a transaction go on; a later one is typed."""
    with Database.connect(things, max_size=2) as db:
        session = db.session()
        other = "select count(*) from refers"

        def everything() -> list[Any]:
            with session.batch() as batch:
                read = [batch.add(lambda s: s.many(READ, {})) for _ in range(2)]
                wrote = batch.add(lambda s: s.execute(REFER, {"thing": 1}))
            wrote.result()
            with session.stream(STREAM, {}) as rows:
                streamed = list(rows)
            with session.transaction() as tx:
                first = tx.many(READ, {})
            with session.transaction() as tx, tx.transaction() as inner:
                nested = inner.many(READ, {})
            assert session.copyfrom(COPY_UNLESS, []) == 0
            return [read[0].result(), read[1].result(), streamed, first, nested]

        everything()
        with psycopg.connect(things, autocommit=True) as admin:
            admin.execute(WIDEN)
            assert all(row["extra"] == 7 for rows in everything() for row in rows)
            assert session.sql(other, int) == [2]
            admin.execute("alter table things drop column extra")
            with pytest.raises(SchemaChanged), session.transaction() as tx:
                tx.sql(other, int)
                tx.many(READ, {})
            admin.execute(WIDEN)
            tries: list[int] = []

            def unit(tx: Session) -> list[Any]:
                tries.append(1)
                tx.sql(other, int)
                return tx.many(READ, {})

            session.many(READ, {})
            admin.execute("alter table things drop column extra")
            assert all("extra" not in row for row in session.run(unit))
            assert len(tries) == 2


def test_ddl_beside_statements_that_are_not_prepared(things: str) -> None:
    """Sent whole each time, as behind some poolers, a statement may return other columns."""

    class Thing(BaseModel):
        id: int
        name: str
        extra: int = 0

    with Database.connect(things, max_size=1) as db:
        session = db.session()
        session.sql("select 1", int)
        (link,) = db._engine.pool._idle  # type: ignore[union-attr]
        link.prepares = False
        whole = READ.into(Thing)
        assert session.many(whole, {}) == [Thing(id=1, name="a")]
        with psycopg.connect(things, autocommit=True) as admin:
            admin.execute(
                "alter table things add column extra int default 7, drop column id cascade"
            )
            admin.execute("alter table things add column id int default 3")
        assert session.many(whole, {}) == [Thing(id=3, name="a", extra=7)]


def test_sql_without_a_row_type(things: str) -> None:
    """It runs, and returns how many rows it changed: alone, in a transaction, in a batch."""
    insert = "insert into things (name) select g::text from generate_series(1, :n) as g"
    with Database.connect(things) as db:
        session = db.session()
        assert session.sql(insert, n=3) == 3
        assert session.sql("update things set name = name || '!' where id > :id", id=1) == 3
        assert session.sql("delete from things where false") == 0
        assert session.sql("create table more (a int)") == 0
        with session.transaction() as tx:
            assert tx.sql("delete from things where id > 1") == 3
        with session.batch() as batch:
            pending = batch.add(lambda s: s.sql(insert, n=2))
        assert pending.result() == 2

    async def main() -> int:
        async with AsyncDatabase.connect(things) as db:
            return await db.session().sql("delete from things")

    assert asyncio.run(main()) == 3


class Pair(BaseModel):
    """A row with one field only."""

    id: int


@pytest.mark.parametrize("row", [dict, dict[str, int], Pair])
def test_two_columns_of_one_name(things: str, row: Any) -> None:
    """None is lost in silence; a tuple has room for both."""
    text = "select t.id, u.id from things as t cross join things as u"
    with Database.connect(things) as db:
        with pytest.raises(BadRow, match="two columns named `id`"):
            db.session().sql(text, row)
        assert db.session().sql(text, tuple[int, int]) == [(1, 1)]


def test_what_needs_with_says_so(things: str) -> None:
    """Used without it nothing is sent, and no connection is held."""

    def check(use: Callable[[], Any]) -> None:
        with pytest.raises(UsageError, match="is not open") as caught:
            use()
        assert caught.value.finding.code == "D232"
        assert "with" in str(caught.value.finding.fix)

    with Database.connect(things, max_size=1) as db:
        session = db.session()
        tx = session.transaction()
        rows = session.stream(STREAM, {})
        check(lambda: tx.many(READ, {}))
        check(lambda: tx.sql("select 1", int))
        check(lambda: tx.transaction())
        check(lambda: tx.copyfrom(COPY, []))
        check(lambda: next(iter(rows)))
        check(lambda: session.batch().add(f.count_tasks))
        with session.transaction() as outer:
            check(lambda: outer.transaction().many(READ, {}))
            assert len(outer.many(READ, {})) == 1
        with rows as opened:
            assert len(list(opened)) == 1
        with pytest.raises(UsageError, match="opened before"), rows:
            pass
        assert len(session.many(READ, {})) == 1

    async def main() -> None:
        async with AsyncDatabase.connect(things, max_size=1) as db:
            session = db.session()
            tx = session.transaction()
            with pytest.raises(UsageError, match="is not open"):
                await tx.many(READ, {})
            with pytest.raises(UsageError, match="is not open"):
                async for _ in session.stream(STREAM, {}):
                    pass
            assert len(await session.many(READ, {})) == 1

    asyncio.run(main())


def test_a_stream_that_fails_to_open_holds_nothing(things: str) -> None:
    """Its connection is free again, and a transaction around it can go on in a savepoint."""
    broken = FILE.query("stream", row=dict)
    with Database.connect(things, max_size=1) as db:
        session = db.session()
        with psycopg.connect(things, autocommit=True) as admin:
            admin.execute("alter table things rename to others")
            for _ in range(2):
                with pytest.raises(Exception, match="does not exist"), session.stream(broken, {}):
                    pass
            with session.transaction() as tx:
                with (
                    pytest.raises(Exception, match="does not exist"),
                    tx.transaction() as inner,
                    inner.stream(broken, {}),
                ):
                    pass
                assert tx.sql("select 1", int) == [1]
        assert session.sql("select 1", int) == [1]
        assert db.stats().primary.idle == db.stats().primary.size == 1
