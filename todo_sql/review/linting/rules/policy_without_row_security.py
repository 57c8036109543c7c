"""A policy on a table without row level security."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in project.schema.tables.values():
        if table.row_security:
            continue
        for policy in table.policies.values():
            yield Hit(policy.spot, {"policy": policy.name, "table": shown(table.name)})


RULE = Rule(
    code="R109",
    name="policy-without-row-security",
    severity="error",
    message="policy {policy} is on {table}, which has no row level security",
    cause="the policy does nothing until row level security is enabled",
    fix="alter table {table} enable row level security",
    bad="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
create policy notes_select on notes for select to todo_app using (id > 0);
""",
    good="""\
create table notes (id bigint constraint notes_pkey primary key);
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
alter table notes enable row level security;
create policy notes_select on notes for select to todo_app using (id > 0);
""",
    check=_check,
)
