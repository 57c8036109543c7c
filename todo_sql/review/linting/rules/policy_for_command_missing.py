"""A granted command that no policy allows."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import Table
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.tenant_tables():
        if not table.row_security or not table.policies:
            continue
        for role, privileges in table.grants.items():
            for command in ("select", "insert", "update", "delete"):
                if command in privileges and not _has_policy(table, role, command):
                    words = {"table": shown(table.name), "role": role, "command": command}
                    yield Hit(table.spot, words)


def _has_policy(table: Table, role: str, command: str) -> bool:
    return any(
        policy.command in (command, "all") and {role, "public"} & set(policy.roles)
        for policy in table.policies.values()
    )


RULE = Rule(
    code="R103",
    name="policy-for-command-missing",
    severity="error",
    message="{role} may {command} on {table}, but no policy is for that command",
    cause="the grant lets the command run and the missing policy lets it match nothing: it "
    "fails silently",
    fix="create a policy for {command} on {table} to {role}, or revoke the grant",
    bad=OWN_TASKS
    + """\
grant select, delete on tasks to todo_app;
""",
    good=OWN_TASKS
    + """\
grant select, delete on tasks to todo_app;
create policy tasks_delete_own on tasks for delete to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
""",
    check=_check,
)
