"""A policy for every role."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import HELD_TASKS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    role = project.tenant.role if project.tenant else "a role"
    for _, policy in project.policies():
        if policy.permissive and "public" in policy.roles:
            yield Hit(policy.spot, {"policy": policy.name, "role": role})


RULE = Rule(
    code="R108",
    name="policy-for-everyone",
    severity="warning",
    message="policy {policy} is for every role",
    cause="without `to` a policy also holds for roles that come later, such as one for sign-in or "
    "reports",
    fix="name the role: to {role}",
    bad=HELD_TASKS
    + """\
create policy tasks_select_own on tasks for select
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
""",
    good=OWN_TASKS,
    check=_check,
)
