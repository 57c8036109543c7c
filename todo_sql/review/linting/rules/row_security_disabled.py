"""Row level security taken away."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown


def _check(project: Project) -> Hits:
    for spot, command, change in project.changes():
        if enum(change, "subtype") == "AT_DisableRowSecurity":
            yield Hit(spot, {"table": shown(relation(command.relation))})


RULE = Rule(
    code="R110",
    name="row-security-disabled",
    severity="error",
    message="row level security of {table} is disabled",
    cause="from then on whoever may read the table reads every row",
    fix="leave it enabled; a role that is to see all rows gets a policy of its own",
    bad="""\
alter table tasks disable row level security;
""",
    good="""\
create policy tasks_select_all on tasks for select to auditor using (true);
""",
    check=_check,
)
