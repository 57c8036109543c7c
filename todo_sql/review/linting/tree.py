"""Small helpers over PostgreSQL's parse tree. Pure."""

from __future__ import annotations

import re
from typing import Any

from todo_sql.sql.walking import conjuncts as conjuncts
from todo_sql.sql.walking import enum as enum
from todo_sql.sql.walking import of_type as of_type
from todo_sql.sql.walking import shape as shape
from todo_sql.sql.walking import strings as strings
from todo_sql.sql.walking import walk as walk


def relation(range_var: Any) -> str:
    """Return a table's qualified name; without a schema it is in public."""
    return f"{range_var.schemaname or 'public'}.{range_var.relname}"


def shown(name: str) -> str:
    """Return a qualified name as people say it: without public."""
    return name.removeprefix("public.")


def qualified(nodes: Any) -> str:
    """Return the qualified name in a list of String nodes (or a List of them)."""
    parts = strings(nodes)
    return ".".join(parts) if len(parts) > 1 else f"public.{parts[0]}" if parts else ""


def function_name(call: Any) -> str:
    """Return the bare name of a called function."""
    return strings(call.funcname)[-1]


def roles(nodes: Any) -> tuple[str, ...]:
    """Return the role names of a list of RoleSpec nodes, ``public`` for everyone."""
    specs = [(node.role_spec, enum(node.role_spec, "roletype")) for node in nodes]
    return tuple(
        spec.rolename if kind == "ROLESPEC_CSTRING" else kind.removeprefix("ROLESPEC_").lower()
        for spec, kind in specs
    )


def options(nodes: Any) -> dict[str, Any]:
    """Return the options of a statement by name; of two the first."""
    return {node.def_elem.defname: node.def_elem.arg for node in reversed(nodes)}


def option(nodes: Any, name: str) -> str | None:
    """Return a ``with (name = value)`` option's text, ``true`` without a value, or None."""
    argument = options(nodes).get(name)
    if argument is None or not argument.WhichOneof("node"):
        return None if argument is None else "true"
    found = re.search(r"(?:sval|ival|boolval): \"?(\w+)\"?", str(argument))
    return found[1] if found else ""


def volatility(command: Any) -> str:
    """Return what CREATE FUNCTION says of a function: immutable, stable or volatile."""
    said = options(command.options).get("volatility")
    return str(said.string.sval).lower() if said else "volatile"


def search_path(variable: Any) -> tuple[str, ...] | None:
    """Return the schemas that a SET of search_path names; None where it names none for certain."""
    if enum(variable, "kind") != "VAR_SET_VALUE":
        return None  # TO DEFAULT, FROM CURRENT, RESET
    return tuple(node.a_const.sval.sval for node in variable.args)
