"""Two indexes that are the same."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.schema_model import ModelIndex
from todo_sql.review.linting.tree import shape, shown


def _check(project: Project) -> Iterator[Hit]:
    schema = project.schema
    for index in schema.indexes.values():
        for other in schema.indexes_of(index.table):
            if other is index:
                continue
            later = (other.of_constraint, other.unique) > (index.of_constraint, index.unique)
            same_rank = (other.of_constraint, other.unique) == (index.of_constraint, index.unique)
            first = list(schema.indexes).index(other.name) < list(schema.indexes).index(index.name)
            if _same(index, other) and (later or (same_rank and first)):
                yield Hit(index.spot, {"index": shown(index.name), "other": shown(other.name)})
                break


def _same(one: ModelIndex, other: ModelIndex) -> bool:
    return (
        one.keys == other.keys
        and (one.orders == other.orders or not one.orders or not other.orders)
        and one.method == other.method
        and one.include == other.include
        and shape(one.where) == shape(other.where)
    )


RULE = Rule(
    code="R305",
    name="index-duplicate",
    severity="error",
    message="index {index} is the same as {other}",
    cause="both are written on every change and only one is read",
    fix="drop index {index}",
    bad="""\
create table notes (
    id bigint constraint notes_pkey primary key,
    author text,
    written_at timestamptz
);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who wrote it.';
comment on column notes.written_at is 'When.';
create index idx_notes_author on notes (author);
create index idx_notes_by on notes (author);
""",
    good="""\
create table notes (
    id bigint constraint notes_pkey primary key,
    author text,
    written_at timestamptz
);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who wrote it.';
comment on column notes.written_at is 'When.';
create index idx_notes_author on notes (author);
""",
    check=_check,
)
