"""Values of parameters written as text: ``key=value`` on the command line. Pure."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from todo_sql.compiler.described import Described, DescribedParameter
from todo_sql.compiler.python_types import PythonType
from todo_sql.errors import UsageError
from todo_sql.queries.mistakes import did_you_mean


def parse_arguments(entry: Described, words: list[str]) -> dict[str, Any]:
    """Return the arguments of a call from ``key=value`` words, typed as described.

    ``null`` means NULL where a parameter accepts it; lists and objects are JSON.

    Raises:
        UsageError: A word has no ``=``, a name is unknown or doubled, a value doesn't fit,
            or a parameter without default is missing.
    """
    parameters = {parameter.name: parameter for parameter in entry.parameters}
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"`{word}` is not of the form key=value", fix="write name=value")
        if name not in parameters:
            fix = did_you_mean(name, parameters, f"it takes {', '.join(parameters) or 'none'}")
            raise UsageError(f"query `{entry.query.name}` has no parameter `{name}`", fix=fix)
        if name in arguments:
            raise UsageError(f"`{name}` is given twice", fix="give it once")
        arguments[name] = parse_value(parameters[name], value)
    needed = [one.name for one in entry.parameters if not one.may_be_left_out]
    missing = [name for name in needed if name not in arguments]
    if missing:
        shown = " and ".join(f"`{name}`" for name in missing)
        fix = f"add {' '.join(f'{name}=…' for name in missing)}"
        raise UsageError(f"query `{entry.query.name}` needs {shown}", fix=fix)
    return {**defaults(entry), **arguments}


def defaults(entry: Described) -> dict[str, Any]:
    """Return the values that parameters have when a call leaves them out."""
    given = [one for one in entry.parameters if one.default is not None]
    return {one.name: resolve(one.default_value) for one in given}


def parse_value(parameter: DescribedParameter, text: str) -> Any:
    """Return the value of one parameter.

    Raises:
        UsageError: The text is no value of the parameter's type.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    if text == "null" and parameter.nullable:
        return None
    expected = resolve(parameter.python)
    if expected is Any:
        return _json(parameter, text)
    try:
        is_json = parameter.python.text.startswith(("list[", "tuple["))
        value = _json(parameter, text) if is_json or isinstance(parameter.form, dict) else text
        if expected is bytes:
            return bytes.fromhex(text.removeprefix("\\x"))
        config = ConfigDict(arbitrary_types_allowed=True)
        plain = parameter.python.imports and isinstance(expected, type)
        adapter = TypeAdapter(expected) if plain else TypeAdapter(expected, config=config)
        return adapter.validate_python(value)
    except (ValidationError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        message = f"parameter `{parameter.name}` takes {parameter.python.text}, not {text!r}"
        fix = f"its type in PostgreSQL is {parameter.pg_type or 'a choice of lines'}"
        raise UsageError(message, cause=reason, fix=fix) from None


def resolve(python: PythonType) -> Any:
    """Return the type that an annotation stands for."""
    names = {name: getattr(import_module(module), name) for module, name in python.imports}
    return eval(python.text, names)  # written by us from catalog and configuration


def _json(parameter: DescribedParameter, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        message = f"parameter `{parameter.name}` takes JSON, not {text!r}"
        fix = """quote it for the shell, as in 'ids=[1, 2]' or 'data={"a": 1}'"""
        raise UsageError(message, cause=str(error), fix=fix) from None
