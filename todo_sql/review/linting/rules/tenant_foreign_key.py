"""A foreign key between tenant tables that forgets the tenant."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import OWN_LISTS, OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    if project.tenant is None:
        return
    column = project.tenant.parameter
    for table in project.tenant_tables():
        for key in table.of("fkey"):
            target = project.schema.tables.get(key.target or "")
            if target is not None and project.has_tenant(target) and column not in key.columns:
                words = {"table": shown(table.name), "target": shown(target.name), "column": column}
                yield Hit(key.spot, words)


_TABLES = (
    OWN_TASKS
    + OWN_LISTS
    + """\
alter table tasks add column list_id bigint;
comment on column tasks.list_id is 'In which list it is.';
create index idx_tasks_list on tasks (list_id, user_id);
"""
)

RULE = Rule(
    code="R301",
    name="tenant-foreign-key",
    severity="error",
    message="foreign key of {table} to {target} does not carry {column}",
    cause="foreign keys bypass row level security: a row could refer to another tenant's row, "
    "and the error reveals whether that row exists",
    fix="foreign key ({column}, …) references {target} ({column}, …)",
    bad=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (list_id) references lists (id) not valid;
""",
    good=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (user_id, list_id) references lists (user_id, id) not valid;
""",
    check=_check,
)
