"""A column of type json."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        for column in table.columns.values():
            if column.type == "json":
                yield Hit(column.spot, {"table": shown(table.name), "column": column.name})


RULE = Rule(
    code="R504",
    name="json-instead-of-jsonb",
    severity="warning",
    message="column {table}.{column} is json",
    cause="json has no equality: `select distinct` and `group by` fail on it, it cannot be "
    "indexed, and it is parsed on each read",
    fix="use jsonb",
    bad="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
alter table notes add column extra json;
comment on column notes.extra is 'Anything else.';
""",
    good="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
alter table notes add column extra jsonb;
comment on column notes.extra is 'Anything else.';
""",
    check=_check,
)
