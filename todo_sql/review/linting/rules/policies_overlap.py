"""Two permissive policies for one command and one role."""

from __future__ import annotations

from itertools import combinations

from todo_sql.review.linting.example_tables import OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import Policy
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        for one, other in combinations(table.policies.values(), 2):
            if _overlap(one, other):
                words = {"policy": other.name, "other": one.name, "table": shown(table.name)}
                yield Hit(other.spot, words)


def _overlap(one: Policy, other: Policy) -> bool:
    same_role = set(one.roles) & set(other.roles) or "public" in (*one.roles, *other.roles)
    same_command = one.command == other.command or "all" in (one.command, other.command)
    return bool(one.permissive and other.permissive and same_role and same_command)


RULE = Rule(
    code="R111",
    name="policies-overlap",
    severity="warning",
    message="policies {other} and {policy} of {table} are for the same command and role",
    cause="permissive policies are joined by `or`: each row is tried against both, and the wider "
    "one decides",
    fix="make one policy of the two, or one of them `as restrictive`",
    bad=OWN_TASKS
    + """\
create policy tasks_select_old on tasks for select to todo_app using (id > 0);
""",
    good=OWN_TASKS
    + """\
create policy tasks_select_old on tasks as restrictive for select to todo_app using (id > 0);
""",
    check=_check,
)
