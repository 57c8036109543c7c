"""Statements made from a catalog: a dump that loads, and the mending of each fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from support.catalog_faults import FAULTS, SCHEMA
from support.odd_schemas import ODD_SCHEMAS

from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.diff import compare
from todo_sql.catalog.mend import mend
from todo_sql.catalog.schema_sql import render
from todo_sql.catalog.snapshot import take
from todo_sql.compiler.scratch import empty_database as scratch_database
from todo_sql.compiler.scratch_role import ScratchServer

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]


SPY = """
create table marks (i integer);
create function spy() returns text language plpgsql as
$$ begin insert into public.marks values (1); return ''; end $$;
"""
HOSTILE_ROLES = [
    "x'||public.spy()||'",
    "x','a'); perform public.spy(); --",
    "x$$; select public.spy(); do $$",
    "x$body$; select public.spy(); do $body$",
    "x%s%2$I%",
    "x\\'||public.spy()||'",
    "x\nselect public.spy(); --",
]


def test_every_fault_is_mended(empty_database: str, connect: Connect) -> None:
    """The statements shown for a difference make the two catalogs the same again."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    left = {}
    for fault, _ in FAULTS:
        connection.execute("begin")
        connection.execute(fault.encode())
        live = take(connection)
        for mended in mend(compare(live, wanted), live, wanted):
            for statement in mended.statements:
                if not statement.startswith(BY_HAND):
                    connection.execute(statement.encode())
        remaining = [str(difference) for difference in compare(take(connection), wanted)]
        connection.execute("rollback")
        if remaining:
            left[fault] = remaining
    assert left == {}


def test_a_lost_table_is_mended_whole(empty_database: str, connect: Connect) -> None:
    """A table comes back with indexes, policies, triggers, grants and comments."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    wanted = take(connection)
    connection.execute("drop table logs; drop table tasks cascade")
    live = take(connection)
    for mended in mend(compare(live, wanted), live, wanted):
        for statement in mended.statements:
            connection.execute(statement.encode())
    assert [str(difference) for difference in compare(take(connection), wanted)] == []


def test_a_dump_of_everything_loads(empty_database: str, connect: Connect) -> None:
    """What is not valid stays so, partitions are attached, indexes keep their options."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    source = take(connection)
    with scratch_database(ScratchServer(empty_database)) as url:
        other = connect(url, autocommit=True)
        other.execute(render(source).encode())
        assert [str(difference) for difference in compare(source, take(other))] == []
        other.close()


@pytest.mark.parametrize("name", ODD_SCHEMAS)
def test_the_dump_of_an_odd_schema_loads(
    name: str, superuser_database: str, connect: Connect
) -> None:
    """Each object comes after what it needs, circles are cut, and nothing is lost."""
    connection = connect(superuser_database, autocommit=True)
    connection.execute(ODD_SCHEMAS[name].encode())
    source = take(connection)
    with (
        scratch_database(ScratchServer(superuser_database, superuser=True)) as url,
        psycopg.connect(url) as other,
    ):
        other.execute(render(source).encode())
        assert [str(difference) for difference in compare(source, take(other))] == []
        assert render(take(other)) == render(source)


@pytest.mark.parametrize("name", HOSTILE_ROLES)
def test_the_name_of_a_role_is_no_code(
    name: str, superuser_database: str, connect: Connect
) -> None:
    """What names the database is made in a DO: no role's name ends a literal or the block there."""
    connection = connect(superuser_database, autocommit=True)
    who, database = sql.Identifier(name), sql.Identifier(connection.info.dbname)
    for text in (
        SPY,
        "create role {who}",
        "grant temporary on database {database} to {who}",
        "alter role {who} in database {database} set app.word = '%I'",
        "alter table marks owner to {who}",
    ):
        connection.execute(sql.SQL(text).format(who=who, database=database))
    try:
        source = take(connection)
        with (
            scratch_database(ScratchServer(superuser_database, superuser=True)) as url,
            psycopg.connect(url, autocommit=True) as other,
        ):
            other.execute(render(source).encode())
            assert other.execute("select count(*) from public.marks").fetchone() == (0,)
            assert [str(difference) for difference in compare(source, take(other))] == []
            assert render(take(other)) == render(source)
            other.execute(sql.SQL("drop owned by {}").format(who))
    finally:
        connection.execute(sql.SQL("drop owned by {}").format(who))
        connection.execute(sql.SQL("drop role {}").format(who))


def test_the_dump_loads_and_is_the_same(
    todo_database: str, empty_database: str, connect: Connect
) -> None:
    """schema.sql of the Todo database makes an identical catalog and an identical dump."""
    source = take(connect(todo_database, autocommit=True))
    script = render(source)
    other = connect(empty_database, autocommit=True)
    other.execute(script.encode())
    loaded = take(other)
    assert [str(difference) for difference in compare(source, loaded)] == []
    assert render(loaded) == script
