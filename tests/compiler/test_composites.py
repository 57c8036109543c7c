"""Composites, enums as classes, and types of the configuration as parameters."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import sys
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from pydantic import BaseModel, Field
from support.compiling import checked, codes, config_of
from support.generated import make, type_check

from todo_sql import AsyncDatabase, BadParameter, Database

pytestmark = pytest.mark.database

SCHEMA = """
create type mood as enum ('sad', 'it''s', 'in-progress', '1st', '');
create type point2 as (x int, y int);
create type place as ("street No" text, at point2, tags text[], since date, felt mood, extra jsonb);
create table visits (id int generated always as identity primary key, place place, places place[],
    felt mood not null default 'sad', moods mood[]);
"""
TRICKY = ['a"b\\', "", "null", ",(){}", "ü '", None]


class Point(NamedTuple):
    """A place by name."""

    x: int | None
    y: int | None


@dataclasses.dataclass(frozen=True)
class Spot:
    """A point as a dataclass."""

    x: int | None
    y: int | None


class Place(BaseModel):
    """A composite as a model."""

    street: str | None = Field(alias="street No")
    at: Spot | None = None
    tags: list[str | None] | None = None
    since: dt.date | None = None
    felt: str | None = None
    extra: Any = None


QUERIES = """
-- name: add :one
insert into visits (place, places) values (:place, :places) returning id;

-- name: read :one
select to_jsonb(place) as place, to_jsonb(places) as places from visits where id = :id;

-- name: load :copyfrom
insert into visits (place, places) values (:place, :places);

-- name: every :batch
insert into visits (place, places) values (:place, :places) returning to_jsonb(place) as place;

-- name: unnested :many
select p.x, p.y
from unnest(:points::point2[]) as p
where p.x > :least -- if: least
;

-- name: grid :one
select to_jsonb(:grid::point2[][]) as v;

-- name: scalar :one
-- param: p point2 = '(1,2)'
select (:p::point2).x as v;

-- name: whole_rows :execrows
insert into visits (place, felt) overriding user value
select r.place, r.felt from unnest(:rows::visits[]) as r;
""".replace("-- name: grid :one\n", "-- name: grid :one\n-- param: grid point2[][]\n")

USE = """
from compositesq import q
from todo_sql import Session

def work(me: Session) -> None:
    print(q.unnested(me, points=[(1, 2), (None, 3)], least=1))
    print(q.scalar(me, p=(1, None)) or 0, q.add(me, place=None, places=[]))
"""


def plain(street: str | None) -> dict[str, Any]:
    """Return the place of this street as PostgreSQL shows it in JSON."""
    return {"street No": street, "at": {"x": 1, "y": None}, "tags": [street, None],
            "since": "2026-01-31", "felt": "it's", "extra": {"a": [1, street]}}  # fmt: skip


def forms(street: str | None) -> list[Any]:
    """Return the same place as a tuple, a dict and a model."""
    day = dt.date(2026, 1, 31)
    rest = {"tags": [street, None], "since": day, "felt": "it's", "extra": {"a": [1, street]}}
    by_name = {"street No": street, "at": Point(1, None), **rest}
    return [
        (street, (1, None), [street, None], day, "it's", {"a": [1, street]}),
        by_name,
        dict(reversed(by_name.items())),
        Place.model_validate({**by_name, "at": Spot(1, None)}),
    ]


def test_composites(url: str, tmp_path: Path) -> None:
    """Stored as their fields say, alone and in arrays, through COPY, batches and unnest."""
    q = make(url, tmp_path, "compositesq", QUERIES)
    type_check(tmp_path, "compositesq", USE)
    with Database.connect(url) as db:
        me = db.session()
        for street in TRICKY:
            for one in forms(street):
                row = q.read(me, id=q.add(me, place=one, places=[one, None, one]))
                assert row.place == plain(street)
                assert row.places == [plain(street), None, plain(street)]
                assert q.load(me, [{"place": one, "places": [one]}]) == 1
                sets = [{"place": one, "places": []}, {"place": None, "places": None}]
                assert q.every(me, sets) == [plain(street), None]
        same = "select place = places[1] as v from visits where cardinality(places) = 1"
        found = me.sql(same, bool)
        assert found == [True] * len(TRICKY) * 4
        assert [(row.x, row.y) for row in q.unnested(me, points=[(1, 2), Spot(3, None)])] == [
            (1, 2), (3, None),
        ]  # fmt: skip
        assert [row.x for row in q.unnested(me, points=[(1, 2), Point(3, 4)], least=1)] == [3]
        assert q.grid(me, grid=[[(1, 2)], [(3, None)]]) == [
            [{"x": 1, "y": 2}],
            [{"x": 3, "y": None}],
        ]
        assert (q.scalar(me), q.scalar(me, p=(7, None))) == (1, 7)
        assert q.whole_rows(me, rows=[(5, None, None, "sad", None)]) == 1

    async def later() -> None:
        async with AsyncDatabase.connect(url) as db:
            me = db.session()
            for one in forms("x"):
                assert (
                    await q.read(me, id=await q.add(me, place=one, places=[one]))
                ).place == plain("x")
                assert await q.load(me, [{"place": one, "places": [one]}]) == 1

    asyncio.run(later())


# A base type whose values hold commas, as an extension may bring one: a semicolon stands between
# the elements of its arrays.
CORNERS = """
create type corners;
create function corners_in(cstring) returns corners language internal immutable strict as 'box_in';
create function corners_out(corners) returns cstring language internal immutable strict
    as 'box_out';
