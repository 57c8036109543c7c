"""Default privileges that open every new table."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, roles


def _check(project: Project) -> Hits:
    for spot, command in project.commands("alter_default_privileges_stmt"):
        action = command.action
        if action.is_grant and enum(action, "objtype") == "OBJECT_TABLE":
            yield Hit(spot, {"who": ", ".join(roles(action.grantees))})


RULE = Rule(
    code="R201",
    name="default-privileges-on-tables",
    severity="error",
    message="default privileges open every new table to {who}",
    cause="a new table, and each new partition, is then readable before anyone has thought of its "
    "policies: partitions do not inherit their parent's",
    fix="grant on each table by name when it is created",
    bad="""\
alter default privileges in schema public grant select on tables to todo_app;
""",
    good="""\
grant select on tasks to todo_app;
""",
    check=_check,
)
