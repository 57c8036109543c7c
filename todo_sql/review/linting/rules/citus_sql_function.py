"""A function in SQL that hands its argument to a distributed table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.citus import by_name
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import enum, of_type, qualified, relation, shown, strings
from todo_sql.sql.grammar import GrammarError, parse


def _check(project: Project) -> Iterator[Hit]:
    names = set(by_name(project))
    made: dict[str, tuple[Spot, set[str]]] = {}
    for file, statement, command in project.commands("create_function_stmt"):
        name = qualified(command.funcname)
        found = _read(command) & names if _takes(command) else set()
        made[name] = Spot(file, statement.start, statement.end), found
    for name, (spot, found) in made.items():
        if name in project.schema.functions:
            for table in sorted(found):
                yield Hit(spot, {"function": shown(name), "table": shown(table)})


def _takes(command: Any) -> bool:
    return any(
        enum(one.function_parameter, "mode") not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")
        for one in command.parameters
    )


def _read(command: Any) -> set[str]:
    """Return the tables that the body of a function in SQL names."""
    options = {one.def_elem.defname: one.def_elem.arg for one in command.options}
    if "language" in options and options["language"].string.sval.lower() != "sql":
        return set()
    found = {relation(one) for one in of_type(command.sql_body, "RangeVar")}
    try:
        for text in strings(options["as"].list.items) if "as" in options else ():
            for statement in parse(text):
                found |= {relation(one) for one in of_type(statement.node, "RangeVar")}
    except GrammarError:
        pass
    return found


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
    code="R610",
    name="citus-sql-function",
    severity="error",
    message="function {function} is in SQL, and hands its argument to a query of {table}",
    cause=("Citus cannot plan it: parameters in SQL functions are not supported"),
    fix="write the function in PL/pgSQL",
    bad=_TABLES
    + """\
create function forget(one text) returns void language sql
set search_path = pg_catalog, pg_temp
as 'delete from public.tasks where user_id = one';
""",
    good=_TABLES
    + """\
create function forget(one text) returns void language plpgsql
set search_path = pg_catalog, pg_temp
as 'begin delete from public.tasks where user_id = one; end';
""",
    check=_check,
    profile="citus",
)
