"""Row level security without a policy."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Iterator[Hit]:
    for table in project.schema.tables.values():
        if table.row_security and not table.policies and table.partition_of is None:
            yield Hit(table.spot, {"table": shown(table.name)})


RULE = Rule(
    code="R102",
    name="policy-missing",
    severity="warning",
    message="table {table} has row level security and no policy",
    cause="without a policy the table shows nothing and takes nothing, except for its owner",
    fix="create a policy for each command that a role may use",
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
