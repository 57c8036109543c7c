"""Rows of a result as validated pydantic models, dataclasses or bare values. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, get_origin

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
    """Return every row of a result."""
    transformer.set_pgresult(result)
    return make_rows(make, transformer.load_rows(0, result.ntuples, tuple), label)


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
