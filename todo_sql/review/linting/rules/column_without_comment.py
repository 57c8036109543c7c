"""A column without a comment."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if table.partition_of:
            continue  # as its parent's
        for column in table.columns.values():
            if not column.commented:
                yield Hit(column.spot, {"table": shown(table.name), "column": column.name})


RULE = Rule(
    code="R502",
    name="column-without-comment",
    severity="warning",
    message="column {table}.{column} has no comment",
    cause="the schema's documents and the models are made from its comments",
    fix="comment on column {table}.{column} is '…': meaning, unit, privacy",
    bad="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
""",
    good="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
""",
    check=_check,
)
