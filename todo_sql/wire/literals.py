"""Values in PostgreSQL's text form: arrays, ranges, whatever psycopg has no binary form of. Pure.

A value is written as its type in PostgreSQL wants it, whatever its class in Python, or refused.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress as ip
import json
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from struct import pack, unpack
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from todo_sql.wire.loaders import Form

Write = Callable[[Any], str]

# Sequences, but none of elements of an array.
_NO_LISTS = (str, bytes, bytearray, memoryview, Multirange)
_RANGES = {name: name for name in ("int4", "int8", "date")}
_RANGES |= {"num": "numeric", "ts": "timestamp", "tstz": "timestamptz"}
_BOUNDS = {
    "int2": (-(2**15), 2**15 - 1),
    "int4": (-(2**31), 2**31 - 1),
    "int8": (-(2**63), 2**63 - 1),
    "oid": (0, 2**32 - 1),
}
JSON = frozenset({"json", "jsonb"})
TIMES = frozenset({"time", "timetz", "timestamp", "timestamptz"})
# Of the classes of these modules none is meant as a text.
OTHERS = frozenset({"builtins", "datetime", "decimal", "ipaddress", "uuid"})
_ZONED = frozenset({"timetz", "timestamptz"})
CLASSES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_BOUNDS, (int,)),
    **dict.fromkeys(("float4", "float8"), (float, int)),
    "numeric": (Decimal, int),
    "bool": (bool,),
    "bytea": (bytes, bytearray, memoryview),
    "date": (datetime.date,),
    **dict.fromkeys(("timestamp", "timestamptz"), (datetime.datetime,)),
    **dict.fromkeys(("time", "timetz"), (datetime.time,)),
    "interval": (datetime.timedelta,),
    "uuid": (UUID,),
    "inet": (ip.IPv4Interface, ip.IPv6Interface, ip.IPv4Address, ip.IPv6Address),
    "cidr": (ip.IPv4Network, ip.IPv6Network),
}
"""The Python classes of PostgreSQL's types; the other ones, but for JSON, are texts."""


class Misfit(ValueError):
    """A value that its type in PostgreSQL does not take; the message never quotes it."""


def form_of(name: str) -> str:
    """Return the form of one of PostgreSQL's own types: of a range that over its bounds."""
    for kind in ("multirange", "range"):
        base = _RANGES.get(name.removesuffix(kind)) if name.endswith(kind) else None
        if base is not None:
            return f"{base} {kind}"
    return name


def _parts(form: Form) -> tuple[str, str]:
    base, _, kind = form_of(str(form)).partition(" ")
    return base, kind


def classes(form: Form) -> tuple[type, ...]:
    """Return the classes that fit a form; none: any."""
    if isinstance(form, list):
        return (list,)
    if isinstance(form, dict):
        return ()
    base, kind = _parts(form)
    if kind:
        return (Range,) if kind == "range" else (Multirange,)
    return () if base in JSON else CLASSES.get(base, (str,))


def writer(form: Form, *, nulls: bool = True, own: bool = False) -> Write:
    """Return what writes values of a form.

    Args:
        form: As in `todo_sql.wire.loaders`; a list in a list is an array of two dimensions.
        nulls: Whether elements of an array may be None.
        own: Whether it is of a type that is not PostgreSQL's own, whose values may be objects.
    """
    if isinstance(form, list):
        return _array(form, nulls, own)
    if isinstance(form, dict):
        return _composite(form)
    base, kind = _parts(form)
    if kind:
        return _range(base) if kind == "range" else _multirange(base)
    return _scalar(base, own)


def _composite(form: dict[str, Form]) -> Write:
    writers = {name: writer(one, own=True) for name, one in form.items()}

    def write_field(name: str, value: Any) -> str:
        if value is None:
            return ""
        try:
            text = writers[name](value)
        except Misfit as misfit:
            raise Misfit(f"field `{name}`: {misfit}") from None
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def write_composite(value: Any) -> str:
        fields = _fields(value, tuple(form))
        return "(" + ",".join([write_field(name, one) for name, one in fields]) + ")"

    return write_composite


