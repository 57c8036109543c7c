"""An index that no query can use."""

from __future__ import annotations

from typing import Any

from todo_sql.review.linting.example_tables import NOTES
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import Table
from todo_sql.review.linting.tree import conjuncts, enum, shown, strings


def _check(project: Project) -> Hits:
    tenants = {table.name for table in project.tenant_tables() if table.row_security}
    for index in project.schema.indexes.values():
        table = project.schema.tables.get(index.table)
        reason = None
        if table is not None and index.where is not None:
            reason = _contradiction(index.where, table)
        if reason is None and index.table in tenants and index.method in ("gin", "gist", "spgist"):
            reason = (
                f"operators of {index.method} are not leakproof, so under row level security "
                "they are filters"
            )
        if reason is not None:
            yield Hit(index.spot, {"index": shown(index.name), "reason": reason})


def _contradiction(where: Any, table: Table) -> str | None:
    tests: dict[str, set[str]] = {}
    for condition in conjuncts(where):
        constant = condition.a_const
        if constant.HasField("boolval") and not constant.boolval.boolval:
            return "its predicate is false"
        if condition.HasField("null_test"):
            name = strings(condition.null_test.arg.column_ref.fields)[-1:]
            for column in name:
                tests.setdefault(column, set()).add(enum(condition.null_test, "nulltesttype"))
    for column, kinds in tests.items():
        if len(kinds) == 2:
            return f"{column} is both null and not null in its predicate"
        if "IS_NULL" in kinds and column in table.columns and table.columns[column].not_null:
            return f"{column} is never null"
    return None


RULE = Rule(
    code="R306",
    name="index-never-used",
    severity="warning",
    message="index {index} cannot be used: {reason}",
    cause="an index that the planner may never choose still costs time on every write",
    fix="drop it, or change its predicate or columns so that a query can match it",
    bad=NOTES
    + """\
create index idx_notes_none on notes (author) where id is null;
""",
    good=NOTES
    + """\
create index idx_notes_author on notes (author) where author is not null;
""",
    check=_check,
)
