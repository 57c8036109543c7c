"""A unique key of a tenant table that forgets the tenant."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import OWN_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
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
    cause="a value that one tenant has is refused to the others: the error reveals that it exists; "
    "and the table cannot be distributed by tenant",
    fix="add {column} to the key",
    bad=OWN_TASKS
    + """\
alter table tasks add constraint tasks_id_key unique (id);
""",
    good=OWN_TASKS
    + """\
alter table tasks add constraint tasks_id_user_id_key unique (id, user_id);
""",
    check=_check,
)
