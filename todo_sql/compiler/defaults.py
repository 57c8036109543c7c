"""Defaults of headers: constants of their parameters' types, as PostgreSQL reads them."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import psycopg
from psycopg import Connection, sql
from psycopg.adapt import Transformer
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from todo_sql.compiler.described import Described, DescribedParameter
from todo_sql.compiler.python_types import ANY, PythonType, members, quoted
from todo_sql.compiler.values import resolve
from todo_sql.errors import Finding
from todo_sql.queries.named import ParameterDirective
from todo_sql.wire.call_errors import BadParameter
from todo_sql.wire.loaders import Form, transformer_for
from todo_sql.wire.parameters import Encoder, Parameter

_MOMENTS = re.compile(r"\b(?:now|today|tomorrow|yesterday)\b", re.IGNORECASE)
# By these names alone, SQL means types of one character.
_UNSIZED = {"bit": 'pg_catalog."bit"', "character": "pg_catalog.bpchar"}
# A constant means the same whatever a session has set.
_SETTINGS = ("UTC", "ISO, MDY"), ("Etc/GMT+11", "ISO, DMY")
_UNREADABLE = (psycopg.Error, ValueError, OverflowError)


class _Wrong(Exception):
    """A constant is none of its type; says why."""


class Defaults:
    """Types the defaults of queries.

    Args:
        connection: To the migrated database; nothing else may be under way on it.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Any] = {}

    def typed(self, entry: Described, findings: list[Finding]) -> Described:
        """Return the query with defaults as values of its parameters' types.

        What PostgreSQL refuses as a constant of the type is added to `findings`.
        """
        parameters = []
        for one in entry.parameters:
            directive = entry.query.parameters.get(one.name)
            if directive and directive.literal and one.pg_type and one.default != "None":
                try:
                    one = self._parameter(one, directive)
                except _Wrong as error:
                    findings.append(_refused(one, directive, str(error)))
            parameters.append(one)
        return replace(entry, parameters=tuple(parameters))

    def _parameter(
        self, parameter: DescribedParameter, directive: ParameterDirective
    ) -> DescribedParameter:
        text = _text(directive.literal or "")
        value = self._constant(parameter, text)
        _hold(parameter, value)
        given = ast.literal_eval(directive.default or "None")
        if type(given) is type(value) and given == value and not parameter.python.enums:
            return parameter
        is_open = parameter.python.text == ANY.text or parameter.python.mapped
        if not is_open:
            value = _shaped(value, parameter.form)
        python = source(value, lists=is_open, enums=parameter.python.enums)
        return replace(parameter, default=python.text, default_imports=python.imports)

    def _constant(self, parameter: DescribedParameter, text: str) -> Any:
        key = str(parameter.pg_type), text
        if key not in self._known:
            self._known[key] = self._read(parameter, text)
        return self._known[key]

    def _read(self, parameter: DescribedParameter, text: str) -> Any:
        known = Parameter(parameter.name, parameter.pg_type, form=parameter.form)
        base = str(parameter.pg_type).partition("[")[0]
        pg_type = _UNSIZED.get(base, base) + str(parameter.pg_type)[len(base) :]
        if _MOMENTS.search(text) and _has_moments(known.form):
            raise _Wrong("it names a moment of its own at each call, and a default is a constant")
        constant = sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(pg_type))
        (value, shown), (other, _) = (
            self._reading(constant, parameter.form, *one) for one in _SETTINGS
        )
        if value != other and repr(value) != repr(other):  # NaN equals nothing
            raise _Wrong("what it means depends on settings of the session, such as its time zone")
        try:
            encoder = Encoder([known], Transformer(self._connection), text=True)
            (wire,) = encoder.encode([value])
        except BadParameter as error:
            raise _Wrong(f"Python cannot give it back: {error.finding.message}") from None
        back = wire.decode() if isinstance(wire, bytes) else wire
        again = sql.SQL("{}::{}").format(sql.Literal(back), sql.SQL(pg_type))
        if self._reading(again, None, *_SETTINGS[0], load=False)[1] != shown:
            raise _Wrong("Python has no value that is the same")
        return value

    def _reading(
        self, constant: sql.Composed, form: Form | None, zone: str, dates: str, *, load: bool = True
    ) -> tuple[Any, str]:
        """Return the value of a constant under these settings, and its text."""
        with self._connection.transaction(force_rollback=True):
            self._connection.execute(
                "select pg_catalog.set_config('TimeZone', %s, true),"
                " pg_catalog.set_config('DateStyle', %s, true),"
                " pg_catalog.set_config('IntervalStyle', 'postgres', true)",
                [zone, dates],
            )
            try:
                text = sql.SQL("select {0}, ({0})::pg_catalog.text").format(constant)
                cursor = self._connection.execute(text)
            except psycopg.Error as error:
                raise _Wrong(error.diag.message_primary or str(error)) from None
            result = cursor.pgresult
            assert result is not None
            known = Transformer(self._connection)
            transformer = known
            if form is not None and (not isinstance(form, str) or " " in form):
                transformer = transformer_for(known, {result.ftype(0): form})
            transformer.set_pgresult(result)
            shown = (result.get_value(0, 1) or b"").decode()
            if not load:
                return None, shown
            try:
                value = transformer.load_rows(0, 1, tuple)[0][0]
            except _UNREADABLE:
                raise _Wrong("Python cannot represent it") from None
            return value, shown


