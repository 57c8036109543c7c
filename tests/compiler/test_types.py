"""Every type there and back: what a query is said to take and return, it takes and returns."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import BaseModel, ConfigDict, TypeAdapter
from support.compiling import config_of
from support.database import Owner, Server
from support.database import database as make_database
from support.sessions import TextFile

from todo_sql import Database
from todo_sql.compiler.describe import Analysis, Compiler
from todo_sql.compiler.described import Described
from todo_sql.compiler.models import misnamed
from todo_sql.compiler.python_types import ANY
from todo_sql.compiler.values import resolve
from todo_sql.database.query import Query
from todo_sql.database.session import Session
from todo_sql.errors import Finding
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

pytestmark = pytest.mark.database

SCHEMA = """
create type mood as enum ('sad', 'it''s "fine", \\o/', 'ok');
create domain email as text check (value like '%@%');
create domain amount as numeric(10, 2);
create domain moods as mood[];
create domain feeling as mood;
create type floatrange as range (subtype = float8);
create type moodrange as range (subtype = mood);
create type "My.Pair" as (a int);
create type street as (name text, moods mood[]);
create type address as (street street, number int, until tstzrange, "the city?" text);
create table houses (
    id int primary key, address address not null, former address[] not null default '{}'
);
create table tasks (
    id int primary key,
    status text not null check (status in ('open', 'done')),
    state varchar(9) check (state = any (array['open', 'done'])),
    size text check (size in ('s', 'm')), title text not null
);
create table people (id int primary key, email email not null, feeling feeling);
create table walks (id int primary key, streets jsonb not null);
insert into houses values
    (1, (('High "St", 1', '{sad,ok}'), 5, '[2026-01-01 00:00:00+00,)', 'Ulm'), array[
        ((null, null), null, null, '')::address,
        (('(x)', '{}'), 6, 'empty', 'a,b')::address]);
"""

FINE = 'it\'s "fine", \\o/'
DAY = dt.date(2026, 1, 2)
LOCAL = dt.datetime(2026, 1, 2, 3, 4, 5, 6)
NOW = LOCAL.replace(tzinfo=dt.UTC)
MONEY = Decimal("123456789012345678901234567890.123456789")

VALUES: dict[str, list[object]] = {
    "boolean": [True, False],
    "smallint": [-(2**15), 2**15 - 1],
    "integer": [-(2**31), 2**31 - 1],
    "bigint": [-(2**63), 2**63 - 1],
    "oid": [2**32 - 1],
    "real": [1.5],
    "double precision": [0.1, float("inf")],
    "numeric": [MONEY, Decimal("-0.10"), Decimal("1E-20")],
    "numeric(10,2)": [Decimal("1.50")],
    "text": ["", "ä\n'\"\\ 世界 🌍"],
    "varchar(5)": ["abc"],
    "character(3)": ["abc"],
    '"char"': ["a"],
    "name": ["abc"],
    "bytea": [b"", b"\x00\xff'\\"],
    "uuid": [UUID(int=5)],
    "date": [DAY, dt.date.min, dt.date.max],
    "time": [dt.time(1, 2, 3, 4)],
    "timetz": [dt.time(1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=-5)))],
    "timestamp": [LOCAL],
    "timestamptz": [NOW],
    "interval": [dt.timedelta(days=3, seconds=4, microseconds=5), dt.timedelta(days=-3, seconds=4)],
    "inet": [
        IPv4Address("10.0.0.1"),
        IPv4Interface("10.0.0.1/8"),
        IPv6Address("::1"),
        IPv6Interface("fe80::1/64"),
    ],
    "cidr": [IPv4Network("10.0.0.0/8"), IPv6Network("fe80::/64")],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "json": [{"a": [1, None, "x"]}, [], "text", True],
    "jsonb": [{"a": [1, None, "ä"]}, [1, 2], "text", 5, None],
    "integer[]": [[1, 2], []],
    "smallint[]": [[1]],
    "boolean[]": [[True, False]],
    "text[]": [["a", "b,c", '"d"', "NULL", "", "\\"]],
    "numeric[]": [[MONEY]],
    "timestamptz[]": [[NOW]],
    "date[]": [[DAY]],
    "interval[]": [[dt.timedelta(1)]],
    "uuid[]": [[UUID(int=5)]],
    "bytea[]": [[b"\0a"]],
    "jsonb[]": [[{"a": 1}, [1]]],
    "inet[]": [[IPv4Address("10.0.0.1")]],
    "cidr[]": [[IPv4Network("10.0.0.0/8")]],
    "macaddr[]": [["08:00:2b:01:02:03"]],
    "money[]": [["$1.00"]],
    "point[]": [["(1,2)"]],
    "int4range[]": [[Range(1, 5)]],
    "mood": ["sad", FINE],
    "mood[]": [["sad", FINE], []],
    "feeling": ["ok"],
    "feeling[]": [["ok"]],
    "moods": [["sad", FINE]],
    "email": ["a@b"],
    "email[]": [["a@b", '"a, b"@c']],
    "amount": [Decimal("1.50")],
    "amount[]": [[Decimal("1.50")]],
    "int4range": [Range(1, 5), Range(empty=True)],
    "int8range": [Range(1, None)],
    "numrange": [Range(Decimal(1), Decimal("2.5"), "(]")],
    "daterange": [Range(DAY, None)],
    "tsrange": [Range(LOCAL, None)],
    "tstzrange": [Range(None, NOW)],
    "int4multirange": [Multirange([Range(1, 5), Range(7, 9)])],
    "nummultirange": [Multirange([Range(Decimal(1), Decimal(2))])],
    "datemultirange": [Multirange()],
    "tstzmultirange": [Multirange([Range(NOW, None)])],
    "floatrange": [Range(1.0, 2.5), Range(empty=True)],
    "floatrange[]": [[Range(1.0, None), Range(0.5, 0.75)]],
    "floatmultirange": [Multirange([Range(1.0, 2.5)])],
    "moodrange": [Range("sad", "ok")],
    "money": ["$1.00"],
    "bit(3)": ["101"],
    "varbit": ["101"],
    "tsvector": ["'a' 'b'"],
    "tsquery": ["'a' & 'b'"],
    "point": ["(1,2)"],
    "jsonpath": ['$."a"'],
    "pg_lsn": ["0/1"],
    "regclass": ["pg_class"],
    "xid8": ["5"],
}
COLUMNS = {pg_type: f"c{number}" for number, pg_type in enumerate(VALUES)}
QUERIES = "".join(
    f"-- name: store_{name} :one\ninsert into everything ({name}) values (:v) returning {name};\n"
    f"-- name: ask_{name} :many\nselect :v::{pg_type} as v;\n"
    for pg_type, name in COLUMNS.items()
)
HOUSES = """
-- name: get_address :one
select address from houses where id = 1;

