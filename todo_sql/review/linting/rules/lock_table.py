"""LOCK TABLE in a migration."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Iterator[Hit]:
    for file, statement, command in project.commands("lock_stmt", "migration", "rollback"):
        yield Hit(
            Spot(file, statement.start, statement.end),
            {"table": ", ".join(shown(relation(n.range_var)) for n in command.relations)},
        )


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
