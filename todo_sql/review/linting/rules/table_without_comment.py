"""A table without a comment."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if not table.commented:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R501",
    name="table-without-comment",
    severity="warning",
    message="table {table} has no comment",
    cause="the schema's documents and the models are made from its comments",
    fix="comment on table {table} is '…': what a row means, and whether it is personal data",
    bad="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on column notes.id is 'Number.';
""",
    good="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
""",
    check=_check,
)
