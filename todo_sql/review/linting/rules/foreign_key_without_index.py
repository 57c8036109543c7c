"""A foreign key without an index on its columns."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import ModelIndex
from todo_sql.review.linting.tree import enum, shown, strings


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if table.partition_of:
            continue
        indexes = project.schema.indexes_of(table.name)
        for key in table.of("fkey"):
            if key.columns and not any(_serves(index, key.columns) for index in indexes):
                words = {
                    "table": shown(table.name),
                    "columns": ", ".join(key.columns),
                    "target": shown(key.target or ""),
                }
                yield Hit(key.spot, words)


def _serves(index: ModelIndex, columns: tuple[str, ...]) -> bool:
    if index.method not in ("btree", "hash"):
        return False
    if index.where is not None and not _is_not_null(index, columns):
        return False
    return set(index.keys[: len(columns)]) == set(columns)


def _is_not_null(index: ModelIndex, columns: tuple[str, ...]) -> bool:
    """Return whether the predicate is just `column is not null`, which an equality implies."""
    test = index.where.null_test
    named = strings(test.arg.column_ref.fields)
    return enum(test, "nulltesttype") == "IS_NOT_NULL" and named[-1:] in [(c,) for c in columns]


RULE = Rule(
    code="R303",
    name="foreign-key-without-index",
    severity="warning",
    message="no index begins with the columns of the foreign key ({columns}) of {table}",
    cause="each delete or key update in {target} reads the whole of {table}, under a lock on the "
    "row",
    fix="create an index on {table} ({columns})",
    bad="""\
create table users (id text constraint users_pkey primary key);
create table notes (
    id bigint constraint notes_pkey primary key,
    author text constraint notes_author_fkey references users (id)
);
comment on table users is 'Users.';
comment on column users.id is 'Id.';
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who wrote it.';
""",
    good="""\
create table users (id text constraint users_pkey primary key);
create table notes (
    id bigint constraint notes_pkey primary key,
    author text constraint notes_author_fkey references users (id)
);
create index idx_notes_author on notes (author);
comment on table users is 'Users.';
comment on column users.id is 'Id.';
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who wrote it.';
""",
    check=_check,
)
