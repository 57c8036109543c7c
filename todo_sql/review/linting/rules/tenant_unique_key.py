"""A unique key of a tenant table that forgets the tenant."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Iterator[Hit]:
    if project.tenant is None:
        return
    column = project.tenant.parameter
    for table in project.tenant_tables():
        for index in project.schema.indexes_of(table.name):
            if index.unique and column not in index.keys:
                words = {
                    "table": shown(table.name),
                    "columns": ", ".join(key if key.isidentifier() else "…" for key in index.keys),
                    "column": column,
                }
                yield Hit(index.spot, words)


RULE = Rule(
    code="R302",
    name="tenant-unique-key",
    severity="error",
    message="unique key ({columns}) of {table} does not carry {column}",
    cause=(
        "a value that one tenant has is refused to the others: the error reveals that it exists; "
        "and the table cannot be distributed by tenant"
    ),
    fix="add {column} to the key",
    bad="""\
create table tasks (
    user_id text not null,
    id bigint not null,
    constraint tasks_pkey primary key (user_id, id)
);
comment on table tasks is 'What is to be done.';
comment on column tasks.user_id is 'Whose it is.';
comment on column tasks.id is 'Its number.';
alter table tasks enable row level security;
create policy tasks_select_own on tasks for select to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
alter table tasks add constraint tasks_id_key unique (id);
""",
    good="""\
create table tasks (
    user_id text not null,
    id bigint not null,
    constraint tasks_pkey primary key (user_id, id)
);
comment on table tasks is 'What is to be done.';
comment on column tasks.user_id is 'Whose it is.';
comment on column tasks.id is 'Its number.';
alter table tasks enable row level security;
create policy tasks_select_own on tasks for select to todo_app
using (user_id = (select nullif(current_setting('app.current_user_id', true), '')));
alter table tasks add constraint tasks_id_user_id_key unique (id, user_id);
""",
    check=_check,
)
