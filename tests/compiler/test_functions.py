"""The functions and operators that are said never to return NULL, called with edge values."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any

import psycopg
import pytest

from todo_sql.compiler import schema
from todo_sql.compiler.proof import functions

pytestmark = pytest.mark.database

CALLS = 15 * int(os.environ.get("TODO_SQL_SOAK", "1"))
"""How many combinations of values each function is called with."""

VALUES: dict[str, list[str]] = {
    "bool": ["true", "false"],
    "int2": ["0::int2", "(-1)::int2", "32767::int2"],
    "int4": ["0", "1", "-1", "2147483647"],
    "int8": ["0::int8", "(-5)::int8", "9223372036854775807"],
    "numeric": ["0::numeric", "'NaN'::numeric", "'Infinity'::numeric", "-2.5", "1e50"],
    "float4": ["0::float4", "'NaN'::float4", "'-Infinity'::float4"],
    "float8": ["0::float8", "'NaN'::float8", "'Infinity'::float8", "-1.5::float8"],
    "money": ["0::money", "'-1'::money"],
    "text": ["''", "'a'", "'b.'", "'UTC'", "'day'", "'epoch'", "'{a}'", "'1'", "' é '", "'(x)?'"],
    "varchar": ["''::varchar", "'x'::varchar"],
    "bpchar": ["''::bpchar", "'x  '::bpchar"],
    "char": ["''::\"char\"", "'x'::\"char\""],
    "name": ["''::name", "'n'::name"],
    "bytea": ["''::bytea", "'\\x00ff'::bytea"],
    "date": ["'infinity'::date", "'-infinity'::date", "'2024-02-29'::date"],
    "time": ["'00:00'::time", "'24:00'::time"],
    "timetz": ["'00:00+00'::timetz", "'24:00+14'::timetz"],
    "timestamp": ["'infinity'::timestamp", "'-infinity'::timestamp", "'2024-02-29'::timestamp"],
    "timestamptz": ["'infinity'::timestamptz", "'-infinity'::timestamptz", "'epoch'::timestamptz"],
    "interval": ["'0'::interval", "'1 mon -1 day'::interval", "'infinity'::interval"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'::uuid", "gen_random_uuid()"],
    "oid": ["0::oid", "1::oid"],
    "bit": ["b''", "b'101'"],
    "varbit": ["b''::varbit", "b'1'::varbit"],
    "inet": ["'0.0.0.0/0'::inet", "'::1'::inet", "'10.1.2.3'::inet"],
    "cidr": ["'0.0.0.0/0'::cidr", "'10.0.0.0/8'::cidr"],
    "macaddr": ["'00:00:00:00:00:00'::macaddr"],
    "regclass": ["'pg_class'::regclass", "0::regclass"],
    "regtype": ["'int'::regtype", "0::regtype"],
    "regconfig": ["'simple'::regconfig"],
    "tsvector": ["''::tsvector", "'a:1A b'::tsvector"],
    "tsquery": ["''::tsquery", "'a & !b'::tsquery"],
    "xid": ["'0'::xid", "'3'::xid"],
    "xid8": ["'0'::xid8"],
    "pg_lsn": ["'0/0'::pg_lsn", "'1/F'::pg_lsn"],
    "json": ["'null'::json", "'[]'::json", "'{\"a\": null}'::json", "'[null]'::json"],
    "jsonb": [
        "'null'::jsonb",
        "'[]'::jsonb",
        "'{}'::jsonb",
        "'{\"a\": null}'::jsonb",
        "'1'::jsonb",
    ],
    "_text": ["'{}'::text[]", "'{a}'::text[]", "'{a,null}'::text[]", "'{a,b}'::text[]"],
    "anyelement": ["1", "'a'::text", "row(1, null)"],
    "anycompatible": ["1", "2"],
    "anyarray": ["'{}'::int[]", "array[1, null]", "array[[1, 2], [3, 4]]"],
    "anycompatiblearray": ["'{}'::int[]", "array[1, null]", "array[2]"],
    "anynonarray": ["1", "'a'::text"],
    "anycompatiblenonarray": ["1", "'a'::text"],
    "anyrange": ["'empty'::int4range", "'(,)'::int4range", "'[1,5)'::int4range"],
    "anymultirange": ["'{}'::int4multirange", "'{[1,2),[5,)}'::int4multirange"],
    "anyenum": [],
    "record": ["(select row(1, null))", "(select row(2, 3))"],
    "any": ["1", "row(null)"],
}

IS_NULL = """
create function pg_temp.is_null(call text) returns boolean language plpgsql as $$
declare
    answer boolean;
