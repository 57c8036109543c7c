"""A sub-select in a policy of a distributed table."""

from __future__ import annotations

from todo_sql.review.linting.citus import by_name, on_nodes
from todo_sql.review.linting.example_tables import CITUS_TASKS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import of_type, shown


def _check(project: Project) -> Hits:
    columns = by_name(project)
    for table in on_nodes(project):
        for policy in table.policies.values():
            parts = [part for part in (policy.using, policy.check) if part is not None]
            if any(any(of_type(part, "SubLink")) for part in parts):
                words = {
                    "policy": policy.name,
                    "table": shown(table.name),
                    "column": columns.get(table.name, "…"),
                }
                yield Hit(policy.spot, words)


RULE = Rule(
    code="R601",
    name="citus-policy-subselect",
    severity="error",
    message="policy {policy} of {table} holds a sub-select",
    cause="Citus refuses it: subqueries are not supported in policies on distributed tables, nor "
    "on reference tables",
    fix="compare with a stable SQL function: {column} = current_user_id(), with `return "
    "nullif(current_setting('…', true), '')` as its body",
    bad=OWN_TASKS,
    good=CITUS_TASKS,
    check=_check,
    profile="citus",
)
