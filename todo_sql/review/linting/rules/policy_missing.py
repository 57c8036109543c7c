"""Row level security without a policy."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import HELD_TASKS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if table.row_security and not table.policies and table.partition_of is None:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R102",
    name="policy-missing",
    severity="warning",
    message="table {table} has row level security and no policy",
    cause="without a policy the table shows nothing and takes nothing, except for its owner",
    fix="create a policy for each command that a role may use",
    bad=HELD_TASKS,
    good=OWN_TASKS,
    check=_check,
)
