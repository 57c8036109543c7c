"""A foreign key that leads from one node to another."""

from __future__ import annotations

from todo_sql.review.linting.citus import apart, by_name, references, told
from todo_sql.review.linting.example_tables import CITUS_LISTS, CITUS_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    columns, everywhere = by_name(project), references(project)
    for table in project.schema.tables.values():
        for key in table.of("fkey"):
            target = project.schema.tables.get(key.target or "")
            if target is None:
                continue
            why = None
            own, other = columns.get(table.name), columns.get(target.name)
            referenced = key.referenced or (target.primary.columns if target.primary else ())
            if other is None:
                if own is not None and told(project) and target.name not in everywhere:
                    why = "its target is on the coordinator alone"
            elif own is None:
                if table.name in everywhere:
                    why = "a reference table cannot point to a distributed one"
            elif own not in key.columns:
                if not (project.has_tenant(table) and project.has_tenant(target)):  # else R301
                    why = f"it does not hold {own}"
            elif (
                key.columns.index(own) >= len(referenced)
                or referenced[key.columns.index(own)] != other
            ):
                why = f"{own} does not stand where {other} does"
            elif apart(project, table.name, target.name):
                why = "their rows lie on nodes of their own"
            if why:
                words = {"table": shown(table.name), "target": shown(target.name), "why": why}
                yield Hit(key.spot, words)


_TABLES = (
    CITUS_TASKS
    + CITUS_LISTS
    + """\
alter table lists add column owner_id text;
comment on column lists.owner_id is 'Who made it.';
create unique index idx_lists_owner on lists (id, user_id);
alter table tasks add column list_id bigint;
comment on column tasks.list_id is 'In which list it is.';
create index idx_tasks_list on tasks (list_id, user_id);
create table kinds (
    id text not null,
    constraint kinds_pkey primary key (id)
);
comment on table kinds is 'Kinds of tasks.';
comment on column kinds.id is 'Its name.';
select create_reference_table('kinds');
"""
)

RULE = Rule(
    code="R603",
    name="citus-foreign-key",
    severity="error",
    message="foreign key of {table} to {target}: {why}",
    cause="a foreign key is checked on the node that the row is on: it holds between tables that "
    "are distributed by the same values, and to a reference table",
    fix="put the distribution columns at the same place in both lists of columns, distribute them "
    "with `colocate_with`, or make {target} a reference table",
    bad=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (list_id, user_id) references lists (user_id, id) not valid;
""",
    good=_TABLES
    + """\
alter table tasks add constraint tasks_list_id_fkey
foreign key (list_id, user_id) references lists (id, user_id) not valid;
""",
    check=_check,
    profile="citus",
)
