"""A table without a primary key."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if table.primary is None and table.partition_of is None and table.columns:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R506",
    name="table-without-primary-key",
    severity="warning",
    message="table {table} has no primary key",
    cause="its rows cannot be told apart: no update of one of them, no logical replication, no "
    "keyset pages",
    fix="add a primary key",
    bad="""\
create table notes (body text);
comment on table notes is 'Notes.';
comment on column notes.body is 'Text.';
""",
    good="""\
create table notes (
    id bigint constraint notes_pkey primary key,
    body text
);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.body is 'Text.';
""",
    check=_check,
)
