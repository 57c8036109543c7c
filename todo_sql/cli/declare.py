"""How a verb declares what it takes: its signature, with `Option` and `Argument`.

    def command(
        context: Context,
        name: Annotated[str, Argument(metavar="NAME", help="Of the query.")],
        values: Annotated[list[str] | None, Argument(metavar="KEY=VALUE")] = None,
        to: Annotated[str | None, Option(metavar="ID", help="Apply up to this one.")] = None,
        dry_run: Annotated[bool, Option(help="Show the SQL only.")] = False,      # --dry-run
    ) -> ExitCode | None:

A parameter may be of the types str, int, float, bool (a flag), Path, an enum of strings,
a Literal of strings, or a list of one of these (repeated). It is required if it has no
default.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from todo_sql.errors import UsageError

REQUIRED: Any = object()

Completion = Callable[[Any], list[str]]


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter that is given by name.

    Attributes:
        name: Default: the parameter's, with dashes.
        help: A line on what it does.
        metavar: What its value is called in the help.
        min: The least number that is allowed.
        max: The greatest number that is allowed.
        complete: Returns the values that the shell may offer, from the `Context`.
    """

    name: str | None = None
    help: str = ""
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    complete: Completion | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter that is given by its position; a list takes all that are left.

    Attributes:
        help: A line on what it is.
        metavar: What it is called in the help; default: the parameter's name, in capitals.
        complete: Returns the values that the shell may offer, from the `Context`.
    """

    help: str = ""
    metavar: str | None = None
    complete: Completion | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb, read from its signature.

    Attributes:
        name: In Python.
        declared: How it is given.
        type: Of one value.
        many: Whether it is a list of values.
        default: `REQUIRED` if it has none.
    """

    name: str
    declared: Option | Argument
    type: Any
    many: bool
    default: Any

    @property
    def flag(self) -> bool:
        """Whether it is an option without a value."""
        return self.type is bool

    @property
    def option(self) -> str | None:
        """The name on the command line, with dashes, or None for an argument."""
        if isinstance(self.declared, Argument):
            return None
        return self.declared.name or "--" + self.name.replace("_", "-")

    @property
    def metavar(self) -> str:
        """What its value is called."""
        return self.declared.metavar or ("|".join(self.choices) or self.name.upper())

    @property
    def choices(self) -> list[str]:
        """The values that it is limited to, if it is."""
        if get_origin(self.type) is Literal:
            return [str(value) for value in get_args(self.type)]
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return [str(member.value) for member in self.type]
        return []

    def convert(self, word: str) -> Any:
        """Turn a word of the command line into a value.

        Raises:
            UsageError: It is not one of the choices, not a number, or out of range.
        """
        shown = self.option or self.metavar
        if self.choices:
            if word not in self.choices:
                raise UsageError(
                    f"{shown} cannot be `{word}`", fix=f"use one of {', '.join(self.choices)}"
                )
            return word if get_origin(self.type) is Literal else self.type(word)
        if self.type in (int, float):
            return self._number(word, shown)
        return Path(word) if self.type is Path else word

    def _number(self, word: str, shown: str) -> float:
        try:
            number: float = self.type(word)
        except ValueError:
            kind = "a whole number" if self.type is int else "a number"
            raise UsageError(f"{shown} needs {kind}, not `{word}`") from None
        if isinstance(self.declared, Option):
            least, most = self.declared.min, self.declared.max
            if (least is not None and number < least) or (most is not None and number > most):
                bounds = [f"at least {least:g}"] if least is not None else []
                bounds += [f"at most {most:g}"] if most is not None else []
                raise UsageError(f"{shown} must be {' and '.join(bounds)}, not {word}")
        return number


def parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read the signature of a verb, less its context."""
    hints = get_type_hints(function, include_extras=True)
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    values = function.__defaults__ or ()
    defaults = dict(zip(names[len(names) - len(values) :], values, strict=True))
    return tuple(_parameter(name, hints[name], defaults.get(name, REQUIRED)) for name in names)


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    annotated, declared = get_args(hint)
    assert get_origin(hint) is Annotated
    if get_origin(annotated) in (Union, types.UnionType):
        (annotated,) = (part for part in get_args(annotated) if part is not type(None))
    many = get_origin(annotated) is list
    if many:
        (annotated,) = get_args(annotated)
    return Parameter(name, declared, annotated, many, default)