-- name: get_former :one
select former from houses where id = 1;

-- name: get_house :one
select id, address, former from houses where id = 1;

-- name: put_walk :one
insert into walks (id, streets) values (1, :streets) returning streets;

-- name: copy_walks :copyfrom
insert into walks (id, streets) values (:id, :streets);

-- name: page_houses :page
select id, former from houses order by id limit 5;

-- name: stream_houses :stream
select former from houses order by id;
"""


@dataclass(frozen=True)
class World:
    """A database with every type, and what is known of the queries on it."""

    connection: psycopg.Connection[Any]
    session: Session
    described: dict[str, Described]
    compilers: dict[frozenset[tuple[str, str]], Compiler] = field(default_factory=dict)

    def analyse(self, sql: str, types: dict[str, str], cardinality: str = "many") -> Analysis:
        """Describe a query."""
        key = frozenset(types.items())
        if key not in self.compilers:
            config = config_of(Path("/nowhere"), types=types)
            self.compilers[key] = Compiler(self.connection, config)
        model = " -> Row" if cardinality == "many" else ""
        text = f"-- name: a :{cardinality}{model}\n{sql}"
        return self.compilers[key].analyse(load_text(Source("queries/test.sql", text)))

    def refusal(self, sql: str, types: dict[str, str]) -> Finding:
        """Return what is wrong with a query."""
        (finding,) = self.analyse(sql, types).findings
        return finding


class Street(BaseModel):
    """The composite `street`."""

    name: str | None
    moods: list[str] | None


class Address(BaseModel):
    """The composite `address`."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    street: Street
    number: int | None
    until: Range[dt.datetime] | None


class House(BaseModel):
    """A row of houses."""

    id: int
    address: Address
    former: list[Address]


FILE = TextFile(QUERIES + HOUSES, tenant=None)


