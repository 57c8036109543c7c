"""Reading PostgreSQL's analysed trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from todo_sql.compiler import prepare
from todo_sql.compiler.proof import nodes

Connect = Callable[..., psycopg.Connection[Any]]


def test_parse() -> None:
    """Nodes, lists, sets and constants; a node that stands twice counts twice."""
    tree = nodes.parse(
        "({QUERY :canSetTag true :a {VAR :varno 1 :holes (b 2 3)} :b <>"
        " :c ({PARAM :paramid 1} {PARAM :paramid 1}) :d {CONST :value 2 [ 7 0 ]}})"
    )
    (query,) = tree.queries
    assert query["a"] == {"node": "VAR", "varno": "1", "holes": ["b", "2", "3"]}
    assert query["b"] is None
    assert len(list(tree.of("PARAM"))) == len(query["c"]) == 2
    assert query["d"]["value"] == ["7", "0"]
    assert tree.main is query


def test_escaped() -> None:
    """A name with braces and blanks is one token."""
    (query,) = nodes.parse(r"({QUERY :name a\ b\{c :next {VAR :varno 1}})").queries
    assert nodes.name_of(query["name"]) == "a b{c"
    assert query["next"]["varno"] == "1"


@pytest.mark.database
def test_order(empty_database: str, connect: Connect) -> None:
    """Orders by columns share one text and are read without the rest; other trees are parsed."""
    connection = connect(empty_database, autocommit=True)
    connection.execute("create table t (a int, b int, c int)")
    prepare.configure(connection)
    plain = ["a", "b desc, a", "c, a", "c nulls first, b"]
    other = ["a + 1", "(select max(b) from t)"]
    statements = [(f"select a, b from t order by {keys} limit 1", ()) for keys in plain + other]
    statements.append(("select a from t group by a order by a limit 1", ()))
    answers = list(prepare.prepare_all(connection, statements))
    trees = [answer.tree for answer in answers if isinstance(answer, prepare.PreparedQuery)]
    assert len(trees) == len(statements)
    assert len({nodes.canonical(tree) for tree in trees[: len(plain)]}) == 1
    assert len({nodes.canonical(tree) for tree in trees}) == 1 + len(other) + 1
    orders = [nodes.plain_order(tree) for tree in trees]
    numbers = [[node["varattno"] for node in order] for order in orders if order is not None]
    assert numbers == [["1"], ["2", "1"], ["3", "1"], ["3", "2"]]
    assert orders[len(plain) :] == [None, None, None]


@pytest.mark.database
def test_an_interruption_leaves_no_connection_in_the_middle(
    empty_database: str, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by Ctrl-C: what is still under way is of no use, and nothing is printed about it."""
    with connect(empty_database, autocommit=True) as connection:
        prepare.configure(connection)
        answers = prepare.prepare_all(connection, [("select 1", ())] * 500)
        next(answers)
        with pytest.raises(KeyboardInterrupt):
            answers.throw(KeyboardInterrupt())
        assert connection.closed
    assert capsys.readouterr().err == ""
