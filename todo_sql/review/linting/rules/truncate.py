"""TRUNCATE in a migration."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("truncate_stmt"):
        names = [relation(node.range_var) for node in command.relations]
        tables = [project.schema.tables.get(name) for name in names]
        if not all(table and table.spot.file is spot.file for table in tables):
            yield Hit(spot, {"table": ", ".join(map(shown, names))})


RULE = Rule(
    code="R407",
    name="truncate",
    severity="warning",
    message="truncate empties {table}",
    cause="it takes an ACCESS EXCLUSIVE lock, fires no row triggers, bypasses row level "
    "security, and no rollback brings the rows back",
    fix="delete the rows that are meant, by a `where`",
    bad="""\
truncate tasks;
""",
    good="""\
delete from tasks where deleted_at < '2026-01-01';
""",
    check=_check,
)
