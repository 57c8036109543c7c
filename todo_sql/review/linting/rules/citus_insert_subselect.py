"""A sub-select among the values of an insert."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.citus import by_name, references
from todo_sql.review.linting.reviewed import spot_of
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import of_type, relation, shown


def _check(project: Project) -> Iterator[Hit]:
    names = {*by_name(project), *references(project)}
    for file in project.files:
        if file.kind == "rollback":
            continue
        for statement in file.statements:
            for insert in of_type(statement.node, "InsertStmt"):
                name = relation(insert.relation)
                rows = insert.select_stmt.select_stmt.values_lists
                if name in names and any(any(of_type(row, "SubLink")) for row in rows):
                    yield Hit(spot_of(file, insert.relation, statement), {"table": shown(name)})


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
    code="R607",
    name="citus-insert-subselect",
    severity="error",
    message="the values that are inserted into {table} hold a sub-select",
    cause=("Citus refuses it: subqueries are not supported within INSERT queries"),
    fix="write `insert … select`, or call a function (such as find_list of the Todo schema)",
    bad=_TABLES
    + """\
insert into tasks (user_id, id) values ('u1', (select 1));
""",
    good=_TABLES
    + """\
insert into tasks (user_id, id) select 'u1', n.id from (select 1 as id) as n;
""",
    check=_check,
    profile="citus",
)
