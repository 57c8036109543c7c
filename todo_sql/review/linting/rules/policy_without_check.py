"""A policy for writes without WITH CHECK."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import HELD_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    for _, policy in project.policies():
        if policy.command in ("insert", "update", "all") and policy.check is None:
            yield Hit(policy.spot, {"policy": policy.name, "command": policy.command})


RULE = Rule(
    code="R106",
    name="policy-without-check",
    severity="warning",
    message="policy {policy} for {command} has no `with check`",
    cause="for an update the `using` expression then also checks the new row, which a reader has "
    "to know; for an insert there is no expression, and PostgreSQL refuses every row",
    fix="write `with check (…)`",
    bad=HELD_TASKS
    + """\
create policy tasks_update_own on tasks for update to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
""",
    good=HELD_TASKS
    + """\
create policy tasks_update_own on tasks for update to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
""",
    check=_check,
)
