"""VACUUM FULL in a migration."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import option


def _check(project: Project) -> Hits:
    for spot, command in project.commands("vacuum_stmt", "migration", "rollback"):
        if option(command.options, "full") not in (None, "false", "off"):
            yield Hit(spot, rewritable=True)


RULE = Rule(
    code="R403",
    name="vacuum-full",
    severity="error",
    message="vacuum full rewrites a table under an exclusive lock",
    cause="neither reads nor writes get through until the whole table is copied",
    fix="let autovacuum do its work, or use pg_repack or pg_squeeze",
    bad="""\
vacuum full tasks;
""",
    good="""\
vacuum tasks;
""",
    check=_check,
)
