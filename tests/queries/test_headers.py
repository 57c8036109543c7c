"""Headers and directives: what they say, and every mistake at its place."""

from __future__ import annotations

import pytest
from support.queries import mistakes, one_query, shown

from todo_sql.queries.named import Cardinality

HEADER = "-- name: q :many\n"


def test_a_whole_header() -> None:
    """Everything that a header can say."""
    query = one_query(
        "-- name: list_tasks :many -> Task -- a remark\n"
        "-- List the tasks.\n"
        "--\n"
        "-- Newest first; \u00e4lter below.\n"
        "-- param: limit = 50 -- rows\n"
        "-- param: title text?\n"
        "-- param: since timestamp with time zone not null\n"
        "-- column: total not null\n"
        '-- column: "Odd ""name" numeric(10, 2) null\n'
        "-- params: TaskFilter\n"
        "-- timeout: 500ms\n"
        "-- tenant: required\n"
        "-- allow: C130 ten rows\n"
        "-- noqa: disable=LT01\n"
        "select :limit, :title, :since\n"
    )
    assert (query.name, query.cardinality, query.model) == ("list_tasks", "many", "Task")
    assert query.doc == "List the tasks.\n\nNewest first; älter below."
    limit, title, since = (query.parameters[name] for name in ("limit", "title", "since"))
    assert (limit.pg_type, limit.nullable, limit.default) == (None, None, "50")
    assert (title.pg_type, title.nullable, title.default) == ("text", True, None)
    assert (since.pg_type, since.nullable) == ("timestamp with time zone", False)
    assert str(limit.place) == "queries/test.sql:5:11"
    total, odd = query.columns["total"], query.columns['Odd "name']
    assert (total.pg_type, total.nullable) == (None, False)
    assert (odd.pg_type, odd.nullable) == ("numeric(10, 2)", True)
    assert (query.params_model, query.timeout, query.tenant) == ("TaskFilter", 0.5, "required")
    assert query.allow == {"C130": "ten rows"}
    assert query.defaults() == {"limit": 50}
    assert str(query.place()) == "queries/test.sql:1:10"


def test_a_model_of_some_parameters() -> None:
    """Names in brackets choose the fields; a `case` parameter may be one."""
    query = one_query(
        f"{HEADER}-- params: Filter (a, sort)\nselect :a, :b\norder by 1 -- case sort: a\n"
    )
    assert (query.params_model, query.params_fields) == ("Filter", ("a", "sort"))


@pytest.mark.parametrize("cardinality", list(Cardinality))
def test_cardinalities(cardinality: Cardinality) -> None:
    """All nine are known."""
    sql = "insert into t (a) values (:a)" if cardinality is Cardinality.COPYFROM else ""
    query = one_query(f"-- name: q :{cardinality}\n{sql or 'select a from t order by a limit 5'};")
    assert query.cardinality is cardinality


@pytest.mark.parametrize(
    ("literal", "python"),
    [
        ("50", 50),
        ("-1", -1),
        ("1_000", 1000),
        ("0", 0),
        ("1.5", 1.5),
        ("-.5e3", -500.0),
        ("'medium'", "medium"),
        ("'it''s \u00fc -- \\'", "it's ü -- \\"),
        ("''", ""),
        ("TRUE", True),
        ("false", False),
        ("null", None),
    ],
)
def test_defaults(literal: str, python: object) -> None:
    """A default is a constant of SQL, kept as Python source."""
    query = one_query(f"{HEADER}-- param: x = {literal}\nselect :x")
    assert query.defaults() == {"x": python}
    assert query.parameters["x"].nullable is (True if python is None else None)