create type corners (
    input = corners_in, output = corners_out, internallength = 32, alignment = double,
    delimiter = ';'
);
create domain room as box;
create table plans (id int primary key, c corners, cs corners[], r room, rs room[]);
"""
CORNER_QUERIES = """
-- name: add :execrows
insert into plans (id, c, cs, r, rs) values (:id, :c, :cs, :r, :rs);

-- name: load :copyfrom
insert into plans (id, c, cs, r, rs) values (:id, :c, :cs, :r, :rs);

-- name: read :many
select c, cs, r, rs from plans order by id;
"""


def test_arrays_whose_elements_hold_commas(superuser_database: str, tmp_path: Path) -> None:
    """Of an extension's type that the configuration names, and of a domain over one of ours."""
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute(CORNERS)
    types = {"corners": "builtins.str"}
    q = make(superuser_database, tmp_path, "cornersq", CORNER_QUERIES, types=types)
    one, two = "(3,4),(1,2)", "(7,8),(5,6)"
    values = {"c": one, "cs": [one, None, two], "r": two, "rs": [two, one]}
    with Database.connect(superuser_database) as db:
        me = db.session()
        assert q.add(me, id=1, **values) == 1
        assert q.load(me, [{"id": 2, **values}, {"id": 3, **values, "cs": [], "rs": None}]) == 2
        first, second, third = (row.model_dump() for row in q.read(me))
        assert first == second == values
        assert third == {**values, "cs": [], "rs": None}
        texts = me.sql("select cs::text as v from plans where id < 3", str)
        assert texts == ["{(3,4),(1,2);NULL;(7,8),(5,6)}"] * 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((1,), "1 fields where 2 are expected"),
        ({"x": 1}, "field `y` is missing"),
        ({"x": 1, "y": 2, "z": 3}, "field `z` is none of the type's"),
        ((1, "a"), "field `y`: str where int is expected"),
        ((1, 2**31), "field `y`: out of range"),
        ((1, True), "field `y`: bool where int is expected"),
        ("(1,2)", "str where a tuple, a dict or a model of its fields is expected"),
        (5, "int where a tuple"),
    ],
)
def test_what_is_no_composite(value: Any, message: str, url: str, tmp_path: Path) -> None:
    """Is refused by the parameter's and the field's name, before anything is sent."""
    from support.sessions import TextFile

    file = TextFile("-- name: q :one\nselect :p::point2 is null as v")
    form: Any = {"x": "int4", "y": "int4"}
    query = file.query("q", row=bool, parameters={"p": "point2"}, written={"p": form}, nullable=[])
    with Database.connect(url) as db:
        for values in (value,):
            with pytest.raises(BadParameter, match="parameter `p`") as caught:
                db.session().one(query, {"p": values})
            assert message in str(caught.value)
        assert db.session().one(query, {"p": (1, None)}) is False


ENUMS = """
-- name: felt :many
-- param: felt = 'it''s'
-- param: moods = '{sad,1st}'
insert into visits (felt, moods) values (:felt, :moods) returning felt, moods;

-- name: only :one
select felt from visits where felt = :felt and :moods::mood[] is not null limit 1;

-- name: every_mood :one
select enum_range(null::mood) as v;

-- name: load :copyfrom
insert into visits (felt, moods) values (:felt, :moods);

-- name: by_mood :page
-- params: ByMood
-- param: limit = 5
select id, felt from visits where felt = :felt order by id limit :limit;
"""

ENUM_USE = """
from enumsq import q
from enumsq.models import ByMood, Mood
from todo_sql import Session

def work(me: Session) -> None:
    row = q.felt(me)[0]
    mood: Mood = row.felt
    print(mood, q.only(me, felt=Mood.SAD, moods=(Mood.IT_S,)).upper())
    print(q.by_mood(me, ByMood(felt=Mood.SAD)).items[0].felt is Mood.SAD)
"""


