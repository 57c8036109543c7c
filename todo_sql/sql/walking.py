"""Walks PostgreSQL's parse trees. Pure."""

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


def conjuncts(condition: Any) -> Iterator[Any]:
    """Yield the conditions that an expression joins by AND."""
    if condition.HasField("bool_expr") and enum(condition.bool_expr, "boolop") == "AND_EXPR":
        for part in condition.bool_expr.args:
            yield from conjuncts(part)
    else:
        yield condition


def enum(message: Any, field: str) -> str:
    """Return the name of an enumeration's value, such as ``CONSTR_UNIQUE``."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(described.values_by_number[getattr(message, field)].name)


def strings(nodes: Any) -> tuple[str, ...]:
    """Return the texts of a list of String nodes."""
    return tuple(node.string.sval for node in nodes if node.HasField("string"))


def shape(message: Any) -> str:
    """Return a text that is the same for the same expression wherever it stands."""
    return re.sub(r"\s*\b\w*(?:location|list_start|list_end): \d+", "", str(message))
