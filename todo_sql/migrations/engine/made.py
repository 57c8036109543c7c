"""Which objects of a database the statements of a file make anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from todo_sql.catalog.names import dotted, relation_name
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine.settings import THEIRS
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.sql.grammar import Statement
from todo_sql.sql.walking import enum, strings
from todo_sql.wire.flight import Flight, FlightCommand

_MAKING = ("view_stmt", "create_table_as_stmt", "create_function_stmt", "drop_stmt")
_RELATION = """
select pg_catalog.concat(
    case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' end,
    pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname)
)
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1)
    and c.relkind operator(pg_catalog.=) any ('{v,m}'::pg_catalog."char"[])
"""
_FUNCTION = """
select 'function ' operator(pg_catalog.||) (pg_catalog.pg_identify_object(
    'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0
)).identity
from pg_catalog.pg_proc as p
where p.oid operator(pg_catalog.=) pg_catalog.to_regprocedure($1)
"""


def resolve(link: MigrationLink, script: Script) -> dict[int, str]:
    """Return, by statement, the key of the view or function that it makes or drops, if it is there.

    Names are looked up along the path of the role and the database, and of the file's own
    settings. Works inside a transaction, and leaves it as it was.
    """
    asked = [(-1, FlightCommand("savepoint todo_sql_made")), (-1, THEIRS)]
    for number, statement in enumerate(script.statements):
        if is_session_setting(statement):
            asked.append((-1, FlightCommand(statement.text)))
        asked += [(number, FlightCommand(query, (name,))) for query, name in _names(statement)]
    if all(number < 0 for number, _ in asked):
        return {}
    answers = Flight(link.connection, [command for _, command in asked]).fly()
    back = ("rollback to savepoint todo_sql_made", "release savepoint todo_sql_made")
    link.fly([FlightCommand(text) for text in back])
    return {
        number: str(answer.rows[0][0])
        for (number, _), answer in zip(asked, answers, strict=True)
        if number >= 0 and answer.rows and answer.rows[0][0]
    }


def _names(statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.kind not in _MAKING:  # the tree of many others need not be made
        return
    node = statement.root
    if statement.kind == "view_stmt":
        yield _RELATION, relation_name(node.view)
    elif statement.kind == "create_table_as_stmt":
        if enum(node, "objtype") == "OBJECT_MATVIEW":
            yield _RELATION, relation_name(node.into.rel)
    elif statement.kind == "create_function_stmt":
        types = [
            _type(item.function_parameter.arg_type)
            for item in node.parameters
            if enum(item.function_parameter, "mode") not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")
        ]
        yield _FUNCTION, f"{dotted(*strings(node.funcname))}({', '.join(types)})"
    elif len(node.objects) == 1:
        kind = enum(node, "remove_type")
        if kind in ("OBJECT_VIEW", "OBJECT_MATVIEW"):
            yield _RELATION, dotted(*strings(node.objects[0].list.items))
        elif kind == "OBJECT_FUNCTION":
            given = node.objects[0].object_with_args
            types = [_type(item.type_name) for item in given.objargs]
            yield _FUNCTION, f"{dotted(*strings(given.objname))}({', '.join(types)})"


def _type(node: Any) -> str:
    return dotted(*strings(node.names)) + "[]" * len(node.array_bounds)
