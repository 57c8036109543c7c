"""What generated models write to JSON, and what their JSON schema says of it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from support.generated import make, type_check

from todo_sql import Database

pytestmark = pytest.mark.database

QUERIES = """
-- name: row :one -> Row
select 'NaN'::float8 as "float", 'Infinity'::real as f, array['-inf', null, 1.5]::float8[] as fs,
    '[1,)'::int4range as r, array['empty', null, '[1,5)']::int4range[] as rs,
    null::daterange as d, '{(,2026-01-01 00:00)}'::tsmultirange as m, x.span, x.half,
    '["sad","it''s (b)")'::moodrange as moods
from x;

-- name: clash :one -> Float
select 1.5::float8 as "AsText", 2.5::float8 as "Float", '(,)'::int8range as "Range";
"""
USE = """
from jsonrows.q import clash, row
from psycopg.types.range import Range
from todo_sql import Session

def work(me: Session) -> None:
    found = row(me)
    number: float = found.f
    ranges: list[Range[int] | None] = found.rs
    print(number, ranges, clash(me).AsText)
"""


def test_json_of_rows(empty_database: str, tmp_path: Path) -> None:
    """Floats, ranges and lists of them; in Python they stay what they are."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "create type mood as enum ('sad', 'it''s (b)');"
            "create type moodrange as range (subtype = mood);"
            "create table x (span numrange not null, half float8 not null check (half > 0));"
            "insert into x values ('(0.5,2]', 'inf')"
        )
    q = make(empty_database, tmp_path, "jsonrows", QUERIES)
    type_check(tmp_path, "jsonrows", USE)
    with Database.connect(empty_database) as db:
        row = q.row(db.session())
        clash = q.clash(db.session())
    expected = {
        "float": "NaN",
        "f": "Infinity",
        "fs": ["-Infinity", None, 1.5],
        "r": "[1,)",
        "rs": ["empty", None, "[1,5)"],
        "d": None,
        "m": '{(,"2026-01-01 00:00:00")}',
        "span": "(0.5,2]",
        "half": "Infinity",
        "moods": '[sad,"it\'s (b)")',
    }
    assert json.loads(row.model_dump_json()) == row.model_dump(mode="json") == expected
    assert row.f == float("inf")
    assert row.r.lower == 1
    assert row.rs[0].isempty
    fields = type(row).model_json_schema(mode="serialization")["properties"]
    number = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
    assert {"title": "F", **number} == fields["f"]
    assert fields["half"]["exclusiveMinimum"] == 0
    assert fields["fs"]["items"]["anyOf"] == [*number["anyOf"], {"type": "null"}]
    assert fields["rs"]["items"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert json.loads(clash.model_dump_json()) == {"AsText": 1.5, "Float": 2.5, "Range": "(,)"}
