"""The words after a verb, made into the arguments of its function, by typer.

typer reads the signature; it does not call the function: so that what a verb raises, a
KeyboardInterrupt too, reaches `app.main` as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, get_type_hints

import typer
from typer.main import get_command

from todo_sql.cli.table import PROGRAM, Verb
from todo_sql.errors import UsageError


def command_of(verb: Verb) -> Any:
    """Return typer's command for a verb; calling it returns the arguments."""
    function = verb.load()
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    epilog = f"Example: {verb.example}"
    # \b keeps the lines of a docstring as they are.
    paragraphs = inspect.cleandoc(function.__doc__ or verb.summary).split("\n\n")
    text = "\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs)
    app.command(verb.name, help=text, epilog=epilog)(_collector(function))
    return get_command(app)


def parse(verb: Verb, words: Sequence[str]) -> dict[str, Any] | None:
    """Return the arguments, or None when help was asked for and shown.

    Raises:
        UsageError: An unknown option, a missing or surplus word, a value that does not fit.
    """
    _, *parameters = inspect.signature(verb.load()).parameters.values()
    if not words and all(p.default is not p.empty for p in parameters):
        # Nothing to parse: `todo-sql status` need not wait for pydantic, which typer imports.
        return {p.name: p.default for p in parameters}
    command = command_of(verb)
    try:
        found = command.main(list(words), prog_name=f"{PROGRAM} {verb.name}", standalone_mode=False)
    except typer.TyperException as error:
        raise UsageError(_message(error), fix=_fix(error, command, verb)) from None
    return found if isinstance(found, dict) else None


def _collector(function: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Return a function of a verb's signature, less its context, that returns its arguments."""

    def collect(**arguments: Any) -> dict[str, Any]:
        return arguments

    hints = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()
    resolved = [p.replace(annotation=hints[p.name]) for p in parameters]
    collect.__signature__ = inspect.Signature(resolved)  # type: ignore[attr-defined]
    collect.__annotations__ = {p.name: hints[p.name] for p in parameters}
    return collect


def _message(error: typer.TyperException) -> str:
    text = error.message.rstrip(".") if _is_unknown(error) else error.format_message().rstrip(".")
    return text[:1].lower() + text[1:].replace("Value error, ", "")


def _fix(error: typer.TyperException, command: Any, verb: Verb) -> str:
    if _is_unknown(error):
        names = [name for parameter in command.params for name in parameter.opts]
        close = get_close_matches(getattr(error, "option_name", ""), names, n=1)
        if close:
            return f"did you mean {close[0]}?"
    return f"see `{PROGRAM} {verb.name} --help`"


def _is_unknown(error: typer.TyperException) -> bool:
    """Whether it complains of an option that there is not (typer's class is not public)."""
    return hasattr(error, "possibilities")
