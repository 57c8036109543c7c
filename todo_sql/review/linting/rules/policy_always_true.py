"""A policy that lets everything through."""

from __future__ import annotations

from typing import Any

from todo_sql.review.linting.example_tables import HELD_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shape, strings


def _check(project: Project) -> Hits:
    tenants = {"public", project.tenant.role} if project.tenant else {"public"}
    for table, policy in project.policies():
        if not policy.permissive or not (_is_true(policy.using) or _is_true(policy.check)):
            continue
        reads = policy.command == "select" or project.is_exempt(table)
        if not reads or set(policy.roles) & tenants:
            yield Hit(policy.spot, {"policy": policy.name, "who": ", ".join(policy.roles)})


def _is_true(expression: Any) -> bool:
    """Return whether an expression is `true`, or compares a constant with itself."""
    if expression is None:
        return False
    if expression.HasField("a_expr"):
        compared = expression.a_expr
        sides = (compared.lexpr, compared.rexpr)
        constant = all(side.HasField("a_const") for side in sides)
        return constant and strings(compared.name) == ("=",) and shape(sides[0]) == shape(sides[1])
    return bool(expression.a_const.boolval.boolval)


RULE = Rule(
    code="R105",
    name="policy-always-true",
    severity="error",
    message="policy {policy} lets every row through for {who}",
    cause="`true` is no condition: whoever the policy is for sees or writes every row",
    fix="compare the tenant's column with the setting, or name a role that is meant to see all "
    "rows",
    bad=HELD_TASKS
    + """\
create policy tasks_select_own on tasks for select to todo_app using (true);
""",
    good=HELD_TASKS
    + """\
create policy tasks_select_all on tasks for select to auditor using (true);
""",
    check=_check,
)
