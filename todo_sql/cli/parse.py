"""The words after a verb, made into the arguments of its function."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from todo_sql.cli.declare import REQUIRED, Parameter
from todo_sql.errors import UsageError

HELP = ("--help", "-h")


def parse(parameters: Sequence[Parameter], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the arguments, or None when help is asked for.

    Options stand anywhere, as ``--name value`` or ``--name=value``; after a ``--`` every
    word is an argument.

    Raises:
        UsageError: An unknown option, a missing or surplus word, a value that does not fit.
    """
    options = {parameter.option: parameter for parameter in parameters if parameter.option}
    found: dict[str, Any] = {}
    positional: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            positional += remaining
        elif word in HELP:
            return None
        elif word.startswith("-") and len(word) > 1 and not _is_number(word):
            name, equals, value = word.partition("=")
            if name not in options:
                raise _unknown(name, list(options))
            _take(found, options[name], value if equals else None, remaining)
        else:
            positional.append(word)
    _place(found, [p for p in parameters if not p.option], positional)
    for parameter in parameters:
        if parameter.name not in found:
            if parameter.default is REQUIRED:
                raise _missing(parameter)
            found[parameter.name] = parameter.default
    return found


def _take(found: dict[str, Any], parameter: Parameter, value: str | None, rest: Any) -> None:
    if parameter.flag:
        if value is not None:
            raise UsageError(f"option {parameter.option} takes no value")
        found[parameter.name] = True
        return
    if value is None:
        value = next(rest, None)
    if value is None:
        raise UsageError(
            f"option {parameter.option} needs a value",
            fix=f"write it as {parameter.option} {parameter.metavar}",
        )
    _add(found, parameter, value)


def _place(found: dict[str, Any], arguments: list[Parameter], words: list[str]) -> None:
    for index, word in enumerate(words):
        if index < len(arguments):
            _add(found, arguments[index], word)
        elif arguments and arguments[-1].many:
            _add(found, arguments[-1], word)
        else:
            raise UsageError(f"unexpected argument `{word}`")


def _add(found: dict[str, Any], parameter: Parameter, word: str) -> None:
    value = parameter.convert(word)
    if parameter.many:
        found.setdefault(parameter.name, []).append(value)
    else:
        found[parameter.name] = value


def _is_number(word: str) -> bool:
    return word.lstrip("-")[:1].isdigit()


def _unknown(name: str, options: list[str]) -> UsageError:
    close = get_close_matches(name, options, n=1)
    return UsageError(f"unknown option {name}", fix=f"did you mean {close[0]}?" if close else None)


def _missing(parameter: Parameter) -> UsageError:
    if parameter.option:
        return UsageError(f"option {parameter.option} is missing")
    fix = f"use one of {', '.join(parameter.choices)}" if parameter.choices else None
    return UsageError(f"argument {parameter.metavar} is missing", fix=fix)
