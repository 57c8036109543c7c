"""Every type × shape × way of writing: stored as PostgreSQL stores a literal, or refused unsent.

What is stored is read again: alone, in a row, and as JSON that its schema describes. What only
others could have stored is read, or a `BadRow` names its column and how to read it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import ConfigDict, create_model
from support.compiling import config_of
from support.database import Owner, Server
from support.database import database as make_database
from support.sessions import TextFile

from todo_sql import BadParameter, BadRow, Database
from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.described import Described
from todo_sql.compiler.generating.model_source import in_json
from todo_sql.compiler.values import resolve
from todo_sql.database.query import Query
from todo_sql.database.session import Session
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source
from todo_sql.wire import instances

pytestmark = pytest.mark.database

UTC = dt.UTC
NEW_YEAR = dt.datetime(2026, 1, 1)
EAST = dt.timezone(dt.timedelta(hours=5, minutes=30, seconds=15))
MOOD = 'it\'s "x", \\o/'

# Values of each type with PostgreSQL's literal for them; None: refused.
VALUES: dict[str, list[tuple[object, str | None]]] = {
    "boolean": [(True, "true"), (False, "false"), (1, None)],
    "int2": [(-32768, "-32768"), (32767, "32767"), (32768, None), (True, None), ("1", None)],
    "int4": [(2**31 - 1, "2147483647"), (-(2**31), "-2147483648"), (2**31, None), (1.0, None)],
    "int8": [(2**63 - 1, "9223372036854775807"), (2**63, None)],
    "oid": [(2**32 - 1, "4294967295"), (-1, None)],
    "float4": [(1.5, "1.5"), (0.1, "0.1"), (float("inf"), "inf"), (float("nan"), "nan"),
               (-0.0, "-0"), (1e300, None), (1e-300, None)],
    "float8": [(0.1, "0.1"), (5, "5"), (float("-inf"), "-inf"), (float("nan"), "nan"),
               (10**400, None), (True, None)],
    "numeric": [(Decimal("NaN"), "NaN"), (Decimal("Infinity"), "Infinity"),
                (Decimal("-Infinity"), "-Infinity"), (Decimal("1.50"), "1.50"),
                (Decimal("1E+10"), "1E+10"), (Decimal("1E-20"), "1E-20"),
                (Decimal("-0.00"), "-0.00"), (10**50, "1" + "0" * 50), (Decimal("sNaN"), None),
                (1.5, None)],
    "numeric(6,2)": [(Decimal("1.005"), "1.005"), (Decimal("NaN"), "NaN")],
    "text": [("", ""), ('äü\\\'"{},', 'äü\\\'"{},'), ("NULL", "NULL"), ("\0", None),
             ("\ud800", None), (b"a", None)],
    "varchar(3)": [("abc", "abc")],
    "char(3)": [("a", "a"), ("abc", "abc")],
    '"char"': [("a", "a"), ("", "")],
    "name": [("abc", "abc")],
    "bytea": [(b"", "\\x"), (b"\0\xff\\", "\\x00ff5c"), (bytearray(b"a"), "\\x61"),
              (memoryview(b"a"), "\\x61"), ("a", None)],
    "uuid": [(UUID(int=5), str(UUID(int=5))), ("a", None)],
    "date": [(dt.date.min, "0001-01-01"), (dt.date.max, "9999-12-31"), (NEW_YEAR, None)],
    "time": [(dt.time(1, 2, 3, 4), "01:02:03.000004"), (dt.time(1, 2, tzinfo=UTC), None)],
    "timetz": [(dt.time(1, 2, tzinfo=EAST), "01:02:00+05:30:15"), (dt.time(1, 2), None)],
    "timestamp": [(NEW_YEAR, "2026-01-01"), (dt.datetime.min, "0001-01-01"),
                  (dt.datetime.max, "9999-12-31 23:59:59.999999"),
                  (NEW_YEAR.replace(tzinfo=UTC), None), (dt.date(2026, 1, 1), None)],
    "timestamptz": [(NEW_YEAR.replace(tzinfo=UTC), "2026-01-01 00:00+00"), (NEW_YEAR, None),
                    (dt.datetime.min.replace(tzinfo=UTC), "0001-01-01 00:00+00"),
                    (dt.datetime.max.replace(tzinfo=UTC), "9999-12-31 23:59:59.999999+00"),
                    (dt.datetime.min.replace(tzinfo=EAST), None)],
    "interval": [(dt.timedelta(days=-3, seconds=4, microseconds=5), "-3 days 4.000005 sec"),
                 (dt.timedelta(days=40), "40 days")],
    "inet": [(IPv4Address("10.0.0.1"), "10.0.0.1"), (IPv4Interface("10.0.0.1/8"), "10.0.0.1/8"),
             (IPv6Interface("fe80::1/64"), "fe80::1/64"), (IPv6Address("::1"), "::1"),
             (IPv4Network("10.0.0.0/8"), None)],
    "cidr": [(IPv4Network("10.0.0.0/8"), "10.0.0.0/8"), (IPv4Address("10.0.0.1"), None)],
    "macaddr": [("08:00:2b:01:02:03", "08:00:2b:01:02:03")],
    "macaddr8": [("08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:05")],
    "json": [({"a": [1, None]}, '{"a": [1, null]}'), ("5", '"5"'), ("null", '"null"'),
             (True, "true"), (5, "5"), ([1], "[1]"), (float("nan"), None)],
    "jsonb": [({"a": [1, None]}, '{"a": [1, null]}'), ("5", '"5"'), ("null", '"null"'),
              ("true", '"true"'), (True, "true"), (5, "5"), ([1], "[1]"), (1.5, "1.5"),
              ({"a": Decimal("1.5")}, '{"a": "1.5"}'), (dt.date(2026, 1, 1), '"2026-01-01"'),
              ("\\u0000", '"\\\\u0000"'), (float("nan"), None), ("\0", None)],
    "bit(4)": [("1010", "1010")],
    "varbit": [("", ""), ("101", "101")],
    "money": [("$1.50", "1.50"), ("-$2.00", "-2.00")],
    "tsvector": [("'a' 'b'", "a b")],
    "tsquery": [("'a' & 'b'", "a & b")],
    "point": [("(1,2)", "(1,2)")],
    "box": [("(3,4),(1,2)", "(1,2),(3,4)")],
    "tid": [("(0,1)", "(0,1)")],
    "xid": [("5", "5")],
    "cid": [("5", "5")],
    "regprocedure": [("abs(integer)", "abs(integer)")],
    "regrole": [("pg_monitor", "pg_monitor")],
    "regnamespace": [("pg_catalog", "pg_catalog")],
    "regconfig": [("english", "english")],
    "line": [("{1,2,3}", "{1,2,3}")],
    "lseg": [("[(1,2),(3,4)]", "[(1,2),(3,4)]")],
    "path": [("((1,2),(3,4))", "((1,2),(3,4))")],
    "polygon": [("((1,2),(3,4))", "((1,2),(3,4))")],
    "circle": [("<(1,2),3>", "<(1,2),3>")],
    "jsonpath": [('$."a"', '$."a"')],
    "pg_lsn": [("0/1", "0/1")],
    "xid8": [("5", "5")],
    "int2vector": [("1 -2", "1 -2"), ("", ""), ([1], None)],
    "oidvector": [("1 23", "1 23"), ([1], None)],
    "aclitem": [("pg_monitor=r/pg_monitor", "pg_monitor=r/pg_monitor"), (1, None)],
    "refcursor": [("a b", "a b")],
    "regoper": [("pg_catalog.||/", "pg_catalog.||/")],
    "regoperator": [("+(integer,integer)", "+(integer,integer)")],
    "regcollation": [('"C"', '"C"')],
    "regdictionary": [("simple", "simple")],
    "pg_snapshot": [("10:20:10,14", "10:20:10,14"), (1, None)],
    "txid_snapshot": [("10:20:10,14", "10:20:10,14")],
    "regclass": [("pg_class", "pg_class")],
    "regtype": [("integer", "integer")],
    "mood": [("sad", "sad"), (MOOD, MOOD)],
    "int4range": [(Range(1, 5), "[1,5)"), (Range(empty=True), "empty"), (Range(None, None), "(,)"),
                  (Range(1, 5, "[]"), "[1,5]"), (Range(5, 1), None), (Range(2**31, None), None)],
    "int8range": [(Range(1, None), "[1,)"), (Range(2**63, None), None)],
    "numrange": [(Range(Decimal(1), Decimal("2.5"), "(]"), "(1,2.5]"),
                 (Range(Decimal("NaN"), None), "[NaN,)")],
    "daterange": [(Range(dt.date(2026, 1, 1), None), "[2026-01-01,)"),
                  (Range(NEW_YEAR, None), None)],
    "tsrange": [(Range(NEW_YEAR, None), "[2026-01-01,)"),
                (Range(NEW_YEAR.replace(tzinfo=UTC), None), None)],
    "tstzrange": [(Range(None, NEW_YEAR.replace(tzinfo=UTC)), "(,2026-01-01 00:00+00)"),
                  (Range(NEW_YEAR, None), None)],
    "floatrange": [(Range(1.0, 2.5), "[1,2.5)"), (Range(empty=True), "empty"),
                   (Range("a", None), None)],
    "moodrange": [(Range("sad", MOOD), '["sad","it\'s \\"x\\", \\\\o/")')],
    "int4multirange": [(Multirange([Range(1, 5), Range(7, 9)]), "{[1,5),[7,9)}"),
                       (Multirange(), "{}"), (Multirange([Range(2**31, None)]), None)],
    "nummultirange": [(Multirange([Range(Decimal(1), Decimal(2))]), "{[1,2)}")],
    "datemultirange": [(Multirange([Range(dt.date(2026, 1, 1), None)]), "{[2026-01-01,)}")],
    "int8multirange": [(Multirange([Range(None, -1), Range(2**40, None)]),
                        "{(,-1),[1099511627776,)}"),
                       (Multirange([Range(2**63, None)]), None)],
    "floatmultirange": [(Multirange([Range(float("-inf"), 1.5), Range(2.0, float("inf"), "[]")]),
                         "{[-inf,1.5),[2,inf]}"), (Multirange([Range("a", None)]), None)],
    "moodmultirange": [(Multirange([Range("sad", MOOD)]),
                        '{["sad","it\'s \\"x\\", \\\\o/")}')],
    "tsmultirange": [(Multirange([Range(NEW_YEAR, NEW_YEAR.replace(hour=1))]),
                      "{[2026-01-01 00:00,2026-01-01 01:00)}"),
                     (Multirange([Range(NEW_YEAR.replace(tzinfo=UTC), None)]), None)],
    "tstzmultirange": [(Multirange([Range(NEW_YEAR.replace(tzinfo=EAST), None)]),
                        "{[2026-01-01 00:00+05:30:15,)}"),
                       (Multirange([Range(NEW_YEAR, None)]), None)],
}  # fmt: skip
SHAPES = ("scalar", "domain", "flat", "nested", "domain_of_array", "domain_of_nested",
          "array_of_domain", "composite", "composites")  # fmt: skip
PARTS = {"composite": "(composite).f", "composites": "(composites[1]).g"}
DATES = ("date", "timestamp", "timestamptz")
WHOLE = ("scalar", "domain", "composite")
WESTERN = "0001-01-01 00:00+00"  # where the clock is behind UTC it lies before the year 1
# What Python cannot hold, by type; PostgreSQL 16 knows no infinite interval.
UNHELD = {
    "date": ["infinity", "-infinity", "0044-03-15 BC", "12000-01-01"],
    "timestamp": ["infinity", "-infinity", "0044-03-15 BC", "12000-01-01"],
    "timestamptz": ["infinity", "-infinity", "0044-03-15 BC", "12000-01-01"],
    "time": ["24:00"],
    "timetz": ["24:00+00"],
    "interval": ["170000000 years"],
    "daterange": ["[2026-01-01,infinity)", "[-infinity,2026-01-01)"],
    "tsrange": ["[2026-01-01,infinity)"],
    "tstzrange": ["(-infinity,2026-01-01)"],
    "datemultirange": ["{[2026-01-01,infinity)}"],
    "tsmultirange": ["{[2026-01-01,infinity)}"],
    "tstzmultirange": ["{[-infinity,2026-01-01)}"],
}
SCHEMA = """
create type mood as enum ('sad', 'it''s "x", \\o/');
create type floatrange as range (subtype = float8);
create type moodrange as range (subtype = mood);
"""


class World:
    """A database with a table per type, a column per shape."""

    def __init__(self, connection: psycopg.Connection[Any], session: Session) -> None:
        self.connection = connection
        self.session = session
        connection.execute("set timezone = 'UTC'")
        connection.execute(SCHEMA)
        text = ""
        for number, pg_type in enumerate(VALUES):
            connection.execute(f"create domain d{number} as {pg_type}")
            connection.execute(f"create domain da{number} as {pg_type}[]")
            connection.execute(f"create domain dn{number} as {pg_type}[][]")
            connection.execute(
                f"create type c{number} as"
                f" (f {pg_type}, g {pg_type}[], h {pg_type}[][], n dn{number})"
            )
            types = (pg_type, f"d{number}", f"{pg_type}[]", f"{pg_type}[][]", f"da{number}",
                     f"dn{number}", f"d{number}[]", f"c{number}", f"c{number}[]")  # fmt: skip
            columns = ", ".join(
                f"{shape} {kind}" for shape, kind in zip(SHAPES, types, strict=True)
            )
            connection.execute(f"create table t{number} (id int, {columns})")
            for shape in SHAPES:
                write = f"insert into t{number} ({shape}) values (:v);\n"
                name = f"{shape}_{number}"
                text += f"-- name: put_{name} :execrows\n{write}"
                text += f"-- name: copy_{name} :copyfrom\n{write}"
                text += f"-- name: batch_{name} :batch\n{write}"
                value = PARTS.get(shape, shape)
                text += f"-- name: all_{name} :many\nselect id, {value} as v from t{number};\n"
                text += f"-- name: one_{name} :one\nselect {value} as v from t{number};\n"
        analysis = Compiler(connection, config_of(Path("/nowhere"))).analyse(
            load_text(Source("queries/values.sql", text))
        )
        assert not analysis.findings
        self.described = {one.query.name: one for one in analysis.described}
        self._file = TextFile(text, tenant=None)

    def handle(self, name: str, row: Any = None) -> tuple[Described, Query[Any]]:
        """Return what `generate` writes for a query."""
        entry = self.described[name]
        nullable = [one.name for one in entry.parameters if one.nullable]
        nullable += [f"{one.name}[]" for one in entry.parameters if one.null_elements]
        types = {one.name: one.pg_type for one in entry.parameters if one.pg_type}
        return entry, self._file.query(
            name,
            row=row,
            parameters=types,
            written=entry.written,
            nullable=nullable,
            forms=entry.forms,
        )

    def write(self, how: str, name: str, value: object) -> None:
        """Store a value by a call, by COPY or in a batch."""
        _, query = self.handle(f"{how}_{name}")
        if how == "put":
            self.session.execrows(query, {"v": value})
        elif how == "copy":
            self.session.copyfrom(query, [{"v": value}])
        else:
            self.session.batch_execute(query, [{"v": value}])


@pytest.fixture(scope="module")
def world(server: Server, owner: Owner) -> Iterator[World]:
    """A database of its own; its rows are made at once, however few they are."""
    with (
        pytest.MonkeyPatch.context() as patch,
        make_database(server, owner) as name,
        psycopg.connect(server.url(name, owner.name), autocommit=True) as connection,
        Database.connect(server.url(name, owner.name)) as db,
    ):
        patch.setattr(instances, "_FEW", 1)
        yield World(connection, db.session())


def shaped(shape: str, value: object, literal: str | None) -> tuple[object, str]:
    """Return a value in a shape, and the expression that makes the same of its literal."""
    written = sql.Literal(literal or "").as_string()
    given, expression = {
        "scalar": (value, "{0}::{1}"),
        "domain": (value, "{0}::{1}"),
        "flat": ([value, None], "array[{0}::{1}, null]"),
        "nested": ([[value, value]], "array[array[{0}::{1}, {0}::{1}]]"),
        "domain_of_array": ([value], "array[{0}::{1}]"),
        "domain_of_nested": ([[value], [None]], "array[array[{0}::{1}], array[null::{1}]]"),
        "array_of_domain": ([value, None], "array[{0}::{1}, null]"),
        "composite": (
            (value, [None, value], [[value]], None),
            "row({0}::{1}, array[null, {0}::{1}], array[array[{0}::{1}]], null)",
        ),
        "composites": (
            [{"f": None, "g": [value], "h": None, "n": [[value], [value]]}],
            "array[row(null, array[{0}::{1}], null, array[array[{0}::{1}], array[{0}::{1}]])]",
        ),
    }[shape]
    return given, expression.replace("{0}", written)


@pytest.mark.parametrize("pg_type", VALUES)
def test_stored_and_read(world: World, pg_type: str, counts: dict[str, Counter[str]]) -> None:
    """Three ways of writing, nine shapes, edge values: 3 × 9 cells for each value."""
    told = counts["stored values"]
    told["types"] += 1
    number = list(VALUES).index(pg_type)
    for value, literal in VALUES[pg_type]:
        for shape in SHAPES:
            given, expression = shaped(shape, value, literal)
            expression = expression.replace("{1}", pg_type)
            name = f"{shape}_{number}"
            for how in ("put", "copy", "batch"):
                world.connection.execute(f"truncate t{number}")
                cell = (pg_type, shape, how, value)
                told["cells"] += 1
                if literal is None:
                    with pytest.raises(BadParameter, match="`v`") as caught:
                        world.write(how, name, given)
                    told[f"refused ({why(caught.value)})"] += 1
                    assert world.connection.execute(f"table t{number}").fetchall() == [], cell
                    continue
                world.write(how, name, given)
                world.connection.execute(f"update t{number} set id = 1")
                pair = world.connection.execute(
                    f"select {shape}::text, ({expression})::text from t{number}".encode()
                ).fetchone()
                assert pair is not None
                assert pair[0] == pair[1], cell
                read(world, name)
                told["stored as the literal and read"] += 1


def why(error: BadParameter) -> str:
    """Return the kind of a refusal, without the value's place and the names of classes."""
    message = str(error.finding.message)
    if " takes " in message or " is expected" in message:
        return "another class"
    return re.sub(r"^.*?: (field `\w+`: )*", "", message).partition(":")[0]


