"""TRUNCATE in a migration."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Iterator[Hit]:
    for file, statement, command in project.commands("truncate_stmt"):
        new = {table.name for table in project.schema.tables.values() if table.spot.file is file}
        names = [relation(node.range_var) for node in command.relations]
        if not set(names) <= new:
            words = {"table": ", ".join(map(shown, names))}
            yield Hit(Spot(file, statement.start, statement.end), words)


RULE = Rule(
    code="R407",
    name="truncate",
    severity="warning",
    message="truncate empties {table}",
    cause=(
        "it takes an ACCESS EXCLUSIVE lock, fires no row triggers, bypasses row level "
        "security, and no rollback brings the rows back"
    ),
    fix="delete the rows that are meant, by a `where`",
    bad="""\
truncate tasks;
""",
    good="""\
delete from tasks where deleted_at < '2026-01-01';
""",
    check=_check,
)
