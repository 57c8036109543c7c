"""Parameters dumped by the types that `describe` found, not by the Python value.

So one statement has one set of types, whatever is passed, and a value of the wrong type
is an error that names the parameter. The one file that picks psycopg's dumpers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from struct import Struct
from struct import error as StructError
from types import NoneType
from typing import Any

from psycopg import adapters, errors, pq
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import BaseModel

from todo_sql.wire import literals
from todo_sql.wire.call_errors import BadParameter
from todo_sql.wire.literals import Misfit
from todo_sql.wire.loaders import Form

Dump = Callable[[Any], Any]

_TEXT = frozenset({"text", "varchar", "bpchar", "name"})
# psycopg's binary dumpers of these wrap a number that is too big.
_NARROW = {"int2": Struct("!h"), "int4": Struct("!i"), "oid": Struct("!I")}
# Of these psycopg dumps, in binary form, what Python or PostgreSQL could not read back.
_HELD = literals.TIMES | {"float4", "float8", "numeric"}


@dataclass(slots=True)
class Parameter:
    """What is known of one parameter before any connection is there.

    Attributes:
        name: As the query has it, without the colon.
        pg_type: PostgreSQL's name of its type, or None: inferred by the server.
        oid: Of a built-in type; 0 leaves the inference, which `describe` saw, to the server.
        nullable: Whether None is accepted.
        classes: The Python classes that fit, exactly; empty: any.
        form: How its values are written, of a type not PostgreSQL's own; None: by what they are.
        optional: Whether a call may leave it out.
        nulls: Whether elements of an array may be None.
    """

    name: str
    pg_type: str | None
    nullable: bool = True
    form: Form | None = None
    optional: bool = False
    nulls: bool = True
    oid: int = field(init=False)
    classes: frozenset[type] = field(init=False)

    def __post_init__(self) -> None:
        self.oid, known = _builtin(self.pg_type)
        self.form = known if self.form is None else self.form
        fitting = () if self.form is None else literals.classes(self.form)
        # Such as a text of a type that the configuration gives a class.
        self.classes = frozenset(() if not self.oid and fitting == (str,) else fitting)

    def dumper(self, transformer: Transformer, *, text: bool = False) -> tuple[Dump, int]:
        """Return what makes a value's wire form, and the format of that form."""
        if self.form is None:
            return lambda value: _by_value(value, transformer), pq.Format.TEXT
        if self.is_binary and not text:
            return self._binary(str(self.form), transformer), pq.Format.BINARY
        write = literals.writer(self.form, nulls=self.nulls, own=not self.oid)
        if self.classes or self.is_json or isinstance(self.form, dict):
            return lambda value: write(value).encode(), pq.Format.TEXT

        def dump_text(value: Any) -> Any:
            says = not self.oid and literals.says_itself(value)
            if says or isinstance(value, str) or type(value).__module__ in literals.OTHERS:
                return write(value).encode()
            return _by_value(value, transformer)  # of a class of the caller's

        return dump_text, pq.Format.TEXT

    def _binary(self, base: str, transformer: Transformer) -> Dump:
        if base in _TEXT:
            return _dump_text
        if base in _NARROW:
            return _NARROW[base].pack
        dumper = adapters.get_dumper_by_oid(self.oid, pq.Format.BINARY)(NoneType, transformer)
        if base in literals.JSON:
            dumper.dumps = _JSON[base]  # type: ignore[attr-defined]
        dump = dumper.dump
        if base not in _HELD:
            return dump

        def dump_held(value: Any) -> Any:
            literals.fit(base, value)
            return dump(value)

        return dump_held

    @property
    def is_json(self) -> bool:
        """Whether its values are sent as JSON."""
        return isinstance(self.form, str) and self.form in literals.JSON

    @property
    def is_binary(self) -> bool:
        """Whether psycopg's binary form can be trusted with every value of this type."""
        return bool(self.oid) and isinstance(self.form, str) and _has_binary(self.form)

    @property
    def is_tried(self) -> bool:
        """Whether each value needs to be tried: psycopg would wrap it, or not read it back."""
        return not self.is_binary or self.form in _HELD or self.form in _NARROW or self.is_json

    def adapt(self, value: object) -> object:
        """Return a value of one of the exact classes, or the value if it needs none."""
        if type(value) in self.classes or not self.classes:
            return value
        if isinstance(self.form, list):
            if literals.is_list(value):
                return value
        elif not isinstance(value, BaseModel):
            try:
                literals.fit(str(self.form), value, tuple(self.classes))
            except Misfit as misfit:
                if "where" not in str(misfit):
                    raise
            else:
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
        if isinstance(self.form, dict):
            return "a tuple, a dict or a model of its fields"
        return " or ".join(sorted(kind.__name__ for kind in self.classes)) or "a value"


