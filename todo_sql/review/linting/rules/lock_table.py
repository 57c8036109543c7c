"""LOCK TABLE in a migration."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("lock_stmt", "migration", "rollback"):
        names = ", ".join(shown(relation(node.range_var)) for node in command.relations)
        yield Hit(spot, {"table": names})


RULE = Rule(
    code="R405",
    name="lock-table",
    severity="warning",
    message="lock table holds {table} until the migration ends",
    cause="whoever needs the table waits for everything that follows in the file",
    fix="let each statement take the lock that it needs",
    bad="""\
lock table tasks in access exclusive mode;
""",
    good="""\
select count(*) from tasks;
""",
    check=_check,
)
