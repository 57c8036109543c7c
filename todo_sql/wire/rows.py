"""Rows of a result as validated pydantic models, dataclasses or bare values. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_origin, is_typeddict

import psycopg
from psycopg import pq
from psycopg.abc import Transformer
from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from todo_sql.wire.call_errors import BadRow
from todo_sql.wire.instances import Make, instances

_DATES = frozenset({1082, 1114, 1184})  # date, timestamp, timestamptz: infinite, or far away


class CheckedType:
    """A type that a caller named, or the configuration: every value is held against it.

    What the compiler named needs none of this, since it proved the types. One that is `single` is
    always that of a single column, never of a whole row.
    """

    def __init__(self, row: Any, *, single: bool = False) -> None:
        try:
            adapter = TypeAdapter(row, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError:  # a type that has a configuration of its own
            adapter = TypeAdapter(row)
        kind = get_origin(row) or row
        self.row = kind
        self.validate = adapter.validator.validate_python
        self.takes_mapping = not single and (dataclasses.is_dataclass(kind) or is_typeddict(kind))
        self.takes_tuple = not single and isinstance(kind, type) and issubclass(kind, tuple)


@dataclasses.dataclass(eq=False)
class NestedRow:
    """A row some of whose columns make objects in it.

    Args:
        nested: The dotted names of those objects, each with the column that is NULL just
            where there is none.
    """

    row: Any
    nested: Mapping[str, str | None]


@lru_cache(maxsize=256)
def checked(row: Any) -> Any:
    """Return what makes `maker` validate rows of this type; models and ``dict`` as they are."""
    is_model = isinstance(row, type) and issubclass(row, BaseModel)
    return row if is_model or _is_dict(row) else CheckedType(row)


def _is_dict(row: Any) -> bool:
    return row is None or row is dict or get_origin(row) is dict


def maker(row: Any, names: Sequence[str], types: Sequence[type | None] = ()) -> Make:
    """Return the function that makes row objects of tuples."""
    if isinstance(row, CheckedType):
        return _checked(row, names)
    if isinstance(row, NestedRow):
        return _nested(row, names)
    if row is not tuple and len(names) > 1:
        _distinct(names)
    is_model = isinstance(row, type) and issubclass(row, BaseModel)
    if is_model and not (len(names) == 1 and names[0] not in row.model_fields):
        slow = _mapper(len(names))(row.__pydantic_validator__.validate_python, *names)
        return instances(row, tuple(names), tuple(types), slow) if types else slow
    if isinstance(row, type) and dataclasses.is_dataclass(row):
        return _dataclasses(row, names)
    if len(names) == 1 and is_model:
        validate = row.__pydantic_validator__.validate_python
        return lambda rows: [validate(value) for (value,) in rows]
    if row is type(None) and len(names) == 1:
        return lambda rows: [None for _ in rows]
    if _is_dict(row):
        return lambda rows: [dict(zip(names, values, strict=True)) for values in rows]
    if len(names) == 1:
        return lambda rows: [value for (value,) in rows]
    return lambda rows: rows


def _distinct(names: Sequence[str]) -> None:
    """Refuse two columns of one name, of which a row could keep one only."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRow(
            f"the result has two columns named `{twice}`",
            cause="each field of a row has a name of its own; the statement itself was done",
            fix=f"name one of them otherwise: `… as other_{twice}`",
        )


def _checked(row: CheckedType, names: Sequence[str]) -> Make:
    validate = row.validate
    if row.takes_mapping:
        _distinct(names)
        return lambda rows: [validate(dict(zip(names, values, strict=True))) for values in rows]
    if len(names) == 1 and not row.takes_tuple:
        return lambda rows: [validate(value) for (value,) in rows]
    return lambda rows: [validate(values) for values in rows]


@lru_cache(maxsize=256)
def _mapper(width: int) -> Callable[..., Make]:
    """Return what makes a `Make` of a function of mappings, and the names of that many columns.

    A row is written out by number, as ``{k0: v0, k1: v1}``: a tenth of a call with many rows
    faster than ``dict(zip(names, values))``. The text holds numbers alone, and no name.
    """
    keys = "".join(f", k{number}" for number in range(width))
    values = "".join(f"v{number}, " for number in range(width))
    pairs = ", ".join(f"k{number}: v{number}" for number in range(width))
    text = f"lambda use{keys}: lambda rows: [use({{{pairs}}}) for ({values}) in rows]"
    mapper: Callable[..., Make] = eval(text, {})
    return mapper


