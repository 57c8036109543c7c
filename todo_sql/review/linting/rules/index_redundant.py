"""An index that another one covers."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.schema_model import ModelIndex
from todo_sql.review.linting.tree import shape, shown


def _check(project: Project) -> Iterator[Hit]:
    schema = project.schema
    for index in schema.indexes.values():
        for other in schema.indexes_of(index.table):
            if index is not other and _covers(other, index):
                yield Hit(index.spot, {"index": shown(index.name), "other": shown(other.name)})
                break


def _covers(longer: ModelIndex, shorter: ModelIndex) -> bool:
    size = len(shorter.keys)
    if shorter.unique or {longer.method, shorter.method} != {"btree"} or len(longer.keys) <= size:
        return False
    same_order = not longer.orders or longer.orders[:size] == shorter.orders
    return (
        longer.keys[:size] == shorter.keys
        and same_order
        and set(shorter.include) <= {*longer.keys, *longer.include}
        and shape(longer.where) == shape(shorter.where)
    )


RULE = Rule(
    code="R304",
    name="index-redundant",
    severity="warning",
    message="index {index} is a prefix of {other}",
    cause=(
        "whatever the shorter one serves the longer one serves, too; each costs time on every write"
    ),
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
create index idx_notes_author_written_at on notes (author, written_at);
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
create index idx_notes_author_written_at on notes (author, written_at);
""",
    check=_check,
)
