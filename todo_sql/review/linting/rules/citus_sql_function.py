"""A function in SQL that hands its argument to a distributed table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.review.linting.citus import by_name
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import (
    conjuncts,
    options,
    qualified,
    relation,
    shown,
    volatility,
)
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.walking import enum, of_type, strings


def _check(project: Project) -> Hits:
    columns = by_name(project)
    names = set(columns)
    for _, command in project.commands("view_stmt"):
        if any(relation(one) in names for one in of_type(command.query, "RangeVar")):
            names.add(relation(command.view))
    made: dict[str, tuple[Spot, set[str]]] = {}
    for spot, command in project.commands("create_function_stmt"):
        found: set[str] = set()
        parameters = _parameters(command)
        inlined = command.return_type.setof and volatility(command) != "volatile"
        for body in _bodies(command) if parameters else ():
            if inlined or not _one_shard(body, columns):
                read = {relation(one) for one in of_type(body, "RangeVar")} & names
                found |= read if _uses(body, parameters) else set()
        made[qualified(command.funcname)] = spot, found
    for name, (spot, found) in made.items():
        if name in project.schema.functions:
            for table in sorted(found):
                words = {"function": shown(name), "table": shown(table)}
                yield Hit(spot, {**words, "column": columns.get(table, "…")})


def _parameters(command: Any) -> set[str]:
    """Return the names of what is handed in; `$1` for one without."""
    return {
        one.function_parameter.name or "$1"
        for one in command.parameters
        if enum(one.function_parameter, "mode") not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")
    }


def _bodies(command: Any) -> Iterator[Any]:
    """Yield the statements of a function in SQL."""
    said = options(command.options)
    if "language" in said and said["language"].string.sval.lower() != "sql":
        return
    if command.HasField("sql_body"):
        body = command.sql_body
        parts = body.list.items if body.HasField("list") else [body]
        for part in parts:
            yield from part.list.items if part.HasField("list") else [part]
    try:
        for text in strings(said["as"].list.items) if "as" in said else ():
            yield from (statement.node for statement in parse(text))
    except GrammarError:
        return


def _uses(body: Any, parameters: set[str]) -> bool:
    """Return whether a statement names what was handed in."""
    if any(of_type(body, "ParamRef")):
        return True
    named = (strings(one.fields) for one in of_type(body, "ColumnRef"))
    return any(set(parts) & parameters for parts in named)


def _one_shard(body: Any, columns: dict[str, str]) -> bool:
    """Return whether Citus finds the shard when the statement runs: it plans no more than that.

    So it does for `insert … values`, for writes without sub-selects, and for reading one table
    whose column is compared with a value.
    """
    kind = body.WhichOneof("node")
    if any(of_type(body, "SubLink")) or any(of_type(body, "WithClause")):
        return False
    if kind == "insert_stmt":
        return bool(body.insert_stmt.select_stmt.select_stmt.values_lists)
    if kind in ("update_stmt", "delete_stmt"):
        return True
    if kind != "select_stmt" or enum(body.select_stmt, "op") != "SETOP_NONE":
        return False
    sources = body.select_stmt.from_clause
    if len(sources) != 1 or not sources[0].HasField("range_var"):
        return False
    column = columns.get(relation(sources[0].range_var))
    return any(_fixes(one, column) for one in conjuncts(body.select_stmt.where_clause))


def _fixes(node: Any, column: str | None) -> bool:
    """Return whether a condition compares the column with a value or with what was handed in."""
    if strings(node.a_expr.name) != ("=",) or enum(node.a_expr, "kind") != "AEXPR_OP":
        return False
    sides = (node.a_expr.lexpr, node.a_expr.rexpr)
    named = [strings(one.column_ref.fields)[-1:] == (column,) for one in sides]
    plain = [one.WhichOneof("node") in ("a_const", "param_ref", "column_ref") for one in sides]
    return any(named) and all(plain)


RULE = Rule(
    code="R610",
    name="citus-sql-function",
    severity="error",
    message="function {function} is in SQL, and hands its argument to a query of {table}",
    cause="Citus cannot plan it: parameters in SQL functions are not supported, but where one "
    "table is read by `{column} = parameter`, and in writes without sub-selects",
    fix="write the function in PL/pgSQL",
    bad=CITUS_TASKS
    + """\
create function forget(one text) returns void language sql
set search_path = pg_catalog, pg_temp
as 'delete from public.tasks where user_id = one and id in (select t.id from public.tasks as t)';
""",
    good=CITUS_TASKS
    + """\
create function forget(one text) returns void language plpgsql
set search_path = pg_catalog, pg_temp
as 'begin
    delete from public.tasks where user_id = one and id in (select t.id from public.tasks as t);
end';
""",
    check=_check,
    profile="citus",
)