begin
    execute format('select num_nulls(%s) = 1', call) into answer;
    return answer;
exception when others then
    return false;
end $$
"""


def combinations(arguments: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield combinations of values, in an order that is random and always the same."""
    choices = [VALUES.get(argument, []) for argument in arguments]
    everything = list(islice(product(*choices), 20_000))
    random.Random(0).shuffle(everything)
    return islice(iter(everything), CALLS)


def nulls(connection: psycopg.Connection[Any], calls: list[str]) -> list[str]:
    """Return the calls that answer NULL."""
    connection.execute(IS_NULL)
    rows = connection.execute(
        "select call from unnest(%s::text[]) as call where pg_temp.is_null(call)", [calls]
    )
    return [call for (call,) in rows]


def test_functions_that_never_return_null(
    empty_database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """No listed function answers NULL to arguments that aren't."""
    connection = connect(empty_database, autocommit=True)
    calls = [
        f'pg_catalog."{function.name}"({", ".join(values)})'
        for function in schema.read(connection).functions.values()
        if functions.never_null_function(function)
        for values in combinations(function.arguments)
    ]
    assert len(calls) > 3_000
    assert nulls(connection, calls) == []


def test_functions_that_answer_even_null(
    empty_database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """The constructors of JSON, ranges and texts take NULL and answer with a value."""
    connection = connect(empty_database, autocommit=True)
    calls = [
        "concat(null)",
        "concat(null, null)",
        "json_build_object('a', null)",
        "json_build_array(null)",
        "jsonb_build_object('a', null)",
        "jsonb_build_array(null)",
        "array_append(null::int[], null)",
        "array_prepend(null, null::int[])",
        "num_nulls(null)",
        "num_nonnulls(null)",
        "quote_nullable(null::text)",
        "int4range(null, null)",
        "tstzrange(null, null, '[]')",
        "concat_ws(',', null, null)",
        "format('%s', null)",
    ]
    assert nulls(connection, calls) == []


def test_operators_that_never_return_null(
    empty_database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """No listed operator answers NULL to operands that aren't."""
    connection = connect(empty_database, autocommit=True)
    known = schema.read(connection)
    rows = connection.execute(
        "select oprname, oprcode::oid::int8 from pg_operator where oprkind = 'b'"
    ).fetchall()
    calls = []
    for name, code in rows:
        function = known.functions.get(code)
        if function is None or not functions.never_null_operator(name, function):
            continue
        calls += [f"{left} {name} {right}" for left, right in combinations(function.arguments)]
    assert len(calls) > 1_000
    assert nulls(connection, calls) == []


@pytest.mark.parametrize(
    "call",
    [
        "to_char('infinity'::timestamptz, 'YYYY')",
        "substring('abc' from 'x')",
        "extract(day from 'infinity'::timestamptz)",
        "'infinity'::timestamp::time",
        "array_length('{}'::int[], 1)",
        "lower('(,)'::int4range)",
        "jsonb_build_object(variadic null::text[])",
        "concat(variadic null::text[])",
    ],
)
def test_traps(empty_database: str, connect: Callable[..., Any], call: str) -> None:
    """What looks harmless and isn't: each really answers NULL, and is never claimed."""
    from todo_sql.compiler import prepare
    from todo_sql.compiler.proof import nullability

    connection = connect(empty_database, autocommit=True)
    assert connection.execute(f"select {call}").fetchone() == (None,)
    known = schema.read(connection)
    prepare.configure(connection)
    (answer,) = prepare.prepare_all(connection, [(f"select {call}", ())])
    assert isinstance(answer, prepare.PreparedQuery)
    assert nullability.prove_all(answer.parse().queries, known).columns == [False]
