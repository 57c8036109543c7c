"""REFRESH MATERIALIZED VIEW without CONCURRENTLY."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("refresh_mat_view_stmt", "migration", "rollback"):
        if not command.concurrent:
            yield Hit(spot, {"view": shown(relation(command.relation))}, rewritable=True)


RULE = Rule(
    code="R406",
    name="refresh-blocks-readers",
    severity="warning",
    message="refresh of {view} blocks its readers",
    cause="a plain refresh holds an ACCESS EXCLUSIVE lock while the query of the view runs",
    fix="refresh materialized view concurrently {view}, with a unique index on it",
    bad="""\
refresh materialized view totals;
""",
    good="""\
refresh materialized view concurrently totals;
""",
    check=_check,
)
