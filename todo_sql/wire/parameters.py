"""Parameters dumped by the types that `describe` found, not by the Python value.

So one statement has one set of types, whatever is passed, and a value of the wrong type
is an error that names the parameter. The one file that picks psycopg's dumpers.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from struct import Struct
from struct import error as StructError
from types import NoneType
from typing import Any
from uuid import UUID

from psycopg import adapters, errors, pq
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from todo_sql.wire.call_errors import BadParameter

Dump = Callable[[Any], Any]

_TEXTS = (str, bytes, bytearray, memoryview)  # sequences, but none of elements of an array
_TEXT = frozenset({"text", "varchar", "bpchar", "name"})
# psycopg's binary dumpers of these wrap a number that is too big.
_NARROW = {"int2": Struct("!h"), "int4": Struct("!i"), "oid": Struct("!I")}
_OF_NARROW = frozenset({"int4range", "int4multirange"})
_JSON = frozenset({"json", "jsonb"})
# PostgreSQL's years go further than Python's: what lies outside could never be read back.
_INSTANTS = frozenset({"timestamptz", "tstzrange", "tstzmultirange"})
_CLASSES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXT, (str,)),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), (int,)),
    **dict.fromkeys(("float4", "float8"), (float, int)),
    "numeric": (Decimal, int),
    "bool": (bool,),
    "bytea": (bytes, bytearray, memoryview),
    "date": (datetime.date,),
    "timestamp": (datetime.datetime,),
    "timestamptz": (datetime.datetime,),
    "time": (datetime.time,),
    "timetz": (datetime.time,),
    "interval": (datetime.timedelta,),
    "uuid": (UUID,),
    "inet": (
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
    ),
    "cidr": (ipaddress.IPv4Network, ipaddress.IPv6Network),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is known of one parameter before any connection is there.

    Attributes:
        name: As the query has it, without the colon.
        pg_type: PostgreSQL's name of its type, or None: inferred by the server.
        oid: Of a built-in type; 0 leaves the inference, which `describe` saw, to the server.
        nullable: Whether None is accepted.
        optional: Whether a call may leave it out.
        classes: The Python classes that fit, exactly; empty: any.
    """

    name: str
    pg_type: str | None
    oid: int
    nullable: bool
    classes: frozenset[type]
    optional: bool = False

    @classmethod
    def of(
        cls, name: str, pg_type: str | None, nullable: bool = True, optional: bool = False
    ) -> Parameter:
        """Look the type up among PostgreSQL's own."""
        oid, base, is_array = _builtin(pg_type)
        if is_array:
            classes: tuple[type, ...] = (list,)
        elif base.endswith("multirange"):
            classes = (Multirange,)
        elif base.endswith("range"):
            classes = (Range,)
        else:
            classes = _CLASSES.get(base, ())
        return cls(name, pg_type, oid, nullable, frozenset(classes), optional)

    def dumper(self, transformer: Transformer) -> tuple[Dump, int]:
        """Return the function that makes a value's wire form, and the format of that form."""
        _, base, is_array = _builtin(self.pg_type)
        if not is_array and base in _TEXT:
            return _dump_text, pq.Format.BINARY
        if not is_array and base in _NARROW:
            return _NARROW[base].pack, pq.Format.BINARY
        forms = (pq.Format.BINARY, pq.Format.TEXT) if self.is_binary else (pq.Format.TEXT,)
        for form in forms if self.oid else ():
            try:
                dumper = adapters.get_dumper_by_oid(self.oid, form)(NoneType, transformer)
            except errors.ProgrammingError:  # it knows the type, or that of the elements, not
                continue
            if base in _JSON and not is_array:
                dumper.dumps = dump_json  # type: ignore[attr-defined]
            dump = dumper.dump
            return (self._readable(dump) if base in _INSTANTS else dump), form

        @self._readable
        def dump_by_value(value: Any) -> Any:
            return transformer.get_dumper(value, PyFormat.TEXT).dump(value)

        return dump_by_value, pq.Format.TEXT

    def _readable(self, dump: Dump) -> Dump:
        """Return a dumper that refuses a date or time that Python could not read back."""

        def dump_readable(value: Any) -> Any:
            if _is_beyond_years(value):
                raise BadParameter(
                    f"parameter `{self.name}` is a date or time outside the years 1 to 9999 in UTC",
                    self.name,
                    cause="Python could not read it back; nothing was sent",
                    fix="pass a datetime within these years, or None",
                )
            return dump(value)

        return dump_readable

    @property
    def is_json(self) -> bool:
        """Whether its values, or their elements, are sent as JSON."""
        return _builtin(self.pg_type)[1] in _JSON

    @property
    def is_binary(self) -> bool:
        """Whether psycopg's binary form can be trusted with every value of this type."""
        _, base, is_array = _builtin(self.pg_type)
        if not self.oid or base in _OF_NARROW:
            return False
        return not is_array or (base not in _NARROW and _has_binary(base))

    @property
    def is_tried(self) -> bool:
        """Whether each value needs to be tried: psycopg would wrap it, or not read it back."""
        _, base, is_array = _builtin(self.pg_type)
        return not self.oid or base in _INSTANTS or (base in _NARROW and not is_array)

    def adapt(self, value: object) -> object:
        """Return a value of one of the exact classes, or the value if it needs none.

        Raises:
            BadParameter: The value is of another type.
        """
        if type(value) in self.classes:
            return value
        _, base, is_array = _builtin(self.pg_type)
        if isinstance(value, BaseModel) and (base in _JSON or not self.classes):
            return value.model_dump(mode="json")
        if not self.classes:
            return value
        if is_array and isinstance(value, (Sequence, Set)) and not isinstance(value, _TEXTS):
            return list(value)
        confusing = isinstance(value, bool) or (
            base == "date" and isinstance(value, datetime.datetime)
        )
        if not confusing and isinstance(value, tuple(self.classes)):
            return value
        raise BadParameter(
            f"parameter `{self.name}` takes {self.expected()}, not {type(value).__name__}",
            self.name,
            cause=f"its type in PostgreSQL is {self.pg_type}; nothing was sent",
            fix=f"pass {self.expected()}" + (" or None" if self.nullable else ""),
        )

    def no_null(self) -> BadParameter:
        """Return the error for None where NULL is not provided for."""
        leave_out = ", or leave it out (UNSET)" if self.optional else ""
        return BadParameter(
            f"parameter `{self.name}` cannot be None",
            self.name,
            cause="the query neither tests it for NULL nor stores it in a nullable column",
            fix=f"pass {self.expected()}{leave_out}; if NULL is meant, write "
            f"`-- param: {self.name} ?` in the header and generate again",
        )

    def expected(self) -> str:
        """Return the Python types that fit, for messages."""
        return " or ".join(sorted(kind.__name__ for kind in self.classes)) or "a value"