def read(world: World, name: str) -> None:
    """Read what was stored: in a row that is validated, alone, and as JSON of its schema."""
    entry = world.described[f"all_{name}"]
    config = ConfigDict(
        frozen=True, arbitrary_types_allowed=True, allow_inf_nan=True, ser_json_bytes="base64"
    )
    column = entry.columns[1].annotation
    kind = resolve(in_json(column))  # as `generate` writes the field
    row: Any = create_model("Row", __config__=config, id=(int, ...), v=(kind, ...))
    (found,) = world.session.many(world.handle(f"all_{name}", row)[1], {})
    assert found.v is not None
    alone = world.session.one(world.handle(f"one_{name}", resolve(column))[1], {})
    assert repr(alone) == repr(found.v)
    schema = row.model_json_schema(mode="serialization")["properties"]["v"]
    value = json.loads(found.model_dump_json(), parse_constant=None)["v"]
    assert fits(value, schema), (value, schema)
    assert json.loads(json.dumps(found.model_dump(mode="json"), allow_nan=False))["v"] == value
    if "ange[" in column.text and isinstance(value, str):  # it is PostgreSQL's text
        shape, _, number = name.rpartition("_")
        same = f"select {PARTS.get(shape, shape)} = $1 as v from t{number}"
        cursor = psycopg.RawCursor(world.connection)
        assert cursor.execute(same.encode(), [value]).fetchone() == (True,), value


