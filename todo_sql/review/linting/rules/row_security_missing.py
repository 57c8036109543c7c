"""A table of tenants' rows without row level security."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Iterator[Hit]:
    for table in project.tenant_tables():
        if not table.row_security:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R101",
    name="row-security-missing",
    severity="error",
    message="table {table} holds tenants' rows and has no row level security",
    cause="whoever may read the table reads every tenant's rows",
    fix="alter table {table} enable row level security, and a policy for each command",
    bad="""\
create table tasks (
    user_id text not null,
    id bigint not null,
    constraint tasks_pkey primary key (user_id, id)
);
comment on table tasks is 'What is to be done.';
comment on column tasks.user_id is 'Whose it is.';
comment on column tasks.id is 'Its number.';
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
""",
    check=_check,
)
