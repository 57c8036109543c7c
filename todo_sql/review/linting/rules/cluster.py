"""CLUSTER in a migration."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("cluster_stmt", "migration", "rollback"):
        words = {"table": shown(relation(command.relation)) or "every table"}
        yield Hit(spot, words, rewritable=bool(command.indexname))


RULE = Rule(
    code="R404",
    name="cluster",
    severity="error",
    message="cluster rewrites {table} under an exclusive lock",
    cause="neither reads nor writes get through until the whole table is copied",
    fix="use pg_repack or pg_squeeze in a maintenance window",
    bad="""\
cluster tasks using tasks_pkey;
""",
    good="""\
analyze tasks;
""",
    check=_check,
)
