"""A function or an operator that Citus makes on no other node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.citus import types_missing
from todo_sql.review.linting.example_tables import RANGED_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, qualified, shown, strings

_WHERE_IT_STAYS = ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")


def _check(project: Project) -> Hits:
    missing = types_missing(project)
    rows = missing | {name.rsplit(".", 1)[1] for name in project.schema.tables}
    for spot, command in project.commands("create_function_stmt"):
        name = qualified(command.funcname)
        for kind in _types(command, rows, missing) if name in project.schema.functions else ():
            yield Hit(spot, {"what": f"function {shown(name)}", "why": f", with its type {kind},"})
    for spot, command in project.commands("define_stmt"):
        if enum(command, "kind") == "OBJECT_OPERATOR":
            name = strings(command.defnames)[-1]
            yield Hit(spot, {"what": f"operator {name}", "why": ""})
    for spot, command in project.commands("create_op_class_stmt"):
        name = qualified(command.opclassname)
        yield Hit(spot, {"what": f"operator class {shown(name)}", "why": ""})


def _types(command: Any, rows: frozenset[str], missing: frozenset[str]) -> Iterator[str]:
    """Yield the types that keep a function on the coordinator: rows of shards are of others."""
    for node in command.parameters:
        kind = strings(node.function_parameter.arg_type.names)[-1]
        if enum(node.function_parameter, "mode") not in _WHERE_IT_STAYS and kind in rows:
            yield kind
    returned = strings(command.return_type.names)[-1:]
    if returned and returned[0] in missing and not command.return_type.setof:
        yield returned[0]


RULE = Rule(
    code="R613",
    name="citus-function-not-on-nodes",
    severity="warning",
    message="{what}{why} is on the coordinator alone",
    cause="Citus hands functions on, but none that takes or returns a type that is not on the "
    "nodes, or a row of a table, and no operators: a query of a shard that uses it fails",
    fix="hand the columns in one by one, in types that PostgreSQL has; instead of an operator call "
    "its function",
    bad=RANGED_TASKS
    + """\
create function length_of(span float_range) returns double precision language sql immutable
set search_path = pg_catalog, pg_temp
return upper(span) - lower(span);
""",
    good=RANGED_TASKS
    + """\
create function length_of(low double precision, high double precision) returns double precision
language sql immutable
set search_path = pg_catalog, pg_temp
return high - low;
""",
    check=_check,
    profile="citus",
)
