"""A foreign key that would set the distribution column."""

from __future__ import annotations

from todo_sql.review.linting.citus import by_name, references
from todo_sql.review.linting.example_tables import CITUS_LISTS, CITUS_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown

_ACTIONS = {"n": "set null", "d": "set default", "c": "cascade"}


def _check(project: Project) -> Hits:
    tables, columns = project.schema.tables, by_name(project)
    whole = {name for name in columns if tables[name].partition_of is None}
    for table, column in ((tables[name], column) for name, column in columns.items()):
        for key in table.of("fkey"):
            if column not in key.columns or key.target not in whole | references(project):
                continue
            for event, action, refused in zip(
                ("delete", "update"), key.actions, ("nd", "ndc"), strict=True
            ):
                if action in refused:
                    words = {"table": shown(table.name), "event": event, "column": column}
                    yield Hit(key.spot, {**words, "action": _ACTIONS[action]})


_TABLES = (
    CITUS_TASKS
    + CITUS_LISTS
    + """\
alter table tasks add column list_id bigint;
comment on column tasks.list_id is 'In which list it is.';
create index idx_tasks_list on tasks (user_id, list_id);
"""
)

RULE = Rule(
    code="R604",
    name="citus-foreign-key-action",
    severity="error",
    message="foreign key of {table} on {event} {action} holds {column}",
    cause="Citus refuses it in a key that holds the column that the table is distributed by, also "
    "where `set null` names other columns: a row cannot change its node",
    fix="leave the action out, and let a trigger before the delete do it on the shard "
    "(examples/citus)",
    bad=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (user_id, list_id) references lists (user_id, id)
on delete set null (list_id) not valid;
""",
    good=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (user_id, list_id) references lists (user_id, id) not valid;
""",
    check=_check,
    profile="citus",
)
