"""Many rows as instances of a pydantic model at once: just what its validator would make. Pure.

A validator makes of each row an object, its dict and its set of fields, one after the other; that,
not the validation, takes its time. Here each is made for all rows at once, by functions in C.
What the loaders of the columns prove is not looked at again, NULLs aside; any other field is
validated as a column. Whatever is not plain, or does not fit, is left to the model's validator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from typing import Any
from uuid import UUID

from psycopg import postgres, pq
from psycopg.adapt import AdaptersMap
from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator, core_schema

Make = Callable[[list[tuple[Any, ...]]], list[Any]]
Dicts = Callable[[Any], list[dict[str, Any]]]
Alone = list[tuple[int, Callable[[Any], list[Any]]]]

_FEW = 8  # fewer rows cost more so
_NEW = object.__new__
# The slots of an instance; should pydantic have others some day, validators make everything.
_SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
_SET_DICT, _SET_FIELDS, _SET_EXTRA, _SET_PRIVATE = (
    BaseModel.__dict__[name].__set__ for name in _SLOTS
)
_LOADED: dict[type, str] = {
    bool: "bool",
    int: "int2 int4 int8 oid",
    float: "float4 float8",
    str: "text varchar bpchar name",
    bytes: "bytea",
    UUID: "uuid",
    Decimal: "numeric",
    date: "date",
    time: "time timetz",
    datetime: "timestamp timestamptz",
    timedelta: "interval",
}
_PSYCOPG = {"psycopg", "psycopg_binary", "psycopg_c"}
_BY_OID = {
    postgres.types[name].oid: kind for kind, names in _LOADED.items() for name in names.split()
}
# The core schemas that take an instance of just this class as it is.
_PLAIN = {"decimal" if kind is Decimal else kind.__name__.lower(): kind for kind in _LOADED}
_BESIDE = {"type", "ref", "metadata", "serialization", "microseconds_precision", "allow_inf_nan"}
_OF_A_FIELD = {"type", "schema", "metadata", "frozen", "serialization_exclude"}
_OF_FIELDS = {"type", "fields", "model_name", "computed_fields", "ref", "metadata"}
_OF_A_MODEL = {"type", "cls", "schema", "config", "ref", "metadata", "serialization", "frozen",
               "custom_init", "root_model", "generic_origin"}  # fmt: skip
_OF_A_CONFIG = {"title", "hide_input_in_errors", "allow_inf_nan", "ser_json_bytes",
                "ser_json_inf_nan", "ser_json_temporal", "ser_json_timedelta", "val_json_bytes",
                "extra_fields_behavior"}  # fmt: skip
# What may stand in the schema of a field that is validated alone, and where others stand in it.
_ALONE = {*_PLAIN, "any", "nullable", "list", "dict", "literal", "enum", "is-instance", "none"}
_WHOLE = {"model", "dataclass", "typed-dict"}
_INNER = ("schema", "items_schema", "keys_schema", "values_schema")


def loaded(adapters: AdaptersMap, oid: int) -> type | None:
    """Return the only class that values of a type are loaded as; None: there may be others."""
    loaders = [adapters.get_loader(oid, form) for form in (pq.Format.TEXT, pq.Format.BINARY)]
    theirs = all(one is None or one.__module__.split(".")[0] in _PSYCOPG for one in loaders)
    return _BY_OID.get(oid) if theirs else None


def instances(
    row: type[BaseModel], names: tuple[str, ...], types: tuple[type | None, ...], slow: Make
) -> Make:
    """Return what makes instances of a model; a type is the only class of a column's values."""
    plan = _plan(row, names, types)
    return _make(row, *plan, slow) if plan else slow