def _fields(value: Any, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Return the fields of a composite in order: of a tuple by place, else by name."""
    given: dict[str, Any]
    if isinstance(value, BaseModel):
        known = type(value).model_fields
        given = {known[name].alias or name: one for name, one in value if name in known}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    elif isinstance(value, Mapping):
        given = dict(value)
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        given = value._asdict()
    elif isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise Misfit(f"{len(value)} fields where {len(names)} are expected")
        return list(zip(names, value, strict=True))
    else:
        kind = type(value).__name__
        raise Misfit(f"{kind} where a tuple, a dict or a model of its fields is expected")
    for wrong in (name for name in names if name not in given):
        raise Misfit(f"field `{wrong}` is missing")
    for wrong in (name for name in given if name not in names):
        raise Misfit(f"field `{wrong}` is none of the type's")
    return [(name, given[name]) for name in names]


def says_itself(value: Any) -> bool:
    """Whether an object is of a caller's class that says how its values are written."""
    kind = type(value)
    return kind.__module__ not in OTHERS and (
        callable(getattr(kind, "dump", None)) or hasattr(kind, "__get_pydantic_core_schema__")
    )


def text_of(value: Any) -> str:
    """Return an object's text: by its `dump`, else as pydantic's JSON has it, else `__str__`."""
    kind = type(value)
    if callable(getattr(kind, "dump", None)):
        text = value.dump()
    elif hasattr(kind, "__get_pydantic_core_schema__") or dataclasses.is_dataclass(kind):
        text = to_jsonable_python(TypeAdapter(kind).dump_python(value, mode="json"))
    elif isinstance(value, Enum):
        text = value.value
    else:
        says = any("__str__" in vars(one) for one in kind.__mro__[:-1])
        text = str(value) if says else None
    if isinstance(text, bytes):
        text = text.decode()
    if not isinstance(text, str):
        raise Misfit(
            f"{kind.__name__} has neither `dump` nor `__str__` that gives a text, nor does "
            "pydantic write it as one"
        )
    fit("text", text)
    return text


def _scalar(base: str, own: bool = False) -> Write:
    if base in JSON:
        dump = dump_json if base == "json" else dump_jsonb
        return lambda value: dump(
            value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        )
    expected = CLASSES.get(base, (str,))
    write = _WRITERS.get(base, str.__str__)

    def write_scalar(value: Any) -> str:
        is_theirs = own and type(value).__module__ not in OTHERS
        if is_theirs and (says_itself(value) or not isinstance(value, expected)):
            return text_of(value)
        fit(base, value, expected)
        return write(value)

    return write_scalar


def fit(base: str, value: Any, expected: tuple[type, ...] | None = None) -> None:
    """Hold a scalar against its type; `Misfit`: it is none of it."""
    expected = CLASSES.get(base, (str,)) if expected is None else expected
    given: Any = value
    confusing = bool not in expected and isinstance(value, bool)
    confusing = confusing or (base == "date" and isinstance(value, datetime.datetime))
    if confusing or not isinstance(value, expected):
        names = " or ".join(sorted(kind.__name__ for kind in expected))
        raise Misfit(f"{type(value).__name__} where {names} is expected")
    if base in _BOUNDS:
        low, high = _BOUNDS[base]
        if not low <= given <= high:
            raise Misfit("out of range")
    elif base in TIMES:
        _fit_time(base, given)
    elif base in ("float4", "float8"):
        _fit_float(base, given)
    elif base == "numeric" and isinstance(value, Decimal) and value.is_snan():
        raise Misfit("a signaling NaN")
    elif expected == (str,) and "\0" in given:
        raise Misfit("a text cannot hold the character U+0000")


def _fit_time(base: str, value: Any) -> None:
    zoned = value.tzinfo is not None and (
        value.utcoffset() is not None or isinstance(value, datetime.datetime)
    )
    if base in _ZONED and not zoned:
        raise Misfit("the time needs a time zone: give it a tzinfo")
    if base not in _ZONED and zoned:
        raise Misfit("the type keeps no time zone: pass a time without tzinfo")
    if base == "timestamptz" and value.year in (datetime.MINYEAR, datetime.MAXYEAR):
        try:
            value.astimezone(datetime.UTC)
        except OverflowError:
            words = "it lies outside the years 1 to 9999 in UTC, so Python could not read it back"
            raise Misfit(words) from None


def _fit_float(base: str, value: float) -> None:
    try:
        value = float(value)
        small = unpack("!f", pack("!f", value))[0] if base == "float4" else value
    except OverflowError:
        raise Misfit("out of range") from None
    if small == 0 and value != 0:
        raise Misfit("out of range")


_WRITERS: dict[str, Write] = {
    **dict.fromkeys(_BOUNDS, int.__repr__),
    **dict.fromkeys(("float4", "float8"), lambda value: repr(float(value))),
    "numeric": str,
    "bool": lambda value: "t" if value else "f",
    "bytea": lambda value: "\\x" + bytes(value).hex(),
    **dict.fromkeys(("date", "time", "timetz"), lambda value: str(value.isoformat())),
    **dict.fromkeys(("timestamp", "timestamptz"), lambda value: str(value.isoformat(" "))),
    "interval": lambda value: (
        f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    ),
    **dict.fromkeys(("uuid", "inet", "cidr"), str),
}


def dump_json(value: Any) -> str:
    """Return JSON; models in lists and dicts as pydantic has them in JSON, too."""
    try:
        return json.dumps(value, default=to_jsonable_python, allow_nan=False)
    except ValueError as error:
        if "JSON compliant" in str(error):
            raise Misfit("JSON has no NaN and no infinity") from None
        raise


def dump_jsonb(value: Any) -> str:
    """Return JSON that jsonb takes: without U+0000."""
    text = dump_json(value)
    if "\\u0000" in text and "\\u0000" in text.replace("\\\\", ""):
        raise Misfit("a text cannot hold the character U+0000")
    return text


def is_list(value: object) -> bool:
    """Whether a value is of elements: no text and no bytes."""
    return isinstance(value, (Sequence, Set)) and not isinstance(value, _NO_LISTS)


def _array(form: list[Form], nulls: bool, own: bool) -> Write:
    depth = 1
    element: Form = form[0]
    while isinstance(element, list):
        depth, element = depth + 1, element[0]
    write = writer(element, own=own)
    takes_lists = isinstance(element, dict) or element in JSON
    comma = ";" if element == "box" else ","  # the one type whose values hold commas

    def write_level(value: Any, level: int) -> str:
        if level == depth:
            return "{" + comma.join([write_element(one) for one in value]) + "}"
        return "{" + comma.join([write_level(one, level + 1) for one in value]) + "}"

    def write_element(value: Any) -> str:
        if value is None:
            if not nulls:
                raise Misfit("an element is None, where the query takes no NULL: leave it out")
            return "NULL"
        if not takes_lists and is_list(value) and not (own and says_itself(value)):
            raise Misfit(
                "a list in a list: PostgreSQL does not tell how deep the array is; declare "
                "it, as in `int[][]`"
            )
        text = write(value)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def write_array(value: Any) -> str:
        if not is_list(value):
            raise Misfit(f"{type(value).__name__} where list is expected")
        if depth > 1:
            if not value:
                return "{}"
            _fit_shape(value, depth)
        return write_level(value, 1)

    return write_array


def _fit_shape(value: Any, depth: int) -> None:
    """Hold lists in lists against PostgreSQL's rule: each as long as its neighbours."""
    rows = [value]
    for _ in range(depth - 1):
        rows = [inner for row in rows for inner in row]
        if not all(map(is_list, rows)):
            raise Misfit(f"an array of {depth} dimensions takes lists in lists")
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            raise Misfit("lists in a list must be of one length, and not empty")


def _range(base: str) -> Write:
    write = _scalar(base)

    def bound(value: Any) -> str:
        if value is None:
            return ""
        return '"' + write(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

    def write_range(value: Any) -> str:
        if not isinstance(value, Range):
            raise Misfit(f"{type(value).__name__} where Range is expected")
        if value.isempty:
            return "empty"
        try:
            ends: tuple[Any, Any] = value.lower, value.upper
            backwards = None not in ends and ends[0] > ends[1]
        except TypeError:
            backwards = False  # of two classes: each is held against the type below
        lower, upper = bound(value.lower), bound(value.upper)
        if backwards and base != "text":
            raise Misfit("the range ends before it begins")
        bounds = value.bounds
        return f"{bounds[0]}{lower},{upper}{bounds[1]}"

    return write_range


def _multirange(base: str) -> Write:
    write = _range(base)

    def write_multirange(value: Any) -> str:
        if not isinstance(value, Multirange):
            raise Misfit(f"{type(value).__name__} where Multirange is expected")
        return "{" + ",".join([write(one) for one in value]) + "}"

    return write_multirange
