"""Rows of a result as validated pydantic models, dataclasses or bare values. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import pq
from psycopg.abc import Transformer
from pydantic import BaseModel, ValidationError

from todo_sql.database.errors import BadRow

Make = Callable[[Sequence[Any]], Any]


def maker(row: Any, names: Sequence[str]) -> Make:
    """Return the function that makes one row object of a row's values.

    Args:
        row: A pydantic model, a dataclass, or the type of a single column.
        names: The columns of the result.
    """
    is_model = isinstance(row, type) and issubclass(row, BaseModel)
    if is_model and not (len(names) == 1 and names[0] not in row.model_fields):
        validate = row.__pydantic_validator__.validate_python

        def make_model(values: Sequence[Any]) -> Any:
            return validate(dict(zip(names, values)))  # noqa: B905 (one of each, by protocol)

        return make_model
    if isinstance(row, type) and dataclasses.is_dataclass(row):
        fields = [field.name for field in dataclasses.fields(row) if field.init]
        if fields == list(names):
            return lambda values: row(*values)
        return lambda values: row(**dict(zip(names, values, strict=True)))
    if len(names) == 1:
        if is_model:
            validate = row.__pydantic_validator__.validate_python
            return lambda values: validate(values[0])
        return _first
    if row is None or row is dict:
        return lambda values: dict(zip(names, values, strict=True))
    return tuple


def _first(values: Sequence[Any]) -> Any:
    return values[0]


def load(result: pq.abc.PGresult, transformer: Transformer, make: Make, label: str) -> list[Any]:
    """Return every row of a result.

    Raises:
        BadRow: A row does not fit the model.
    """
    transformer.set_pgresult(result)
    try:
        return transformer.load_rows(0, result.ntuples, make)
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