@pytest.mark.parametrize(
    ("value", "seconds"), [("2s", 2.0), ("500ms", 0.5), ("1.5 min", 90.0), ("0.25s", 0.25)]
)
def test_timeouts(value: str, seconds: float) -> None:
    """A timeout has a unit."""
    assert one_query(f"{HEADER}-- timeout: {value}\nselect 1").timeout == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-- name: \nselect 1", "Q101 1:1 -- name: "),
        ("-- name: q\nselect 1", "Q101 1:1 -- name: q"),
        ("-- name: q many\nselect 1", "Q101 1:1 -- name: q many"),
        ("-- name: q :many -> 1a\nselect 1", "Q101 1:21 1a"),
        ("-- name: q :many ->\nselect 1", "Q101 1:20 "),
        ("-- Name: q :one\nselect 1", "Q101 1:1 -- Name: q :one"),
        (f"{HEADER}select 1;\n\n--- name q :one\n", "Q101 4:1 --- name q :one"),
        ("select 1", "Q102 1:1 select"),
        ("-- preamble\n\n  select 1;\n-- name: q :one\nselect 1", "Q102 3:3 select"),
        (f"{HEADER}-- parms: T\nselect 1", "Q103 2:4 parms"),
        (f"{HEADER}-- timout: 3s\nselect 1", "Q103 2:4 timout"),
        (f"{HEADER}-- clumn: a not null\nselect 1 as a", "Q103 2:4 clumn"),
        (f"{HEADER}select 1 -- fi: a\nwhere true", "Q103 2:13 fi"),
        (f"{HEADER}select 1;\n-- timeout: 2s\n", "Q103 3:1 -- timeout: 2s"),
        (f"-- tenant: none\n{HEADER}select 1", "Q103 1:1 -- tenant: none"),
        ("-- name: q :mony\nselect 1", "Q104 1:12 :mony"),
        ("-- name: q :\nselect 1", "Q104 1:12 :"),
        ("-- name: list-tasks :many\nselect 1", "Q105 1:10 list-tasks"),
        ("-- name: import :many\nselect 1", "Q105 1:10 import"),
        ("-- name: 1st :many\nselect 1", "Q105 1:10 1st"),
        (f"{HEADER}select 1;\n-- name: q :one\nselect 2", "Q106 3:10 q"),
        (f"{HEADER}-- only words", "Q107 1:1 -- name: q :many"),
        (f"{HEADER};", "Q107 1:1 -- name: q :many"),
        (f"{HEADER}select 'ü;'; select 2", "Q108 2:14 select"),
        (f"{HEADER}-- param:\nselect 1", "Q109 2:1 -- param:"),
        (f"{HEADER}-- param: = 5\nselect 1", "Q109 2:11 = 5"),
        (f"{HEADER}-- param: x =\nselect :x", "Q109 2:11 x ="),
        (f"{HEADER}-- param: x = now()\nselect :x", "Q109 2:15 now()"),
        (f"{HEADER}-- param: x = medium\nselect :x", "Q109 2:15 medium"),
        (f"{HEADER}-- param: x = 'a\nselect :x", "Q109 2:15 'a"),
        (f"{HEADER}-- column: total\nselect 1", "Q109 2:12 total"),
        (f"{HEADER}-- params: task create\nselect 1", "Q109 2:12 task create"),
        (f"{HEADER}-- params: T (a, bb)\nselect :a, :b", "Q114 2:18 bb"),
        (f"{HEADER}-- params: T (a, a)\nselect :a", "Q110 2:18 a"),
        (f"{HEADER}-- params: T ()\nselect :a", "Q109 2:12 T ()"),
        (f"{HEADER}-- params: T (a\nselect :a", "Q109 2:12 T (a"),
        (f"{HEADER}-- timeout: 2\nselect 1", "Q109 2:13 2"),
        (f"{HEADER}-- timeout: 0s\nselect 1", "Q109 2:13 0s"),
        (f"{HEADER}-- tenant: maybe\nselect 1", "Q109 2:12 maybe"),
        (f"{HEADER}-- allow: C130\nselect 1", "Q109 2:11 C130"),
        (f"{HEADER}-- param: x = 1\n-- param: x = 2\nselect :x", "Q110 3:11 x"),
        (f"{HEADER}-- column: x null\n-- column: x null\nselect 1", "Q110 3:12 x"),
        (f"{HEADER}-- timeout: 1s\n-- timeout: 2s\nselect 1", "Q110 3:13 2s"),
        (f"{HEADER}select 'ü', :from", "Q112 2:13 :from"),
        (f"{HEADER}select :größe", "Q112 2:8 :größe"),
        ("-- name: q :page\nselect a from t order by :cursor limit 5", "Q112 2:26 :cursor"),
        (f"{HEADER}select '🙂', $1", "Q113 2:13 $1"),
        (f"{HEADER}-- param: limt = 5\nselect :limit", "Q114 2:11 limt"),
        ("-- name: q :exec -> Task\ndelete from t", "Q118 1:21 Task"),
        (f"{HEADER}select 1 -- name: r :one\n, 2", "Q101 2:10 -- name: r :one"),
        (f"{HEADER}select 'ü', 'open", "S102 2:13 '"),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    """Each mistake has a code, and its place is where it stands, also behind wide characters."""
    assert shown(text) == [expected]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("-- name: q :mny\nselect 1", "did you mean `:many`?"),
        (f"{HEADER}-- parm: x\nselect :x", "did you mean `param`?"),
        (f"{HEADER}-- param: titel = ''\nselect :title", "did you mean `title`?"),
        (f"{HEADER}select :a -- if: b\nfrom t where :bb", "did you mean `bb`?"),
    ],
)
def test_did_you_mean(text: str, fix: str) -> None:
    """A near miss is named."""
    assert fix in [finding.fix for finding in mistakes(text)]


def test_several_mistakes_in_one_run() -> None:
    """Every mistake of a file is found at once, and sound queries are still read."""
    text = (
        "-- name: a :onee\nselect 1;\n"
        "-- name: b :one\n-- param: y = 3\nselect :x, $1;\n"
        "-- name: c :one\nselect 'open;\n"
        "-- name: d :one\nselect 1; select 2;\n"
        "-- name: e :one\nselect 1;\n"
    )
    assert shown(text) == [
        "Q104 1:12 :onee",
        "Q114 4:11 y",
        "Q113 5:12 $1",
        "S102 7:8 '",
        "Q108 9:11 select",
    ]


def test_words_with_a_colon_that_are_no_directives() -> None:
    """Sentences, addresses and remarks of other tools stay documentation or are ignored."""
    query = one_query(
        f"{HEADER}-- Note: this is slow.\n-- See https://example.org/a\n-- todo: later\n"
        "-- a list of: things\nselect 1 -- noqa\n-- section: lists"
    )
    assert query.doc == ("Note: this is slow.\nSee https://example.org/a\na list of: things")
