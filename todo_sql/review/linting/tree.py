"""Small helpers over PostgreSQL's parse tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def walk(message: Any, *, skip: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield a message and every message inside it, except below types named in `skip`."""
    yield message
    for _, value in message.ListFields():
        children = value if hasattr(value, "__len__") and not isinstance(value, str) else [value]
        for child in children:
            if hasattr(child, "ListFields") and type(child).__name__ not in skip:
                yield from walk(child, skip=skip)


def of_type(message: Any, name: str, *, skip: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the messages of one type, such as ``FuncCall``."""
    return (inner for inner in walk(message, skip=skip) if type(inner).__name__ == name)


def enum(message: Any, field: str) -> str:
    """Return the name of an enumeration's value, such as ``CONSTR_UNIQUE``."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(described.values_by_number[getattr(message, field)].name)


def relation(range_var: Any) -> str:
    """Return a table's qualified name; without a schema it is in public."""
    return f"{range_var.schemaname or 'public'}.{range_var.relname}"


def shown(name: str) -> str:
    """Return a qualified name as people say it: without public."""
    return name.removeprefix("public.")


def strings(nodes: Any) -> tuple[str, ...]:
    """Return the texts of a list of String nodes."""
    return tuple(node.string.sval for node in nodes if node.HasField("string"))


def qualified(nodes: Any) -> str:
    """Return the qualified name in a list of String nodes (or a List of them)."""
    parts = strings(nodes)
    return ".".join(parts) if len(parts) > 1 else f"public.{parts[0]}" if parts else ""


def function_name(call: Any) -> str:
    """Return the bare name of a called function."""
    return strings(call.funcname)[-1]


def shape(message: Any) -> str:
    """Return a text that is the same for the same expression wherever it stands."""
    return re.sub(r"\s*\w*location: \d+", "", str(message))


def roles(nodes: Any) -> tuple[str, ...]:
    """Return the role names of a list of RoleSpec nodes, ``public`` for everyone."""
    named = []
    for node in nodes:
        spec = node.role_spec
        kind = enum(spec, "roletype")
        named.append(
            spec.rolename if kind == "ROLESPEC_CSTRING" else kind.removeprefix("ROLESPEC_").lower()
        )
    return tuple(named)


def option(options: Any, name: str) -> str | None:
    """Return a ``with (name = value)`` option's text, ``true`` without a value, or None."""
    for node in options:
        element = node.def_elem
        if element.defname == name:
            argument = element.arg
            if not argument.WhichOneof("node"):
                return "true"
            found = re.search(r"(?:sval|ival|boolval): \"?(\w+)\"?", str(argument))
            return found.group(1) if found else ""
    return None


def search_path(variable: Any) -> tuple[str, ...] | None:
    """Return the schemas that a SET of search_path names; None where it names none for certain."""
    if enum(variable, "kind") != "VAR_SET_VALUE":
        return None  # TO DEFAULT, FROM CURRENT, RESET
    return tuple(node.a_const.sval.sval for node in variable.args)
