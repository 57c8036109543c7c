"""A sub-select in RETURNING."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from todo_sql.review.linting.citus import names_on_nodes, writes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hits, Project, Rule
from todo_sql.review.linting.schema_model import Table
from todo_sql.review.linting.tree import of_type, relation, shown, strings


def _check(project: Project) -> Hits:
    names, tables = names_on_nodes(project), project.schema.tables
    for hit, write in writes(project, "InsertStmt", "UpdateStmt", "DeleteStmt"):
        if relation(write.relation) in names and _refused(write, tables):
            yield replace(hit, words={"table": shown(relation(write.relation))})


def _refused(write: Any, tables: Mapping[str, Table]) -> bool:
    """Return whether RETURNING reads rows of a table with policies for the row that is written.

    What is read once for all of them is read before. Behind VALUES nothing is.
    """
    found = list(of_type(write.returning_clause, "SubLink"))
    if type(write).__name__ == "InsertStmt" and write.select_stmt.select_stmt.values_lists:
        return bool(found)
    for link in found:
        sources = list(of_type(link, "RangeVar"))
        inner = [tables[relation(one)] for one in sources if relation(one) in tables]
        if any(table.row_security for table in inner) and _for_each_row(link, write, inner):
            return True
    return False


def _for_each_row(link: Any, write: Any, inner: list[Table]) -> bool:
    """Return whether a sub-select names a column of the row that is written."""
    target = write.relation.alias.aliasname or write.relation.relname
    known = {column for table in inner for column in table.columns}
    for column in of_type(link, "ColumnRef"):
        parts = strings(column.fields)
        if len(parts) > 1 and parts[-2] == target:
            return True
        if len(parts) == 1 and parts[0] not in known:
            return True
    return False


RULE = Rule(
    code="R608",
    name="citus-returning-subselect",
    severity="error",
    message="what a write of {table} returns holds a sub-select",
    cause="Citus refuses functions that are not immutable there, and the policies of the table "
    "that is read bring one; behind `insert … values` it refuses any sub-select",
    fix="return the columns from `with changed as (…)`, and select from it",
    bad=CITUS_TASKS
    + """\
update tasks set id = id where user_id = 'u1'
returning id, (select count(*) from tasks as t where t.user_id = tasks.user_id);
""",
    good=CITUS_TASKS
    + """\
with changed as (update tasks set id = id where user_id = 'u1' returning id)

select c.id, (select count(*) from tasks as t where t.user_id = 'u1') from changed as c;
""",
    check=_check,
    profile="citus",
)