@pytest.fixture(scope="module")
def world(server: Server, owner: Owner) -> Iterator[World]:
    """A database that no test changes but for rows that nobody reads."""
    types = {"address": "app.Address", "walks.streets": "list[app.Street]"}
    config = config_of(Path("/nowhere"), types=types)
    with (
        make_database(server, owner) as name,
        psycopg.connect(server.url(name, owner.name), autocommit=True) as connection,
        Database.connect(server.url(name, owner.name)) as db,
    ):
        connection.execute(SCHEMA)
        columns = ", ".join(f"{column} {pg_type}" for pg_type, column in COLUMNS.items())
        connection.execute(f"create table everything ({columns})")
        queries = load_text(Source("queries/types.sql", QUERIES + HOUSES))
        analysis = Compiler(connection, config).analyse(queries)
        assert not analysis.findings
        described = {entry.query.name: entry for entry in analysis.described}
        yield World(connection, db.session(), described)


def handle(entry: Described, row: Any, *, validated: bool = False) -> Query[Any]:
    """Return what `generate` writes for a query."""
    parameters = {one.name: one.pg_type for one in entry.parameters if one.pg_type}
    return FILE.query(
        entry.query.name, row=row, parameters=parameters, forms=entry.forms, validated=validated
    )


@pytest.mark.parametrize("pg_type", VALUES)
def test_there_and_back(world: World, pg_type: str) -> None:
    """A value of each type comes back as it was sent, and is of the type that is claimed."""
    name = COLUMNS[pg_type]
    store, ask = world.described[f"store_{name}"], world.described[f"ask_{name}"]
    python = store.columns[0].python
    assert python == store.parameters[0].python
    sent = python.text.replace(" | None]", "]")  # what is only asked for has the elements sent
    assert ask.columns[0].python.text == ask.parameters[0].python.text == sent
    strict = TypeAdapter(resolve(python), config=ConfigDict(arbitrary_types_allowed=True))
    for value in VALUES[pg_type]:
        stored = world.session.one(handle(store, resolve(python)), {"v": value})
        (asked,) = world.session.many(handle(ask, resolve(python)), {"v": value})
        assert (stored, asked) == (value, value)
        assert repr(stored) == repr(asked) == repr(value)
        if python != ANY:
            strict.validate_python(stored, strict=True)


FORMER = [
    Address.model_validate(
        {"street": Street(name=None, moods=None), "number": None, "until": None, "the city?": ""}
    ),
    Address.model_validate(
        {
            "street": Street(name="(x)", moods=[]),
            "number": 6,
            "until": Range(empty=True),
            "the city?": "a,b",
        }
    ),
]


def test_composites(world: World) -> None:
    """A composite is the model that the configuration names: alone, in a list, in a row."""
    described = world.described
    assert described["get_address"].columns[0].annotation.text == "Address"
    assert described["get_former"].columns[0].annotation.text == "list[Address | None]"
    address = world.session.one(handle(described["get_address"], Address, validated=True), {})
    assert address.street == Street(name='High "St", 1', moods=["sad", "ok"])
    assert address.until == Range(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None)
    assert address.model_extra == {"the city?": "Ulm"}
    former = handle(described["get_former"], list[Address], validated=True)
    assert world.session.one(former, {}) == FORMER
    house = world.session.one(handle(described["get_house"], House), {})
    assert house == House(id=1, address=address, former=FORMER)
    page = world.session.page(handle(described["page_houses"], dict), {})
    assert [Address.model_validate(one) for one in page.items[0]["former"]] == FORMER
    stream = handle(described["stream_houses"], list[Address], validated=True)
    with world.session.stream(stream, {}) as rows:
        assert list(rows) == [FORMER]


def test_json_of_models(world: World) -> None:
    """A jsonb column that holds a list of models, there and back."""
    entry = world.described["put_walk"]
    assert entry.parameters[0].python.text == entry.columns[0].python.text == "list[Street]"
    streets = [Street(name="a", moods=["ok"]), Street(name=None, moods=None)]
    put = handle(entry, list[Street], validated=True)
    assert world.session.one(put, {"streets": streets}) == streets
    copy = handle(world.described["copy_walks"], None)
    assert world.session.copyfrom(copy, [{"id": 2, "streets": streets}]) == 1
    (copied,) = world.session.sql("select streets from walks where id = 2", list[Street])
    assert copied == streets


OPEN = 'Literal["open", "done"]'


