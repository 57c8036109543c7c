"""Arguments of the types that a generated function asks for, whatever comes of the call."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_interface, ip_network
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

_VALUES: dict[Any, Any] = {
    str: "1",
    int: 1,
    bool: True,
    bytes: b"x",
    float: 1.0,
    Decimal: Decimal(1),
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
    date: date(2026, 1, 2),
    time: time(1),
    timedelta: timedelta(days=1),
    UUID: UUID(int=1),
    Any: {},
}


def functions(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    """Return the functions that a generated module has for its queries."""
    return {
        name: found
        for name, found in vars(module).items()
        if inspect.isfunction(found) and found.__module__ == module.__name__ and name[0] != "_"
    }


def arguments(function: Callable[..., Any], *, every: bool = False) -> dict[str, Any]:
    """Return an argument for each parameter that must be given, or for every one."""
    session, *parameters = inspect.signature(function).parameters.values()
    del session
    space = vars(inspect.getmodule(function))
    return {
        one.name: _value(eval(one.annotation, dict(space)))
        for one in parameters
        if one.default is one.empty or (every and one.name != "cursor")
    }


def _value(annotation: Any) -> Any:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _VALUES:
        return _VALUES[annotation]
    if origin is typing.Literal:
        return inner[0]
    if "IPv" in str(annotation):
        text = str(annotation)
        return ip_interface("10.0.0.1/32") if "Interface" in text else ip_network("10.0.0.0/8")
    if origin in (typing.Union, types.UnionType):
        return _value(inner[0])
    if origin in (list, Sequence):
        return []
    if origin is tuple:
        return (None,) * len(inner)
    assert origin in (Range, Multirange), annotation
    return Range(empty=True) if origin is Range else Multirange([])
