"""Rows of a result as validated pydantic models, dataclasses or bare values. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, get_origin

import psycopg
from psycopg import pq
from psycopg.abc import Transformer
from pydantic import BaseModel, ValidationError

from todo_sql.database.errors import BadRow

Make = Callable[[list[tuple[Any, ...]]], list[Any]]


def maker(row: Any, names: Sequence[str]) -> Make:
    """Return the function that makes row objects of tuples.

    Args:
        row: A pydantic model, a dataclass, or the type of a single column.
        names: The columns of the result.
    """
    is_model = isinstance(row, type) and issubclass(row, BaseModel)
    if is_model and not (len(names) == 1 and names[0] not in row.model_fields):
        return _models(row, names)
    if isinstance(row, type) and dataclasses.is_dataclass(row):
        return _dataclasses(row, names)
    if len(names) == 1 and is_model:
        validate = row.__pydantic_validator__.validate_python
        return lambda rows: [validate(value) for (value,) in rows]
    if row is None or row is dict or get_origin(row) is dict:
        return lambda rows: [dict(zip(names, values, strict=True)) for values in rows]
    if len(names) == 1:
        return lambda rows: [value for (value,) in rows]
    return lambda rows: rows


def _models(row: type[BaseModel], names: Sequence[str]) -> Make:
    validate = row.__pydantic_validator__.validate_python

    def make(rows: list[tuple[Any, ...]]) -> list[Any]:
        # One comprehension: a function call per row would cost a tenth of the whole.
        return [validate(dict(zip(names, values))) for values in rows]  # noqa: B905

    return make


def _dataclasses(row: Any, names: Sequence[str]) -> Make:
    fields = [field.name for field in dataclasses.fields(row) if field.init]
    if fields == list(names):
        return lambda rows: [row(*values) for values in rows]
    return lambda rows: [row(**dict(zip(names, values, strict=True))) for values in rows]


def load(result: pq.abc.PGresult, transformer: Transformer, make: Make, label: str) -> list[Any]:
    """Return every row of a result.

    Raises:
        BadRow: Python cannot hold a value, or a row does not fit the model.
    """
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
    column = next(
        (
            name
            for index, name in enumerate(column_names(result))
            if not _is_readable(result, transformer, index)
        ),
        "?",
    )
    reason = str(error).partition(": ")[0]  # what follows quotes the value
    return BadRow(
        f"column `{column}` of a row of `{label}` holds a value that Python cannot",
        cause=f"{reason}; another client wrote it",
        fix=f"correct the value, or leave it out: where isfinite({column}), {column}::text",
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
    """Return row objects of tuples.

    Raises:
        BadRow: A row does not fit the model.
    """
    try:
        return make(tuples)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc']) or 'row'}: {entry['msg']}"
            for entry in error.errors(include_input=False, include_url=False)
        )
        raise BadRow(
            f"a row of `{label}` does not fit {error.title}",
            cause=problems,
            fix="generate the package again, or correct the model or the row",
        ) from None


def column_names(result: pq.abc.PGresult) -> tuple[str, ...]:
    """Return the names of a result's columns."""
    return tuple((result.fname(index) or b"").decode() for index in range(result.nfields))
