"""One policy for all commands."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import HELD_TASKS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule


def _check(project: Project) -> Hits:
    for _, policy in project.policies():
        if policy.command == "all":
            yield Hit(policy.spot, {"policy": policy.name})


RULE = Rule(
    code="R104",
    name="policy-for-all-commands",
    severity="warning",
    message="policy {policy} is for all commands",
    cause="one expression then decides what is read, written and removed; widening it for one "
    "command widens it for all",
    fix="write one policy per command: for select, for insert, for update, for delete",
    bad=HELD_TASKS
    + """\
create policy tasks_own on tasks for all to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')))
with check (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
""",
    good=OWN_TASKS,
    check=_check,
)
