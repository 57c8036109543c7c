"""A view that reads as its owner."""

from __future__ import annotations

import re

from todo_sql.review.linting.rule import Edit, Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import View
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    tables = project.schema.tables.values()
    if project.tenant is None and not any(table.row_security for table in tables):
        return  # no rows are kept apart here
    for view in project.schema.views.values():
        if not view.security_invoker and not view.materialized:
            yield Hit(view.spot, {"view": shown(view.name)}, _edits(view))


def _edits(view: View) -> tuple[Edit, ...]:
    """Insert the option where the view's name is followed by `as`."""
    match = re.compile(r"\S+(?=\s+as\b)", re.I).match(view.spot.file.source.text, view.spot.start)
    if match is None:
        return ()
    return (Edit(match.end(), match.end(), " with (security_invoker = true)"),)


RULE = Rule(
    code="R206",
    name="view-not-security-invoker",
    severity="error",
    message="view {view} reads its tables as its owner",
    cause="row level security is then that of the owner, who sees every row",
    fix="create view {view} with (security_invoker = true) as …",
    bad="""\
create view open_tasks as select id from tasks;
""",
    good="""\
create view open_tasks with (security_invoker = true) as select id from tasks;
""",
    check=_check,
)
