"""A type that only a header names is sent with the call: what is checked is what runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.compiling import checked, codes
from support.generated import make, type_check

from todo_sql import AsyncDatabase, Database, DatabaseError

pytestmark = pytest.mark.database

SCHEMA = """
create schema other;
create type mood as enum ('sad', 'it''s');
create type other."My (Type)" as enum ('sad', 'ok');
create domain short as text check (char_length(value) <= 3);
create domain small as bigint check (value < 10);
create type pair as (x int, mood mood);
create type moodrange as range (subtype = mood);
create table felt (id int primary key, mood mood);
insert into felt select n, 'sad' from generate_series(1, 5) as n;
"""
# Header's type -> what is given, and what to_jsonb makes of it.
TYPES: dict[str, tuple[object, Any]] = {
    "mood": ("it's", "it's"),
    "mood[]": (["sad"], ["sad"]),
    "mood[][]": ([["sad"], ["it's"]], [["sad"], ["it's"]]),
    'other."My (Type)"': ("ok", "ok"),
    "public.mood": ("sad", "sad"),
    "short": ("abc", "abc"),
    "short[]": (["abc", "d"], ["abc", "d"]),
    "small": (9, 9),
    "pair": ((1, "sad"), {"x": 1, "mood": "sad"}),
    "pair[]": ([(1, "sad")], [{"x": 1, "mood": "sad"}]),
    "moodrange": (None, None),
    "moodmultirange": (None, None),
    "felt": ((1, "sad"), {"id": 1, "mood": "sad"}),
    "char": ("abc", "abc"),
    "varchar(3)": ("abc", "abc"),
    "bit varying": ("101", "101"),
    "timestamp(3) without time zone": (None, None),
    "pg_catalog.int4": (5, 5),
    "int[]": ([1, 2], [1, 2]),
    "json": ({"a": 1}, {"a": 1}),
}  # fmt: skip
SHAPES = """
-- name: one_{n} :one
-- param: p {type} null
select to_jsonb(:p) as v;

-- name: optional_{n} :optional
-- param: p {type} null
-- column: v not null
select pg_typeof(:p)::text as v
where 1 = 1
    and to_jsonb(:p) is not null -- if: q
    and :q::int = 1 -- if: q
;

-- name: each_{n} :batch
-- param: p {type} null
select to_jsonb(:p) as v;

-- name: stream_{n} :stream
-- param: p {type} null
select to_jsonb(:p) as v;
"""
PAGES = """
-- name: pages :page
-- param: m mood
-- param: limit small = 2
select id from felt where to_jsonb(mood) = to_jsonb(:m) order by id limit :limit;

-- name: load :copyfrom
-- param: mood mood
insert into felt (id, mood) values (:id, :mood);
"""


def test_types_of_headers(empty_database: str, tmp_path: Path) -> None:
    """Of every kind, in every shape of call, for threads and tasks."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        asked = b"select pg_catalog.to_regtype(%s)::text"
        found = [connection.execute(asked, [name]).fetchone() for name in TYPES]
    shown = [one[0] for one in found if one]
    text = "".join(SHAPES.format(n=number, type=name) for number, name in enumerate(TYPES))
    q = make(empty_database, tmp_path, "headertypes", text + PAGES)
    type_check(tmp_path, "headertypes")

    with Database.connect(empty_database) as db:
        me = db.session()
        for number, (value, expected) in enumerate(TYPES.values()):
            assert getattr(q, f"one_{number}")(me, p=value) == expected, number
            assert getattr(q, f"optional_{number}")(me, p=value) == shown[number]
            if value is not None:
                assert getattr(q, f"optional_{number}")(me, p=value, q=1) == shown[number]
            assert getattr(q, f"each_{number}")(me, [{"p": value}, {"p": None}]) == [expected, None]
            with getattr(q, f"stream_{number}")(me, p=value) as rows:
                assert list(rows) == [expected]
        page = q.pages(me, m="sad")
        assert (page.items, q.pages(me, m="sad", cursor=page.next).items) == ([1, 2], [3, 4])
        assert q.load(me, [{"id": 9, "mood": "it's"}]) == 1
        for name, value in (("short", "abcd"), ("small", 10)):  # the domain's CHECK holds
            with pytest.raises(DatabaseError, match="violates check constraint"):
                getattr(q, f"one_{list(TYPES).index(name)}")(me, p=value)

    async def later() -> None:
        async with AsyncDatabase.connect(empty_database) as db:
            for number, (value, expected) in enumerate(TYPES.values()):
                assert await getattr(q, f"one_{number}")(db.session(), p=value) == expected

    asyncio.run(later())


def test_findings_stay(empty_database: str) -> None:
    """What is no type is said as such, and a list in `in` is seen, cast or not."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        for text, code in (
            ("-- name: q :one\n-- param: p nonsense\nselect to_jsonb(:p)", "C105"),
            ("-- name: q :many\nselect 1 where 'sad'::mood in (:p)", "C111"),
            ("-- name: q :many\n-- param: p mood\nselect 1 where 'sad'::mood in (:p)", "C111"),
        ):
            assert codes(checked(connection, text)) == [code], text
        text = "-- name: q :one\n-- param: p mood\nselect upper(:p)\n    , wrong"
        (finding,) = [one for one in checked(connection, text).findings if one.code == "C101"]
        assert finding.place is not None
        assert finding.place.line == 3
