"""Held against the server: what is claimed NOT NULL never comes back as NULL.

Every query runs on full tables, on tables of which half are empty, and on empty ones;
nullable columns hold nulls, joins miss. TODO_SQL_SOAK=20 runs twenty times as many
random queries.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.compiling import checked
from support.querygen import Column, Generator, read_tables
from support.rows import fill, tables

from todo_sql.compiler import prepare, schema
from todo_sql.compiler.described import Described
from todo_sql.compiler.proof import nodes, nullability

pytestmark = pytest.mark.database

TESTDATA = Path(__file__).parent / "testdata"
SCHEMAS = sorted(path.stem for path in (TESTDATA / "schemas").glob("*.sql"))
SOAK = int(os.environ.get("TODO_SQL_SOAK", "1"))
SEED = int(os.environ.get("TODO_SQL_SEED", "1"))
STATES = 6

Connect = Callable[..., psycopg.Connection[Any]]


def claims_of(
    connection: psycopg.Connection[Any], queries: list[str]
) -> dict[str, tuple[list[str], list[bool]]]:
    """Return column names and claims of every query that PostgreSQL accepts."""
    known = schema.read(connection)
    prepare.configure(connection)
    answers = prepare.prepare_all(connection, [(query, ()) for query in queries])
    found = {}
    for query, answer in zip(queries, answers, strict=True):
        if isinstance(answer, prepare.PreparedQuery):
            claims = nullability.prove_all(answer.parse().queries, known).columns
            assert len(claims) == len(answer.columns), query
            shortened = nodes.parse(nodes.canonical(answer.tree)).queries
            assert nullability.prove_all(shortened, known).columns == claims, query
            found[query] = ([column.name for column in answer.columns], claims)
    connection.execute("set client_min_messages = warning; set debug_print_rewritten = off")
    return found


def nulls(connection: psycopg.Connection[Any], query: str) -> set[int]:
    """Return the columns in which a query answers NULL; what it does is undone.

    One that fails at run time (a division by zero, two rows for a scalar) shows nothing.
    """
    connection.pgconn.exec_(b"begin; set local statement_timeout = 400")
    result = connection.pgconn.exec_(query.encode())  # SQL's NULL, not json's
    connection.pgconn.exec_(b"rollback")
    return {
        column
        for column in range(result.nfields)
        if any(result.get_value(row, column) is None for row in range(result.ntuples))
    }


def run(
    connection: psycopg.Connection[Any], queries: dict[str, tuple[list[str], list[bool]]]
) -> dict[str, set[int]]:
    """Run queries on every state of the tables; return the columns in which NULL was seen."""
    chance = random.Random(SEED)
    names = tables(connection)
    seen: dict[str, set[int]] = defaultdict(set)
    connection.execute("set jit = off")
    for state in range(STATES):
        half = chance.sample(names, len(names) // 2)
        empty = {4: half, 5: names}.get(state, [])
        fill(connection, chance, empty)
        for view in ("people_copy",) if "people" in names else ():
            connection.execute(f"refresh materialized view {view}")
        for query in queries:
            seen[query] |= nulls(connection, query)
    return seen


def load(url: str, connect: Connect, name: str) -> psycopg.Connection[Any]:
    """Make the tables of one of the schemas."""
    connection = connect(url, autocommit=True)
    connection.execute((TESTDATA / "schemas" / f"{name}.sql").read_text())
    return connection


@pytest.mark.parametrize("name", SCHEMAS)
def test_corpus(empty_database: str, connect: Connect, name: str) -> None:
    """Queries whose columns are labelled by hand, `_v` for a value and `_n` for NULL.

    The labels are true (the server shows a NULL in each `_n`, none in a `_v`), no `_n` is
    claimed, and nine in ten `_v` are.
    """
    connection = load(empty_database, connect, name)
    queries = (TESTDATA / "corpus" / f"{name}.sql").read_text().strip().splitlines()
    claims = claims_of(connection, queries)
    assert set(claims) == set(queries), [query for query in queries if query not in claims]
    seen = run(connection, claims)
    unsound, mislabelled, missed = [], [], []
    total = 0
    for query, (names, found) in claims.items():
        for index, (column, claimed) in enumerate(zip(names, found, strict=True)):
            if column.endswith("_n"):
                unsound += [(column, query)] * claimed
                mislabelled += [(column, query)] * (SEED == 1 and index not in seen[query])
            else:
                total += 1
                mislabelled += [(column, query)] * (index in seen[query])
                missed += [(column, query)] * (not claimed)
    assert not unsound
    assert not mislabelled
    assert len(missed) <= 0.1 * total, missed


@pytest.mark.parametrize("name", SCHEMAS)
def test_random_queries(empty_database: str, connect: Connect, name: str) -> None:
    """Random queries of every kind: no NULL in a column that is claimed to have none."""
    connection = load(empty_database, connect, name)
    found = read_tables(connection)
    first = SEED * 1_000_000
    queries = [Generator(found, first + number).query() for number in range(70 * SOAK)]
    claims = claims_of(connection, queries)
    assert len(claims) > 0.9 * len(queries)
    seen = run(connection, {query: one for query, one in claims.items() if any(one[1])})
    wrong = [
        (column, query)
        for query, (_, claimed) in claims.items()
        for column in seen[query]
        if claimed[column]
    ]
    assert not wrong


MADE = "made_"
"""Begins the name of what has a value even where no row was found."""


def nested_query(found: dict[str, list[Column]], seed: int) -> str:
    """Return joins of a few relations, the columns of each in a model of its own."""
    chance = random.Random(seed)
    names = sorted(found)
    picked = [chance.choice(names) for _ in range(chance.randint(2, 4))]
    aliases = dict(zip("abcd", picked, strict=False))

    def numbers(alias: str) -> list[str]:
        return [f"{alias}.{name}" for name, kind in found[aliases[alias]] if kind == "int"]

    source, before, conditions = f"{picked[0]} as a", ["a"], []
    for alias, name in list(aliases.items())[1:]:
        kind = chance.choice(["left join", "left join", "right join", "full join", "join"])
        item = f"(select * from {name} offset 0)" if chance.random() < 0.2 else name
        on = "true" if kind in ("left join", "join") else "1 = 1"
        if (mine := numbers(alias)) and (theirs := [one for o in before for one in numbers(o)]):
            on = f"{chance.choice(theirs)} = {chance.choice(mine)}"
        source += f" {kind} {item} as {alias} on {on}"
        before.append(alias)
    for alias in before:
        if (mine := numbers(alias)) and chance.random() < 0.2:
            test = chance.choice([" > 0", " is not null", " is null", " = 1"])
            conditions.append(chance.choice(mine) + test)
    columns = []
    for alias in before:
        path = "a.b" if alias == "b" and chance.random() < 0.3 else alias
        own = [name for name, _ in found[aliases[alias]]]
        for name in sorted(chance.sample(own, min(len(own), chance.randint(1, 4)))):
            value, called = f"{alias}.{name}", name
            if value in numbers(alias) and chance.random() < 0.3:
                value = chance.choice([f"coalesce({value}, 0)", f"{value} + 1", f"-{value}"])
                called = name if "coalesce" not in value else f"{MADE}{name}"
            columns.append(f'{value} as "{path}.{called}"')
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f"select {', '.join(columns)} from {source}{where}"


def faults(entry: Described, names: list[str], row: list[bytes | None]) -> set[str]:
    """Return what a row holds that the types of its nested models rule out."""
    value = dict(zip(names, row, strict=True))
    models = {one.path: one for one in entry.nested}
    nullable = {one.name: one.inside for one in entry.columns}
    wrong = set()
    for path, model in models.items():
        parts = path.split(".")
        around = [".".join(parts[:depth]) for depth in range(1, len(parts))]
        outer = [one for one in around if one in models and models[one].optional]
        if any(value[models[one].witness or ""] is None for one in outer):
            continue
        own = [name for name in names if name.rpartition(".")[0] == path]
        if model.optional and value[model.witness or ""] is None:
            lost = [one for one in own if value[one] is not None and f".{MADE}" not in one]
            wrong |= {f"{name} is lost" for name in lost}
        else:
            wrong |= {name for name in own if value[name] is None and not nullable[name]}
    return wrong


@pytest.mark.parametrize("name", SCHEMAS)
def test_random_nested_models(empty_database: str, connect: Connect, name: str) -> None:
    """A model that is there has what it promises; one that is missing had nothing to lose."""
    connection = load(empty_database, connect, name)
    found = read_tables(connection)
    texts = {
        f"q{number}": nested_query(found, SEED * 1_000_000 + number) for number in range(40 * SOAK)
    }
    text = "".join(f"-- name: {name} :many\n{query};\n" for name, query in texts.items())
    described = {one.query.name: one for one in checked(connection, text).described}
    assert len(described) > len(texts) / 3  # of the others nothing tells whether a row is there
    assert any(one.optional for entry in described.values() for one in entry.nested)
    chance = random.Random(SEED)
    connection.execute("set jit = off")
    wrong, rows = set(), 0
    for state in range(STATES):
        tables_of = tables(connection)
        half = chance.sample(tables_of, len(tables_of) // 2)
        fill(connection, chance, {4: half, 5: tables_of}.get(state, []))
        for query, entry in described.items():
            connection.pgconn.exec_(b"begin; set local statement_timeout = 400")
            result = connection.pgconn.exec_(texts[query].encode())
            connection.pgconn.exec_(b"rollback")
            names = [one.name for one in entry.columns]
            for number in range(result.ntuples):
                row = [result.get_value(number, index) for index in range(result.nfields)]
                wrong |= {(fault, texts[query]) for fault in faults(entry, names, row)}
            rows += result.ntuples
    assert rows > 10 * len(described)
    assert not wrong


WRITES = {
    "insert into counters values (9, 1, null, null, 2) returning id as id_v, who as who_n": 15,
    "insert into counters (id, hits, ratio) select 20 + id, coalesce(hits, 0), 1 from counters"
    " returning id as id_v, last as last_n": 15,
    "insert into counters values (1, 1, null, null, 1) on conflict (id) do update"
    " set who = excluded.who, hits = counters.hits + 1 returning hits as hits_v, who as who_n": 15,
    "update counters set who = null where who is not null"
    " returning who as who_n, hits as hits_v, coalesce(who, 'x') as x_v": 15,
    "update counters as c set who = e.name from events as e where e.name is not null"
    " returning c.who as who_n, e.name as name_v, e.amount as amount_n": 15,
    "delete from counters where who is not null returning who as who_v, last as last_n": 15,
    "with gone as (delete from events where name is not null returning *)"
    " select id as id_v, name as name_v, amount as amount_n from gone": 15,
    "with made as (insert into counters (id, hits, ratio) values (30, 1, 1) returning *)"
    " select m.hits as hits_v, m.who as who_n, c.hits as other_n from made as m"
    " left join counters as c on c.id = m.id": 15,
    "update counters set hits = 5, who = null returning old.who as o_n, new.who as n_n,"
    " old.hits as h_v, new.hits as i_v": 18,
    "insert into counters values (40, 1, null, null, 1)"
    " returning old.hits as o_n, new.hits as n_v": 18,
    "delete from counters returning old.hits as o_v, new.hits as n_n": 18,
    "merge into counters as c using events as e on c.id = e.id"
    " when matched then update set who = e.name"
    " when not matched then insert values (e.id + 50, 1, null, null, 1)"
    " returning merge_action() as a_v, c.hits as hits_v, c.who as who_n, e.id as e_v,"
    " old.hits as o_n": 18,
    "merge into counters as c using (select 1 as id) as e on c.id = e.id"
    " when matched then delete when not matched by source then update set hits = 0"
    " returning c.hits as hits_v, e.id as e_n": 18,
}


def test_writes(empty_database: str, connect: Connect) -> None:
    """RETURNING of every command, with `old` and `new`, and WITH that writes."""
    connection = load(empty_database, connect, "events")
    version = connection.info.server_version // 10_000
    queries = [query for query, since in WRITES.items() if since <= version]
    claims = claims_of(connection, queries)
    assert set(claims) == set(queries)
    seen = run(connection, claims)
    for query, (names, claimed) in claims.items():
        for index, (column, claim) in enumerate(zip(names, claimed, strict=True)):
            assert not (claim and index in seen[query]), (column, query)
            assert claim == column.endswith("_v"), (column, query)


def test_traps_of_the_catalog(empty_database: str, connect: Connect) -> None:
    """NOT NULL that isn't: of a child, of a domain, not validated, behind a rule or trigger."""
    connection = connect(empty_database, autocommit=True)
    newest = connection.info.server_version >= 180_000
    connection.execute(
        "create domain word as text not null; create table holes (w word, n int);"
        "insert into holes values ((select 'x'::word where false), 1);"
        "create table parent (a int not null); create table child (b int) inherits (parent);"
        "create view gate as select 1 as id, 'x'::text as t;"
        "create function nothing() returns trigger language plpgsql"
        " as $$ begin new.t := null; return new; end $$;"
        "create trigger nothing instead of insert on gate for each row execute function nothing()"
    )
    queries = [
        "select w from holes",
        "insert into gate values (1, 'y') returning t",
        "select a from parent",
    ]
    if newest:
        connection.execute(
            "create table late (x int); insert into late values (null);"
            "alter table late add constraint late_x_not_null not null x not valid"
        )
        queries.append("select x from late")
    claims = claims_of(connection, queries)
    assert claims["select w from holes"][1] == [False]
    assert claims["insert into gate values (1, 'y') returning t"][1] == [False]
    assert claims["select a from parent"][1] == [True]
    if newest:
        assert claims["select x from late"][1] == [False]