@pytest.mark.parametrize(
    ("sql", "python"),
    [
        ("select id from tasks where status = :p", OPEN),
        ("select id from tasks where :p <> state", OPEN),
        ("select id from tasks where status = any(:p)", f"list[{OPEN}]"),
        ("select id from tasks where not status <> all(:p::text[])", f"list[{OPEN}]"),
        ("select t.id from houses as h left join tasks as t on t.state = :p", OPEN),
        ("select (select count(*) from tasks as t where t.status = :p) as n from houses", OPEN),
        ("select id from houses where id in (select id from tasks where status = :p)", OPEN),
        ("select 1 as v from (select id from tasks where status = :p) as t, houses as h", OPEN),
        ("select id from tasks where status = :p or state = :p", OPEN),
        ("update tasks set status = :p where status <> :p and id = 1", OPEN),
        ("insert into tasks (id, status, title) values (1, :p, '')", OPEN),
        ("select id from tasks where status > :p", "str"),
        ("select id from tasks where status = :p and title = :p", "str"),
        ("select id from tasks where status = lower(:p)", "str"),
        ("select id from tasks where status = :p or size = :p", "str"),
        ("select id from tasks where title = :p", "str"),
        ("select h.id from houses as h, tasks as t where h.id = :p and t.id = h.id", "int"),
    ],
)
def test_one_of_a_list(world: World, sql: str, python: str) -> None:
    """What is compared with a column that takes some values only is one of these."""
    cardinality = "many" if sql.startswith("select") else "exec"
    (entry,) = world.analyse(sql, {}, cardinality).described
    assert entry.parameters[0].python.text == python


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select row(1, 'a') as v", "its type in PostgreSQL is record"),
        ("select address as v from houses", "its type in PostgreSQL is address"),
        ("select null::anyarray as v", "its type in PostgreSQL is anyarray"),
        (
            "select 1 as v where :p::pg_lsn[] is not null and :q::moods[] is null",
            "its type in PostgreSQL is moods[]",
        ),
    ],
)
def test_no_python_type(world: World, sql: str, says: str) -> None:
    """What has no Python type is refused, and the refusal says what would help."""
    found = world.refusal(sql, {})
    assert (found.code, found.cause) == ("C104", says)
    assert "cast it" in (found.fix or "")


@pytest.mark.parametrize(
    ("sql", "python"),
    [
        ("select address as v from houses", "Thing"),
        ("select former as v from houses", "list[Thing | None]"),
        ('select row(1)::"My.Pair" as v', "Thing"),
        ('select array[row(1)::"My.Pair"] as v', "list[Thing]"),
    ],
)
def test_the_line_of_a_refusal_helps(world: World, sql: str, python: str) -> None:
    """What it says to write is TOML, and maps the type: of an array, its elements."""
    fix = world.refusal(sql, {}).fix or ""
    (types,) = [tomllib.loads(one) for one in re.findall("map it: (.*) under", fix)]
    named = dict.fromkeys(types, "app.Thing")
    (entry,) = world.analyse(sql, named).described
    assert entry.columns[0].python.text == python


def test_a_composite_is_passed(world: World) -> None:
    """As the tuple of its fields, or as what the configuration names."""
    for types, pattern in (
        ({}, r"list\[tuple\[.*\| None\]\]"),
        ({"address": "app.Address"}, r"list\[Address\]"),
    ):
        (entry,) = world.analyse("select 1 where :p::address[] is not null", types).described
        assert re.fullmatch(pattern, entry.parameters[0].python.text)


def test_models_that_the_configuration_names(world: World) -> None:
    """A name that begins with a dot is of a query's model; no other class may have its name."""
    sql = "select id, status, state from tasks"
    for path, found in (
        (".models.Row", []),
        (".models.Rwo", ["C117"]),
        ("app.Row", ["C117"]),
        ("app.Status", []),
    ):
        analysis = world.analyse(sql, {"a.status": f"list[{path}]", "Row.state": "str"})
        assert [one.python.mapped for one in analysis.described[0].columns] == [False, True, True]
        assert [finding.code for finding in misnamed(analysis.described)] == found


def test_a_domain_that_the_configuration_names(world: World) -> None:
    """Of a column, though PostgreSQL describes what the domain is made of, and of a parameter."""
    sql = "select email, feeling, email || '' as text from people where email = :email::email"
    (described,) = world.analyse(sql, {"email": "app.Email", "feeling": "app.Mood"}).described
    assert [one.python.text for one in described.columns] == ["Email", "Mood", "str"]
    assert [one.python.text for one in described.parameters] == ["Email"]
