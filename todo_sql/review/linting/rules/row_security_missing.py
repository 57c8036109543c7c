"""A table of tenants' rows without row level security."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import OWN_TASKS, TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.tenant_tables():
        if not table.row_security:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R101",
    name="row-security-missing",
    severity="error",
    message="table {table} holds tenants' rows and has no row level security",
    cause="whoever may read the table reads every tenant's rows",
    fix="alter table {table} enable row level security, and a policy for each command",
    bad=TASKS,
    good=OWN_TASKS,
    check=_check,
)