class Encoder:
    """Turns a call's values into wire form on one connection.

    Args:
        parameters: In the order of ``$1``, ``$2``, …
        transformer: psycopg's, bound to the connection.
    """

    __slots__ = ("_plan", "formats", "oids")

    def __init__(self, parameters: Sequence[Parameter], transformer: Transformer) -> None:
        dumpers = [parameter.dumper(transformer) for parameter in parameters]
        self._plan = [
            (parameter, parameter.classes, dump)
            for parameter, (dump, _) in zip(parameters, dumpers, strict=True)
        ]
        self.formats = [form for _, form in dumpers]
        self.oids = [parameter.oid for parameter in parameters]

    def encode(self, values: Sequence[object]) -> list[Any]:
        """Return the wire forms.

        Raises:
            BadParameter: A value does not fit its parameter.
        """
        wire: list[Any] = []
        for (parameter, classes, dump), value in zip(self._plan, values, strict=True):
            if value is None:
                if not parameter.nullable:
                    raise parameter.no_null()
                wire.append(None)
                continue
            if type(value) not in classes:
                value = parameter.adapt(value)
            try:
                wire.append(dump(value))
            except BadParameter:
                raise
            except Exception as error:
                raise BadParameter(
                    f"parameter `{parameter.name}` does not fit {parameter.pg_type}: {_why(error)}",
                    parameter.name,
                    cause="nothing was sent",
                    fix=f"pass {parameter.expected()} in the range of {parameter.pg_type}",
                ) from None
        return wire


@cache
def _builtin(pg_type: str | None) -> tuple[int, str, bool]:
    """Return OID (or 0), base name and whether it is an array of a type's name."""
    if pg_type is None:
        return 0, "", False
    name = pg_type.partition("(")[0] + pg_type.rpartition(")")[2] if "(" in pg_type else pg_type
    is_array = name.endswith("[]")
    info = adapters.types.get(name.removesuffix("[]").strip())
    if info is None:
        return 0, "", is_array
    return (info.array_oid if is_array else info.oid), info.name, is_array


@cache
def _has_binary(base: str) -> bool:
    """Whether psycopg has a binary form of a built-in type, such as for the elements of a list."""
    try:
        adapters.get_dumper_by_oid(adapters.types[base].oid, pq.Format.BINARY)
    except errors.ProgrammingError:
        return False
    return True


def dump_json(value: Any) -> str:
    """Return JSON; models in lists and dicts as pydantic has them in JSON, too."""
    return json.dumps(value, default=to_jsonable_python)


def _dump_text(value: str) -> bytes:
    data = value.encode()
    if b"\0" in data:
        raise ValueError("a text cannot hold the character U+0000")
    return data


def _is_beyond_years(value: Any) -> bool:
    if isinstance(value, datetime.datetime):
        if value.year not in (datetime.MINYEAR, datetime.MAXYEAR) or value.tzinfo is None:
            return False
        try:
            value.astimezone(datetime.UTC)
        except OverflowError:
            return True
        return False
    if isinstance(value, Range):
        return _is_beyond_years(value.lower) or _is_beyond_years(value.upper)
    return isinstance(value, (list, Multirange)) and any(map(_is_beyond_years, value))


def _why(error: Exception) -> str:
    # Messages of dumpers name types and ranges; one that might quote the value is not shown.
    if isinstance(error, (OverflowError, StructError, errors.DataError)):
        return "out of range"
    if isinstance(error, UnicodeError):
        return "not a Unicode text"
    if isinstance(error, ValueError) and "U+0000" in str(error):
        return str(error)
    if isinstance(error, TypeError) and "naive" in str(error):
        return "the time needs a time zone"
    return "the value cannot be represented"
