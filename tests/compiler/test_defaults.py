"""Defaults in headers: what PostgreSQL reads as their type, as values of Python, or an error."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from support.compiling import checked, codes
from support.generated import make, type_check

from todo_sql import AsyncDatabase, Database
from todo_sql.compiler.values import resolve

pytestmark = pytest.mark.database

SCHEMA = """
create type mood as enum ('sad', 'it''s');
create domain small as int check (value < 10);
create table t (id int generated always as identity, kind text not null check (kind in ('a', 'b')),
    title text not null check (char_length(title) between 1 and 5), n int check (n > 0),
    tags text[] not null, day date, extra jsonb, price numeric, moods mood[],
    primary key (id));
"""
REFUSED = object()
ID = UUID(int=7)

# A type, a constant of SQL, and the value of Python or REFUSED.
CASES: list[tuple[str, str, Any]] = [
    ("int", "5", 5), ("int", "'5'", 5), ("int", "1_000", 1000), ("int", "-3", -3),
    ("int", "1.5", REFUSED), ("int", "'x'", REFUSED), ("int", "true", REFUSED),
    ("int2", "40000", REFUSED), ("bigint", "9223372036854775807", 2**63 - 1),
    ("small", "5", 5), ("small", "50", REFUSED),
    ("text", "'a''b \\ \"c\"'", "a'b \\ \"c\""), ("text", "5", "5"), ("text", "''", ""),
    ("boolean", "true", True), ("boolean", "'off'", False), ("boolean", "'x'", REFUSED),
    ("numeric", "1.10", Decimal("1.10")), ("numeric", "'NaN'", Decimal("NaN")),
    ("numeric", "0.10000000000000000000001", Decimal("0.10000000000000000000001")),
    ("float8", "1", 1.0), ("float8", "1e3", 1000.0), ("float8", "'-Infinity'", float("-inf")),
    ("date", "'2026-01-31'", dt.date(2026, 1, 31)), ("date", "'2026-02-31'", REFUSED),
    ("date", "'today'", REFUSED), ("date", "'infinity'", REFUSED), ("date", "'1/2/2026'", REFUSED),
    ("timestamp", "'2026-01-31 12:30'", dt.datetime(2026, 1, 31, 12, 30)),
    ("timestamptz", "'2026-01-31 12:30+02'", dt.datetime(2026, 1, 31, 10, 30, tzinfo=dt.UTC)),
    ("timestamptz", "'2026-01-31 12:30'", REFUSED), ("timestamptz", "'now'", REFUSED),
    ("time", "'12:30:05.25'", dt.time(12, 30, 5, 250000)), ("time", "'25:00'", REFUSED),
    ("timetz", "'12:30+02'", dt.time(12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    ("interval", "'2 days 3 sec'", dt.timedelta(days=2, seconds=3)),
    ("interval", "'1 month'", REFUSED), ("interval", "'00:00'", dt.timedelta()),
    ("uuid", f"'{ID}'", ID), ("uuid", "'7'", REFUSED),
    ("bytea", r"'\x00ff'", b"\0\xff"), ("bytea", r"'\x0'", REFUSED),
    ("jsonb", "'{}'", {}), ("jsonb", '\'{"a": [1, null]}\'', {"a": [1, None]}), ("jsonb", "5", 5),
    ("json", "'[]'", []), ("jsonb", "'x'", REFUSED), ("jsonb", "'null'", REFUSED),
    ("mood", "'sad'", "sad"), ("mood", "'it''s'", "it's"), ("mood", "'glad'", REFUSED),
    ("mood[]", "'{sad}'", ("sad",)), ("mood[]", "'{glad}'", REFUSED),
    ("text[]", "'{}'", ()), ("text[]", "'{a,\"b c\"}'", ("a", "b c")), ("text[]", "'a'", REFUSED),
    ("int[]", "'{1,2}'", (1, 2)), ("int[][]", "'{{1},{2}}'", ((1,), (2,))),
    ("inet", "'10.0.0.1/8'", ip_interface("10.0.0.1/8")), ("inet", "'x'", REFUSED),
    ("cidr", "'10.0.0.0/8'", ip_network("10.0.0.0/8")),
    ("int4range", "'[1,5)'", Range(1, 5, "[)")), ("int4range", "'empty'", Range(empty=True)),
    ("daterange", "'[2026-01-01,)'", Range(dt.date(2026, 1, 1), None, "[)")),
    ("tstzrange", "'[now,)'", REFUSED), ("int4range", "'[5,1)'", REFUSED),
    ("int4multirange", "'{[1,3),[5,7)}'", Multirange([Range(1, 3, "[)"), Range(5, 7, "[)")])),
    ("bit(3)", "'101'", "101"), ("bit(3)", "'2'", REFUSED), ("point", "'(1,2)'", "(1,2)"),
    ("char(3)", "'abc'", "abc"),
    ("char(3)[]", "'{abc}'", ("abc",)), ("bit(3)[]", "'{101}'", ("101",)),
    ("text", "null", None), ("date", "null", None),
]  # fmt: skip


def test_every_type(url: str) -> None:
    """The value is the constant's; what is none is an error at its place, of its own code."""
    texts, lines = [], []
    for number, (kind, literal, _) in enumerate(CASES):
        texts.append(f"-- name: q{number} :one\n-- param: x {kind} = {literal}\nselect :x as v;\n")
        lines.append(f"-- param: x {kind} = ")
    with psycopg.connect(url, autocommit=True) as connection:
        found = checked(connection, "".join(texts))
    wrong = {one.place.line // 3: one for one in found.findings if one.place}
    described = {entry.query.name: entry for entry in found.described}
    for number, (kind, literal, value) in enumerate(CASES):
        if value is REFUSED:
            assert number in wrong, (kind, literal)
            assert wrong[number].code == "C128"
            place = wrong[number].place
            assert place and place.column == len(lines[number]) + 1
            continue
        assert number not in wrong, (kind, literal, wrong.get(number))
        (parameter,) = described[f"q{number}"].parameters
        made = resolve(parameter.default_value)
        assert (type(made), repr(made)) == (type(value), repr(value)), (kind, literal)


@pytest.mark.parametrize(
    ("column", "literal", "is_right"),
    [("kind", "'a'", True), ("kind", "'c'", False), ("title", "'ok'", True), ("title", "''", False),
     ("title", "'longer'", False), ("n", "1", True), ("n", "0", False), ("tags", "'{x}'", True),
     ("tags", "'{x'", False), ("moods", "'{sad}'", True), ("day", "'2026-13-01'", False)],
)  # fmt: skip
def test_what_the_column_takes(column: str, literal: str, is_right: bool, url: str) -> None:
    """Its type, its CHECK constraints and its labels, without a type in the header."""
    text = f"-- name: q :execrows\n-- param: x = {literal}\ninsert into t ({column}) values (:x);"
    with psycopg.connect(url, autocommit=True) as connection:
        assert codes(checked(connection, text)) == ([] if is_right else ["C128"])


QUERIES = """
-- name: add :one
-- param: tags = '{a,b}'
-- param: day = '2026-01-31'
-- param: extra = '{"a": 1}'
-- param: price = 1.50
-- param: moods = '{sad}'
insert into t (kind, title, tags, day, extra, price, moods)
values ('a', 'x', :tags, :day, :extra, :price, :moods)
returning tags, day, extra, price, moods;

-- name: form :one
-- params: Form
-- param: tags = '{a,b}'
-- param: day = '2026-01-31'
-- param: extra = '{"a": 1}'
-- param: price = 1.50
-- param: moods = '{sad}'
insert into t (kind, title, tags, day, extra, price, moods)
values ('a', 'x', :tags, :day, :extra, :price, :moods)
returning tags, day, extra, price, moods;

-- name: load :copyfrom
-- param: tags = '{a,b}'
-- param: day = '2026-01-31'
-- param: extra = '{"a": 1}'
-- param: price = 1.50
-- param: moods = '{sad}'
insert into t (kind, title, tags, day, extra, price, moods)
values (:kind, :title, :tags, :day, :extra, :price, :moods);

-- name: many :batch
-- param: day = '2026-01-31'
-- param: tags = '{a,b}'
update t set day = :day, tags = :tags where id = :id returning tags, day, extra, price, moods;

-- name: paged :page
-- param: since date = '2026-01-01'
-- param: limit = 2
select id, tags, day, extra, price, moods from t where day > :since order by id limit :limit;
"""


def test_in_every_cardinality(url: str, tmp_path: Path) -> None:
    """Arguments, models, rows of COPY and of batches, pages; sync and async."""
    q = make(url, tmp_path, "defaultsq", QUERIES)
    use = "from defaultsq.models import Form\nprint(Form().price or 1, Form(tags=['a']).tags)\n"
    type_check(tmp_path, "defaultsq", use)
    models = __import__("defaultsq.models").models
    expected = (["a", "b"], dt.date(2026, 1, 31), {"a": 1}, Decimal("1.50"), ["sad"])

    def values(row: Any) -> Any:
        return row.tags, row.day, row.extra, row.price, row.moods

    with Database.connect(url) as db:
        me = db.session()
        assert values(q.add(me)) == values(q.form(me, models.Form())) == expected
        assert (
            q.load(me, [{"kind": "a", "title": "t"}, {"kind": "b", "title": "u", "tags": []}]) == 2
        )
        assert [values(row) for row in q.many(me, [{"id": 1}, {"id": 2}])] == [expected] * 2
        assert [values(row) for row in q.paged(me).items] == [expected] * 2
        assert [row.tags for row in q.paged(me, limit=9).items[2:]] == [["a", "b"], []]
        assert q.add(me, tags=(), day=None).day is None

    async def later() -> None:
        async with AsyncDatabase.connect(url) as db:
            me = db.session()
            assert values(await q.add(me)) == expected
            assert await q.load(me, [{"kind": "a", "title": "t"}]) == 1
            assert [values(row) for row in await q.many(me, [{"id": 1}])] == [expected]

    asyncio.run(later())