def _nested(row: NestedRow, names: Sequence[str]) -> Make:
    _distinct(names)
    build = _builder(names, row.nested)
    made = checked(row.row)
    if _is_dict(made):
        return lambda rows: list(map(build, rows))
    checks = isinstance(made, CheckedType)
    validate = made.validate if checks else made.__pydantic_validator__.validate_python
    return lambda rows: [validate(build(values)) for values in rows]


def _builder(
    names: Sequence[str], nested: Mapping[str, str | None], path: str = ""
) -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """Return what makes the dict of a row, or of what lies nested in it under a dotted name."""
    outer = f"{path}." if path else ""
    fields = [
        (name.removeprefix(outer), index)
        for index, name in enumerate(names)
        if name.rpartition(".")[0] == path
    ]
    inner = [
        (one.removeprefix(outer), None if null is None else names.index(null),
         _builder(names, nested, one))
        for one, null in nested.items()
        if one.rpartition(".")[0] == path
    ]  # fmt: skip

    def build(values: tuple[Any, ...]) -> dict[str, Any]:
        made = {name: values[index] for name, index in fields}
        for name, null, below in inner:
            made[name] = None if null is not None and values[null] is None else below(values)
        return made

    return build


def _dataclasses(row: Any, names: Sequence[str]) -> Make:
    fields = [field.name for field in dataclasses.fields(row) if field.init]
    if fields == list(names):
        return lambda rows: [row(*values) for values in rows]
    return lambda rows: [row(**dict(zip(names, values, strict=True))) for values in rows]


def load(result: pq.abc.PGresult, transformer: Transformer, make: Make, label: str) -> list[Any]:
    """Return every row of a result; `BadRow`: Python cannot hold a value, or it does not fit."""
    transformer.set_pgresult(result)
    try:
        tuples = transformer.load_rows(0, result.ntuples, tuple)
    except (psycopg.Error, ValueError, OverflowError) as error:
        raise _unreadable(result, transformer, label, error) from None
    return make_rows(make, tuples, label)


def _unreadable(
    result: pq.abc.PGresult, transformer: Transformer, label: str, error: Exception
) -> BadRow:
    """Return the error for a value that no loader takes, such as the timestamp ``infinity``."""
    columns = enumerate(column_names(result))
    unreadable = (one for one in columns if not _is_readable(result, transformer, one[0]))
    index, column = next(unreadable, (0, "?"))
    reason = str(error).partition(": ")[0]  # what follows quotes the value
    leave_out = ""
    if result.nfields and result.ftype(index) in _DATES:
        leave_out = f", or leave it out: where {column} between '0001-01-02' and '9999-12-30'"
    return BadRow(
        f"column `{column}` of a row of `{label}` holds a value that Python cannot represent",
        cause=f"{reason}; another client wrote it",
        fix=f"correct the value, or read it as a text: {column}::text{leave_out}",
    )


def _is_readable(result: pq.abc.PGresult, transformer: Transformer, index: int) -> bool:
    loader = transformer.get_loader(result.ftype(index), pq.Format(result.fformat(index)))
    values = (result.get_value(row, index) for row in range(result.ntuples))
    try:
        for value in values:
            if value is not None:
                loader.load(value)
    except (psycopg.Error, ValueError, OverflowError):
        return False
    return True


def make_rows(make: Make, tuples: list[tuple[Any, ...]], label: str) -> list[Any]:
    """Return row objects of tuples; `BadRow`: one does not fit the model."""
    try:
        return make(tuples)
    except ValidationError as error:
        entries = error.errors(include_input=False, include_url=False)
        places = [(".".join(map(str, entry["loc"])) or "row", entry["msg"]) for entry in entries]
        problems = "; ".join(f"{place}: {message}" for place, message in places)
        where = entries[0]["loc"]
        key = f"{label.rpartition(':')[2]}.{where[0] if where else 'COLUMN'}"
        raise BadRow(
            f"a row of `{label}` does not fit {error.title}",
            cause=problems,
            fix="generate the package again, or correct the row; a type of your own, such as "
            f'"list[int | None]", goes under [tool.todo-sql.types] as "{key}"',
        ) from None


def column_names(result: pq.abc.PGresult) -> tuple[str, ...]:
    """Return the names of a result's columns."""
    return tuple((result.fname(index) or b"").decode() for index in range(result.nfields))
