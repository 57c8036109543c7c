"""A sub-select in RETURNING."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from todo_sql.review.linting.citus import by_name, references
from todo_sql.review.linting.reviewed import spot_of
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import of_type, relation, shown

_WRITES = ("InsertStmt", "UpdateStmt", "DeleteStmt")


def _check(project: Project) -> Iterator[Hit]:
    names = {*by_name(project), *references(project)}
    for file in project.files:
        if file.kind == "rollback":
            continue
        for statement in file.statements:
            for write in chain.from_iterable(of_type(statement.node, kind) for kind in _WRITES):
                name = relation(write.relation)
                if name in names and any(
                    any(of_type(target, "SubLink")) for target in write.returning_clause.exprs
                ):
                    yield Hit(spot_of(file, write.relation, statement), {"table": shown(name)})


_TABLES = """\
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
using (user_id = current_user_id());
"""

RULE = Rule(
    code="R608",
    name="citus-returning-subselect",
    severity="error",
    message="what a write of {table} returns holds a sub-select",
    cause=(
        "Citus refuses functions that are not immutable there, and the policies of the table that "
        "is read bring one"
    ),
    fix="return the columns from `with changed as (…)`, and select from it",
    bad=_TABLES
    + """\
update tasks set id = id where user_id = 'u1'
returning id, (select count(*) from tasks as t where t.user_id = 'u1');
""",
    good=_TABLES
    + """\
with changed as (update tasks set id = id where user_id = 'u1' returning id)

select c.id, (select count(*) from tasks as t where t.user_id = 'u1') from changed as c;
""",
    check=_check,
    profile="citus",
)