def _text(literal: str) -> str:
    """Return a constant of SQL as text that its type reads."""
    is_text = literal.startswith("'")
    return literal[1:-1].replace("''", "'") if is_text else literal.replace("_", "")


def _has_moments(form: Form | None) -> bool:
    if isinstance(form, list | dict):
        return any(map(_has_moments, form if isinstance(form, list) else form.values()))
    return bool(form) and str(form).startswith(("date", "time"))


def _hold(parameter: DescribedParameter, value: object) -> None:
    """Hold a default against what the query takes: one of some values, bounds, no NULL inside.

    Raises:
        _Wrong: It is none of them.
    """
    if parameter.python.mapped or parameter.python.enums:
        return  # the labels of an enum are PostgreSQL's to know
    kind: Any = None
    if "Literal[" in parameter.python.text or parameter.python.text.startswith("list["):
        kind = resolve(parameter.python)
    elif parameter.target and (bounds := parameter.target.constraint.arguments()):
        kind = Annotated[type(value), Field(**bounds)]  # type: ignore[call-overload]
    if kind is None:
        return
    try:
        TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        raise _Wrong(error.errors(include_url=False)[0]["msg"]) from None


def _refused(parameter: DescribedParameter, directive: ParameterDirective, why: str) -> Finding:
    message = f"`{directive.literal}` is no default for `{parameter.name}`: {why}"
    place = directive.default_place or directive.place
    cause = f"it is a constant of {parameter.pg_type}, the parameter's type"
    fix = "write a constant that PostgreSQL reads as that type, such as 5, 'text', '{a,b}' or "
    fix += "'2026-01-31 12:00+00'"
    return Finding("C128", "error", message, place, cause, fix)


def _shaped(value: Any, form: Form | None) -> Any:
    """Return a value with the fields of composites as tuples, as parameters take them."""
    if isinstance(form, dict) and isinstance(value, Mapping):
        return tuple([_shaped(value[name], one) for name, one in form.items()])
    if isinstance(form, list) and isinstance(value, list):
        return [_shaped(one, form[0]) for one in value]
    return value


def source(
    value: object,
    *,
    lists: bool = False,
    enums: Iterable[tuple[str, str, tuple[str, ...]]] = (),
) -> PythonType:
    """Return a value as Python source with the imports that it needs.

    Args:
        lists: Whether a list is written as one; else it is a tuple, which none can change.
        enums: The classes whose labels a text may be.
    """
    imports: set[tuple[str, str]] = set()
    classes = list(enums)
    if len(classes) == 1:
        ((kind, _, labels),) = classes
        named = {label: f"{kind}.{one}" for label, one in members(labels).items()}
        value = _with_members(value, named)
        imports.add((".models", kind))

    def name(module: str, name: str) -> str:
        imports.add((module, name))
        return name

    return PythonType(_source(value, name, lists=lists), frozenset(imports))


class _Verbatim(str):
    """Python source."""


def _with_members(value: Any, named: Mapping[str, str]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)([_with_members(one, named) for one in value])
    return _Verbatim(named[value]) if isinstance(value, str) and value in named else value


def _clock(value: dt.datetime | dt.time, least: int) -> list[str]:
    """Return hour, minute, … without zeros at the end, but for so many."""
    parts = [value.hour, value.minute, value.second, value.microsecond]
    while len(parts) > least and not parts[-1]:
        parts.pop()
    return list(map(str, parts))


def _source(value: Any, name: Callable[[str, str], str], *, lists: bool) -> str:
    def inner(one: object) -> str:
        return _source(one, name, lists=lists)

    def call(*arguments: str) -> str:
        return f"{name(type(value).__module__, type(value).__name__)}({', '.join(arguments)})"

    match value:
        case None | bool() | int() | bytes():
            return repr(value)
        case _Verbatim():
            return str(value)
        case str():
            return quoted(value)
        case float():
            return repr(value) if value - value == 0 else f'float("{value}")'
        case dt.datetime():
            zone = [f"tzinfo={name('datetime', 'UTC')}"] if value.tzinfo else []
            day = (value.year, value.month, value.day)
            return call(*map(str, day), *_clock(value, 0), *zone)
        case dt.date():
            return call(str(value.year), str(value.month), str(value.day))
        case dt.time():
            zone = []
            if (offset := value.utcoffset()) is not None:
                zone = [f"tzinfo={name('datetime', 'timezone')}({inner(offset)})"]
            return call(*_clock(value, 1), *zone)
        case dt.timedelta():
            fields = {one: getattr(value, one) for one in ("days", "seconds", "microseconds")}
            return call(*(f"{one}={number}" for one, number in fields.items() if number))
        case Range() if value.isempty:
            return call("empty=True")
        case Range():
            return call(inner(value.lower), inner(value.upper), quoted(value.bounds))
        case Multirange():
            return call(f"[{', '.join(map(inner, value))}]")
        case Mapping():
            return f"{{{', '.join(f'{inner(key)}: {inner(one)}' for key, one in value.items())}}}"
        case list() | tuple():
            items = ", ".join(map(inner, value))
            if lists and isinstance(value, list):
                return f"[{items}]"
            return f"({items},)" if len(value) == 1 else f"({items})"
    return call(quoted(str(value)))  # Decimal, UUID, an address