def fits(value: object, schema: dict[str, Any]) -> bool:
    """Whether a value of JSON is what a schema says."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds: dict[str, Any] = {
        "null": type(None), "string": str, "number": (int, float), "integer": int,
        "boolean": bool, "array": list,
    }  # fmt: skip
    kind = schema.get("type")
    if kind is None:
        return True
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    return kind != "array" or all(fits(one, schema["items"]) for one in value)


@pytest.mark.parametrize("pg_type", UNHELD)
def test_what_python_cannot_hold(
    world: World, pg_type: str, counts: dict[str, Counter[str]]
) -> None:
    """What others stored: in every shape an error that names the column and helps."""
    number = list(VALUES).index(pg_type)
    for literal in UNHELD[pg_type]:
        for shape in SHAPES:
            expression = shaped(shape, None, literal)[1].replace("{1}", pg_type)
            world.connection.execute(f"truncate t{number}")
            cast = {"composite": f"::c{number}", "composites": f"::c{number}[]"}.get(shape, "")
            write = f"insert into t{number} (id, {shape}) values (1, ({expression}){cast})"
            world.connection.execute(write.encode())
            cell = (pg_type, shape, literal)
            for name, call in (("all", world.session.many), ("one", world.session.one)):
                _, query = world.handle(f"{name}_{shape}_{number}", dict)
                with pytest.raises(BadRow, match="column `v`") as caught:
                    call(query, {})
                fix = str(caught.value.finding.fix)
                assert "v::text" in fix, cell
                source = f"from (select {PARTS.get(shape, shape)} as v from t{number}) as q"
                shown = f"select v::text {source}"
                assert world.connection.execute(shown.encode()).fetchone(), cell
                if "where " in fix:
                    left = f"select v {source} {fix[fix.index('where') :]}"
                    assert world.connection.execute(left.encode()).fetchall() == [], cell
                assert ("where " in fix) == (shape in WHOLE and pg_type in DATES), cell
            as_json = f"select to_jsonb({shape}) as v from t{number}"
            assert world.session.sql(as_json, dict)[0]["v"] is not None
            counts["stored values"]["only others can store, a BadRow"] += 1


@pytest.mark.parametrize("pg_type", VALUES)
def test_defaults(world: World, pg_type: str, counts: dict[str, Counter[str]]) -> None:
    """As a default in a header: the value of Python stores what the literal stores, or C128."""
    number = list(VALUES).index(pg_type)
    compiler = Compiler(world.connection, config_of(Path("/nowhere")))
    literals = [one for _, one in VALUES[pg_type] if one is not None]
    for literal in [*literals, *UNHELD.get(pg_type, [])]:
        quoted = "'" + literal.replace("'", "''") + "'"
        text = f"-- name: put :execrows\n-- param: v = {quoted}\n"
        text += f"insert into t{number} (scalar) values (:v);\n"
        analysis = compiler.analyse(load_text(Source("queries/default.sql", text)))
        if literal in (*UNHELD.get(pg_type, ()), WESTERN):
            assert [one.code for one in analysis.findings] == ["C128"], literal
            counts["stored values"]["refused as defaults in a header (Python has none)"] += 1
            continue
        assert not analysis.findings, (literal, analysis.findings)
        (parameter,) = analysis.described[0].parameters
        world.connection.execute(f"truncate t{number}")
        world.write("put", f"scalar_{number}", resolve(parameter.default_value))
        pair = world.connection.execute(
            f"select scalar::text, cast({quoted} as {pg_type})::text from t{number}".encode()
        ).fetchone()
        assert pair is not None
        assert pair[0] == pair[1], (literal, parameter.default)
        counts["stored values"]["stored as defaults in a header"] += 1


def test_lists_in_lists(world: World) -> None:
    """Where no depth is declared a list in a list is refused; where it is, all must fit."""
    number = list(VALUES).index("int4")
    for shape, value, why in (
        ("flat", [[1]], "declare it, as in `int.*"),
        ("domain_of_array", [[1]], "a list in a list"),
        ("nested", [1], "lists in lists"),
        ("domain_of_nested", [1], "lists in lists"),
        ("nested", [[1], [2, 3]], "of one length"),
        ("nested", [[]], "not empty"),
        ("flat", "12", "takes list, not str"),
        ("flat", ["a"], "str where int is expected"),
        ("flat", [True], "bool where int is expected"),
        ("nested", [[2**31]], "out of range"),
    ):
        for how in ("put", "copy", "batch"):
            with pytest.raises(BadParameter, match=why):
                world.write(how, f"{shape}_{number}", value)
    for given in ([], (), [[1, 2], [3, 4]], ((1, None),)):
        world.connection.execute(f"truncate t{number}")
        world.write("put", f"nested_{number}", given)
        stored = world.connection.execute(f"select nested from t{number}").fetchone()
        assert stored == ([list(row) if row else row for row in given],)