class Encoder:
    """Turns values in the order of ``$1``, ``$2``, … into wire form on one connection."""

    __slots__ = ("_plan", "formats", "oids")

    def __init__(
        self, parameters: Sequence[Parameter], transformer: Transformer, *, text: bool = False
    ) -> None:
        dumpers = [parameter.dumper(transformer, text=text) for parameter in parameters]
        self._plan = [
            (parameter, parameter.classes, dump)
            for parameter, (dump, _) in zip(parameters, dumpers, strict=True)
        ]
        self.formats = [form for _, form in dumpers]
        self.oids = [parameter.oid for parameter in parameters]

    def encode(self, values: Sequence[object]) -> list[Any]:
        """Return the wire forms; `BadParameter`: a value does not fit."""
        wire: list[Any] = []
        if not values and not self._plan:
            return wire
        for (parameter, classes, dump), value in zip(self._plan, values, strict=True):
            if value is None:
                if not parameter.nullable:
                    raise parameter.no_null()
                wire.append(None)
                continue
            try:
                if type(value) not in classes:
                    value = parameter.adapt(value)
                wire.append(dump(value))
            except BadParameter:
                raise
            except Exception as error:
                raise BadParameter(
                    f"parameter `{parameter.name}` does not fit {parameter.pg_type}: {_why(error)}",
                    parameter.name,
                    cause="nothing was sent",
                    fix=f"pass {parameter.expected()} that {parameter.pg_type} takes",
                ) from None
        return wire


_JSON = {"json": literals.dump_json, "jsonb": literals.dump_jsonb}


@cache
def _builtin(pg_type: str | None) -> tuple[int, Form | None]:
    """Return OID (or 0) and form (or None) of a type's name."""
    if pg_type is None:
        return 0, None
    name = pg_type.partition("(")[0] + pg_type.rpartition(")")[2] if "(" in pg_type else pg_type
    base = name.rstrip("[]") if name.endswith("[]") else name
    info = adapters.types.get(base.strip())
    if info is None:
        return 0, None
    form: Form = literals.form_of(info.name)
    depth = (len(name) - len(base)) // 2
    for _ in range(depth):
        form = [form]
    return (info.array_oid if depth else info.oid), form


@cache
def _has_binary(base: str) -> bool:
    """Whether psycopg has a binary form of a built-in type, such as for the elements of a list."""
    info = adapters.types.get(base)
    try:
        adapters.get_dumper_by_oid(info.oid if info else 0, pq.Format.BINARY)
    except errors.ProgrammingError:
        return False
    return info is not None


def _moments(value: Any) -> Iterator[datetime]:
    """Yield the times with a zone that a value is, or holds."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            yield value
    elif isinstance(value, Range):
        yield from _moments([value.lower, value.upper])
    elif isinstance(value, (list, tuple, Multirange)):
        for one in value:
            yield from _moments(one)


def _by_value(value: Any, transformer: Transformer) -> Any:
    for moment in _moments(value):
        literals.fit("timestamptz", moment)
    try:
        return transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    except errors.ProgrammingError:  # psycopg knows no such class
        if type(value).__module__ in literals.OTHERS:
            raise
        return literals.text_of(value).encode()


def _dump_text(value: str) -> bytes:
    data = value.encode()
    if b"\0" in data:
        raise Misfit("a text cannot hold the character U+0000")
    return data


def _why(error: Exception) -> str:
    # Messages of dumpers name types and ranges; one that might quote the value is not shown.
    if isinstance(error, Misfit):
        return str(error)
    if isinstance(error, (OverflowError, StructError, errors.DataError)):
        return "out of range"
    if isinstance(error, UnicodeError):
        return "not a Unicode text"
    return "the value cannot be represented"
