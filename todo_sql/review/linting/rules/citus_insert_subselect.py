"""A sub-select among the values of an insert, or in its ON CONFLICT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from todo_sql.review.linting.citus import names_on_nodes, writes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hits, Project, Rule
from todo_sql.review.linting.tree import of_type, relation, shown


def _check(project: Project) -> Hits:
    names = names_on_nodes(project)
    for hit, insert in writes(project, "InsertStmt"):
        where = _where(insert, names)
        if where:
            words = {"table": shown(relation(insert.relation)), "where": where}
            yield replace(hit, words=words)


def _where(insert: Any, names: frozenset[str]) -> str | None:
    """Return where an insert holds a sub-select that Citus refuses there."""
    here = relation(insert.relation) in names
    for row in insert.select_stmt.select_stmt.values_lists:
        for found in of_type(row, "SubLink"):
            if here or any(relation(one) in names for one in of_type(found, "RangeVar")):
                return "the values that are inserted into"
    if here and any(of_type(insert.on_conflict_clause, "SubLink")):
        return "what `on conflict` does in"
    return None


RULE = Rule(
    code="R607",
    name="citus-insert-subselect",
    severity="error",
    message="a sub-select in {where} {table}",
    cause=("Citus refuses it: subqueries are not supported within INSERT queries"),
    fix="write `insert … select … returning`, or call a function (such as find_list of the Todo "
    "schema)",
    bad=CITUS_TASKS
    + """\
insert into tasks (user_id, id) values ('u1', (select 1));
""",
    good=CITUS_TASKS
    + """\
insert into tasks (user_id, id) select 'u1', n.id from (select 1 as id) as n;
""",
    check=_check,
    profile="citus",
)