def test_enums_as_classes(url: str, tmp_path: Path) -> None:
    """`enums = "enum"`: what comes back is a member; members and their labels may be sent."""
    q = make(url, tmp_path, "enumsq", ENUMS, enums="enum")
    type_check(tmp_path, "enumsq", ENUM_USE)
    models = sys.modules["enumsq.models"]
    mood = models.Mood
    names = ["SAD", "IT_S", "IN_PROGRESS", "LABEL_1ST", "LABEL_5"]
    assert [one.name for one in mood] == names
    with Database.connect(url) as db:
        me = db.session()
        (row,) = q.felt(me)
        assert (row.felt, row.moods) == (mood.IT_S, [mood.SAD, mood.LABEL_1ST])
        assert isinstance(row.felt, mood)
        assert q.only(me, felt=mood.IT_S, moods=[mood.SAD]) is mood.IT_S
        assert q.every_mood(me) == list(mood)
        assert isinstance(q.every_mood(me)[0], mood)
        assert q.load(me, [{"felt": mood.LABEL_5, "moods": [mood.IN_PROGRESS, None]}]) == 1
        assert q.by_mood(me, models.ByMood(felt=mood.LABEL_5)).items[0].felt is mood.LABEL_5
    schema = type(row).model_json_schema()
    assert schema["$defs"]["Mood"]["enum"] == [one.value for one in mood]
    assert '"it\'s"' in row.model_dump_json()


KINDS = '''
"""Classes for types of PostgreSQL."""
from typing import Any
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

class Vector(list[float]):
    """A vector: pydantic makes it of PostgreSQL's text and writes it as that."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def make(value: Any) -> "Vector":
            text = value.strip("[]") if isinstance(value, str) else value
            return cls(float(one) for one in (text.split(",") if isinstance(text, str) else text))

        return core_schema.no_info_plain_validator_function(
            make, serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: "[" + ",".join(map(str, value)) + "]"))

class Dumped:
    """Says itself what PostgreSQL reads."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def dump(self) -> str:
        return str(list(self.values))

class Shown(Dumped):
    """Likewise, by its text."""

    dump = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(list(self.values))
'''


def test_pgvector(superuser_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of an extension by a class of the configuration: alone, in lists, by COPY."""
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        if not connection.execute(
            "select 1 from pg_available_extensions where name = 'vector'"
        ).fetchone():
            pytest.skip("this server has no pgvector")
        connection.execute("create extension vector")
        connection.execute("create table items (id int, embedding vector(3) not null)")
    (tmp_path / "kinds.py").write_text(KINDS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    kinds = importlib.import_module("kinds")
    queries = """
-- name: add :exec
-- allow: C114 one row
insert into items values (:id, :embedding);
-- name: nearest :many
select id, embedding from items order by embedding <-> :near, id limit 5;
-- name: vectors :many
select embedding from items order by id;
-- name: among :many
select v::text as v from unnest(:vectors::vector[]) as v;
-- name: load :copyfrom
insert into items (id, embedding) values (:id, :embedding);
-- name: set_all :batch
update items set embedding = :embedding where id = :id;
"""
    q = make(superuser_database, tmp_path, "vectorq", queries, types={"vector": "kinds.Vector"})
    type_check(tmp_path, "vectorq")
    vector = kinds.Vector
    with Database.connect(superuser_database) as db:
        me = db.session()
        q.add(me, id=1, embedding=vector([1, 2, 3]))
        q.add(me, id=2, embedding=kinds.Dumped(4, 5, 6))
        q.add(me, id=3, embedding=kinds.Shown(7, 8, 9))
        q.add(me, id=4, embedding="[1,1,1]")
        assert q.vectors(me) == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]]
        assert isinstance(q.vectors(me)[0], vector)
        assert [row.id for row in q.nearest(me, near=vector([7, 8, 8]))] == [3, 2, 1, 4]
        assert isinstance(q.nearest(me, near=vector([7, 8, 8]))[0].embedding, vector)
        several = [vector([1, 2, 3]), kinds.Dumped(1, 1, 1)]
        assert q.among(me, vectors=several) == ["[1,2,3]", "[1,1,1]"]
        assert q.load(me, [{"id": 5, "embedding": one} for one in several]) == 2
        assert q.set_all(me, [{"id": 5, "embedding": vector([0, 0, 0])}]) == 2
        with pytest.raises(BadParameter, match="neither `dump` nor `__str__`"):
            q.add(me, id=6, embedding=object.__new__(type("Odd", (), {})))


def test_two_enums_of_one_name(empty_database: str, tmp_path: Path) -> None:
    """In two schemas they are two classes; a model of the same name is an error at its place."""
    from dataclasses import replace

    from todo_sql.compiler.generating.naming import wrong_names

    text = """
-- name: a :one
select 'x'::mood as m, 'y'::other.mood as n;
-- name: b :many -> Mood
select 1 as a, 2 as b;
"""
    config = replace(config_of(tmp_path), enums="enum")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema other; create type mood as enum ('x')")
        connection.execute("create type other.mood as enum ('y')")
        found = checked(connection, text, config)
    assert codes(found) == []
    assert {name for name, *_ in found.described[0].enums} == {"Mood", "OtherMood"}
    (wrong,) = wrong_names(found.described, [], replace(config, generate=None))
    assert (wrong.code, wrong.place and wrong.place.line) == ("C119", 4)
