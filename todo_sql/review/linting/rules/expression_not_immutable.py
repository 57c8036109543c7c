"""An expression that changes with time or session where it must not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.changing import CHANGING, changing
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, of_type

_NAMED = re.compile(
    "|".join((*sorted(CHANGING), "current", "local", "session_user", "user", r"\\")), re.I
)
"""A statement that has none of these words calls nothing of the kind; walking a tree is slow."""

_HOLDING = {
    "alter_domain_stmt",
    "alter_table_stmt",
    "create_domain_stmt",
    "create_foreign_table_stmt",
    "create_schema_stmt",
    "create_stmt",
    "index_stmt",
}


def _check(project: Project) -> Hits:
    for file, statement in project.statements():
        if statement.kind not in _HOLDING or not _NAMED.search(statement.text):
            continue
        for where, expression in _expressions(statement.node):
            for name in changing(expression):
                yield Hit(file.spot(statement), {"function": name, "where": where})


def _expressions(node: Any) -> Iterator[tuple[str, Any]]:
    if node.HasField("index_stmt"):
        if node.index_stmt.HasField("where_clause"):
            yield "the predicate of an index", node.index_stmt.where_clause
        for element in node.index_stmt.index_params:
            yield "the key of an index", element
    for constraint in of_type(node, "Constraint"):
        kind = enum(constraint, "contype")
        if kind == "CONSTR_CHECK":
            yield "a check constraint", constraint.raw_expr
        elif kind == "CONSTR_GENERATED":
            yield "a generated column", constraint.raw_expr


RULE = Rule(
    code="R307",
    name="expression-not-immutable",
    severity="error",
    message="{function} is not immutable, in {where}",
    cause="an index or a generated column is refused by PostgreSQL; a CHECK is accepted, and then "
    "a row that was good when it was written makes a restore or a VALIDATE fail later",
    fix="compare with a column or a constant; put what depends on the time into the query",
    bad="""\
alter table notes add constraint notes_written_at_check
check (written_at <= now()) not valid;
""",
    good="""\
alter table notes add constraint notes_written_at_check
check (written_at >= '2000-01-01') not valid;
""",
    check=_check,
)