@lru_cache(maxsize=256)
def _plan(
    row: type[BaseModel], names: tuple[str, ...], types: tuple[type | None, ...]
) -> tuple[Dicts, Alone] | None:
    """Return what makes the dicts, and what validates a column; None: only all of it can."""
    fields = _fields(row)
    if fields is None or fields.keys() != set(names):
        return None
    config: Any = row.__pydantic_core_schema__.get("config", {})
    present: list[int] = []
    alone: Alone = []
    for index, name in enumerate(names):
        schema = fields[name]
        optional = schema["type"] == "nullable"
        bare = schema["schema"] if optional else schema
        kind = types[index]
        if bare["type"] == "any":
            continue
        if kind is not None and _PLAIN.get(bare["type"]) is kind and _is_bare(bare, config):
            present += [] if optional else [index]
        elif _is_alone(schema):
            validator = SchemaValidator(core_schema.list_schema(schema), config)
            alone.append((index, validator.validate_python))
        else:
            return None
    order = tuple(map(names.index, fields))
    return _dicts(order, tuple(present))(*fields), alone


def _fields(row: type[BaseModel]) -> Mapping[str, Any] | None:
    """Return the schemas of a model's fields, if nothing but them makes an instance."""
    schema: Any = row.__pydantic_core_schema__
    if (
        BaseModel.__slots__ != _SLOTS
        or type(row.__pydantic_validator__) is not SchemaValidator
        or row.__new__ is not _NEW
        or getattr(row, "__abstractmethods__", None)
        or not isinstance(schema, dict)
        or schema["type"] != "model"
        or not schema.keys() <= _OF_A_MODEL
        or schema.get("custom_init")
        or schema.get("root_model")
    ):
        return None
    inner, config = schema["schema"], schema.get("config", {})
    if (
        inner["type"] != "model-fields"
        or not inner.keys() <= _OF_FIELDS
        or not config.keys() <= _OF_A_CONFIG
        or config.get("extra_fields_behavior") == "allow"
        or not all(field.keys() <= _OF_A_FIELD for field in inner["fields"].values())
    ):
        return None
    return {name: field["schema"] for name, field in inner["fields"].items()}


def _is_bare(schema: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether every instance of the class is taken: there are no bounds, no patterns."""
    numbers = config.get("allow_inf_nan", schema["type"] != "decimal")  # pydantic's default
    endless = schema.get("allow_inf_nan", numbers) or schema["type"] not in ("decimal", "float")
    return bool(endless) and schema.keys() <= _BESIDE


def _is_alone(schema: Mapping[str, Any]) -> bool:
    """Whether nothing in a schema can look at the row's other values."""
    if schema["type"] in _ALONE:
        return all(_is_alone(schema[key]) for key in _INNER if key in schema)
    return schema["type"] in _WHOLE


@lru_cache(maxsize=256)
def _dicts(order: tuple[int, ...], present: tuple[int, ...]) -> Callable[..., Dicts]:
    """Return what makes dicts of rows, by the column of each key; it leaves out those with NULL."""
    keys = "".join(f"k{index}, " for index in order)
    values = "".join(f"v{index}, " for index in range(len(order)))
    pairs = ", ".join(f"k{index}: v{index}" for index in order)
    those = " and ".join(f"v{index} is not None" for index in present) or "True"
    text = f"lambda {keys}: lambda rows: [{{{pairs}}} for ({values}) in rows if {those}]"
    return eval(text, {})  # type: ignore[no-any-return]  # it holds numbers alone


def _make(row: type[BaseModel], dicts: Dicts, alone: Alone, slow: Make) -> Make:
    names = set(row.model_fields)

    def make(rows: list[tuple[Any, ...]]) -> list[Any]:
        count = len(rows)
        if count < _FEW:
            return slow(rows)
        values: Any = rows
        if alone:
            columns: list[Any] = list(zip(*rows, strict=True))
            try:
                for index, validate in alone:
                    columns[index] = validate(columns[index])
            except ValidationError:
                return slow(rows)  # which says what is wrong, and in which row
            values = zip(*columns, strict=True)
        made = dicts(values)
        if len(made) != count:
            return slow(rows)
        found = list(map(_NEW, repeat(row, count)))
        for put, each in (
            (_SET_DICT, made),
            (_SET_FIELDS, map(set.copy, repeat(names, count))),
            (_SET_EXTRA, repeat(None)),
            (_SET_PRIVATE, repeat(None)),
        ):
            deque(map(put, found, each), maxlen=0)
        return found

    return make
