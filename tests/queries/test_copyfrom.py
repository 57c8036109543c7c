"""``:copyfrom``, ``:stream``: the forms of text that they ask for."""

from __future__ import annotations

import pytest
from support.queries import one_query, shown

from todo_sql.queries.copy_target import CopyTarget, copy_target
from todo_sql.queries.variants import choose


def target(sql: str) -> CopyTarget:
    """Return the target of a ``:copyfrom`` query."""
    query = one_query(f"-- name: q :copyfrom\n{sql}")
    return copy_target(choose(query, dict.fromkeys(query.names)))


def test_target() -> None:
    """Table, columns and the parameter of each column, as written."""
    assert target(
        'insert into public."Tasks"\n    (user_id, title, "Due")\n'
        "values (:user_id, :title /* c */, :due_date);\n"
    ) == CopyTarget(
        'public."Tasks"', ("user_id", "title", '"Due"'), ("user_id", "title", "due_date")
    )


def test_one_parameter_for_two_columns() -> None:
    """A parameter may fill several columns."""
    assert target("insert into t (a, b) values (:x, :x)").parameters == ("x", "x")


def test_on_conflict_is_kept() -> None:
    """COPY has no such clause, so it is handed on for the way over a temporary table."""
    found = target("insert into t (a) values (:a) on conflict (a) do nothing")
    assert found.tail == "on conflict (a) do nothing"


@pytest.mark.parametrize(
    ("sql", "mistake"),
    [
        ("select 1", "Q119 2:1 select"),
        ("insert into t values (:a)", "Q119 2:15 values"),
        ("insert into t as x (a) values (:a)", "Q119 2:15 as"),
        ("insert into t (a) select :a", "Q119 2:19 select"),
        ("insert into t (a, b) values (:a, 'ü')", "Q119 2:34 'ü'"),
        ("insert into t (a) values (:a::int)", "Q119 2:27 :a"),
        ("insert into t (a, b) values (:a)", "Q119 2:30 :a"),
        ("insert into t (a) values (:a), (:b)", "Q119 2:30 ,"),
        ("insert into t (a) values (:a) returning a", "Q119 2:31 returning"),
        ("insert into t (a) values (:a) on conflict do nothing returning a", "Q119 2:54 returning"),
        ("insert into t (a) values (:a) on conflict (a) do update set a = :b", "Q119 2:31 on"),
        ("insert into t (a\n) values (:a) -- if: a", "Q119 1:10 q"),
        ("insert into", "Q119 2:8 into"),
        ("insert into t", "Q119 2:13 t"),
        ("insert into t (a", "Q119 2:16 a"),
        ("insert into t (a) values (:a", "Q119 2:27 :a"),
    ],
)
def test_other_forms(sql: str, mistake: str) -> None:
    """What COPY cannot do is an error at its place."""
    assert shown(f"-- name: q :copyfrom\n{sql}") == [mistake]


def test_a_stream_reads() -> None:
    """Only what reads can be streamed."""
    assert shown("-- name: q :stream\ndelete from t returning a") == ["Q119 2:1 delete"]
    assert not shown("-- name: q :stream\nwith x as (select 1) select * from x")
