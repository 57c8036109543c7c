"""What is proved of arrays and of single rows: never more than the server shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.compiling import config_of
from support.database import Owner, Server
from support.database import database as make_database

from todo_sql.compiler.describe import Compiler
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

pytestmark = pytest.mark.database

SCHEMA = """
create domain plot as int[][];
create type place as (cells int[][], name text);
create table notes (
    id int primary key, title text not null, body text, tags text[], grid int[][],
    area plot default '{{1}}', place place default row('{{1}}', 'x')
);
insert into notes values (1, 'a', null, '{x,null}', '{{1,2},{3,null}}'), (2, 'b', 'c', null, '{}');
"""

QUERIES = {
    "select array_agg(title) as v from notes": "list[str] | None",
    "select array_agg(body) as v from notes": "list[str | None] | None",
    "select array_agg(body) filter (where body is not null) as v from notes": "list[str] | None",
    "select array_agg(body) as v from notes where body is not null": "list[str] | None",
    "select array_agg(title) filter (where title is not null) as v from notes group by id":
        "list[str]",
    "select array_agg(body) filter (where body is not null) as v from notes group by id":
        "list[str] | None",
    "select array_agg(b.title) as v from notes as a left join notes as b on b.id = a.id + 1"
    " group by a.id": "list[str | None]",
    "select array(select title from notes) as v": "list[str]",
    "select array(select body from notes) as v": "list[str | None]",
    "select array(select tags from notes where tags is not null) as v": "list[list[str | None]]",
    "select array[[1, 2], [3, id]] as v from notes": "list[list[int]]",
    "select array[array[array[1]], array[array[2]]] || array[[3]] as v": "list[list[list[int]]]",
    "select '{{1,2},{3,null}}'::int[] as v": "list[list[int | None]]",
    "select '{1,2}'::text[] as v": "list[str]",
    "select '[0:0][0:0]={{7}}'::int[] as v": "list[list[int]]",
    "select 'some long text of its own' as v": "str",
    "select array_agg(tags) as v from notes where id = 1": "list[list[str | None]] | None",
    "select array_agg(grid) as v from notes where id = 1": "list[list[list[int | None]]] | None",
    "select array(select array[id, 1] from notes) as v": "list[list[int | None]]",
    "select array(select array(select id from notes)) as v": "list[list[int | None]]",
    "select array_cat(grid, array[[5, 6]]) as v from notes": "list[list[int | None]] | None",
    "select coalesce(grid, '{}') || grid as v from notes": "list[list[int | None]] | None",
    "select case when id = 1 then grid end as v from notes": "list[list[int | None]] | None",
    "select grid[1:1] as v from notes": "list[list[int | None]] | None",
    "select grid[1][1] as v from notes": "int | None",
    "with a as (select grid || grid as g from notes) select g as v from a":
        "list[list[int | None]] | None",
    "select v from (select array[[id]] as v from notes) as a": "list[list[int]]",
    "select (array[[1]]) as v union all select '{}'": "list[list[int | None]]",
    "select v from (values ('{}'::int[]), ('{{1}}')) as a (v)": "list[list[int | None]]",
    "select (place).cells as v from notes": "list[list[int | None]] | None",
    "select area as v from notes": "list[list[int | None]] | None",
    "select area || area as v from notes": "list[list[int | None]] | None",
    "select array[title, body] as v from notes": "list[str | None]",
    "select array[title, 'x'] as v from notes": "list[str]",
    "select coalesce((select array_agg(title) from notes), '{}') as v": "list[str]",
    "select array_remove(array_agg(body), null) as v from notes group by ()": "list[str] | None",
    "select coalesce(tags, '{}') as v from notes": "list[str | None]",
    "select tags as v from notes": "list[str | None] | None",
    "select grid as v from notes": "list[list[int | None]] | None",
    "select string_to_array(title, ',') as v from notes": "list[str]",
    "select '{a,b}'::text[] as v": "list[str]",
    "select '{a,null}'::text[] as v": "list[str | None]",
    "with a as (select array_agg(title) as t from notes) select t as v from a": "list[str] | None",
    "select v from (select array_agg(body) as v from notes) as a": "list[str | None] | None",
    "select jsonb_agg(title) filter (where title is not null) is null as v from notes"
    " group by id": "bool",
    "select unnest(array[title, body]) as v from notes": "str | None",
    "select unnest('{a,b}'::text[]) as v": "str",
    "with c as (select count(*) as n from notes) select (select n from c) as v": "int",
    "with c as (select max(id) as n from notes) select (select n from c) as v": "int | None",
    "with c as (select id from notes) select (select id from c where id = 9) as v": "int | None",
    "select pg_try_advisory_xact_lock(1) as v": "bool",
    "select pg_try_advisory_xact_lock(hashtext(title), id) as v from notes": "bool",
    "select x as v from unnest(array[1, 2]) as x": "int",
    "select coalesce(jsonb_agg(title) filter (where title is not null), '[]') is null as v"
    " from notes": "bool",
    "select md5(lower('X') || split_part('a,b', ',', 1)) as v": "str",
    "select date_trunc('day', '2026-01-01 00:00+00'::timestamptz) + interval '1 day' as v":
        "datetime",
    "select pg_notify('a', 'b') as v": "None",
}  # fmt: skip

PARAMETERS = {
    "select unnest(:p::int[]) as v": ("list[int]", "int"),
    "select n as v from unnest(:p::text[]) as n": ("list[str]", "str"),
    "select id as v from notes where id = any(:p)": ("list[int]", "int"),
    "update notes set tags = :p where id = 1 returning id as v": ("list[str | None]", "int"),
    "update notes set grid = :p where id = 1 returning id as v": ("list[list[int | None]]", "int"),
    "insert into notes (id, title, body) select 9, 'x', unnest(:p::text[]) returning id as v": (
        "list[str | None]", "int"),
    "insert into notes (id, title) select 9, unnest(:p::text[]) returning id as v": (
        "list[str]", "int"),
    "select n as v from unnest(:p::text[]) as n where n is null": (
        "list[str | None]", "str | None"),
}  # fmt: skip


@pytest.fixture(scope="module")
def compiler(server: Server, owner: Owner) -> Iterator[Compiler]:
    """A compiler on a database with notes."""
    with (
        make_database(server, owner) as name,
        psycopg.connect(server.url(name, owner.name), autocommit=True) as connection,
    ):
        connection.execute(SCHEMA)
        yield Compiler(connection, config_of(Path("/nowhere")))


def described(compiler: Compiler, sql: str) -> Any:
    """Describe a query."""
    analysis = compiler.analyse(load_text(Source("queries/test.sql", f"-- name: a :many\n{sql}")))
    assert not analysis.errors
    return analysis.described[0]


def holds_none(value: object) -> bool:
    """Whether a list holds None, at any depth."""
    return isinstance(value, list) and any(one is None or holds_none(one) for one in value)


def depth_of(value: object) -> int:
    """Return how deep a list is nested."""
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("sql", QUERIES)
def test_columns(compiler: Compiler, sql: str) -> None:
    """Each column is typed as expected, and the server shows no NULL that the type denies."""
    text = described(compiler, sql).columns[0].annotation.text
    assert text == QUERIES[sql]
    for (value,) in compiler.connection.execute(sql.encode()).fetchall():
        assert value is not None or text.endswith("None")
        assert not holds_none(value) or "| None]" in text
        assert depth_of(value) in (text.count("list["), int(value == []))


@pytest.mark.parametrize("sql", PARAMETERS)
def test_parameters(compiler: Compiler, sql: str) -> None:
    """A list takes None where its elements are stored or tested; else its elements are values."""
    entry = described(compiler, sql)
    types = entry.parameters[0].python.text, entry.columns[0].annotation.text
    assert types == PARAMETERS[sql]
