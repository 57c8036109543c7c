"""Typer's classes as this command line uses them: verbs are loaded when they are called."""

from __future__ import annotations

from importlib import import_module
from itertools import groupby
from keyword import iskeyword
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from todo_sql.cli.context import Context
from todo_sql.cli.output import Output
from todo_sql.cli.table import PROGRAM, VERBS, Verb


class _WhenGiven:
    """Turns the word of a parameter into its value by typer's way, where one was given.

    For that typer loads pydantic, a quarter of the time that a short command takes.
    """

    def __init__(self, parameter: Any) -> None:
        self._of_typer: Any = parameter.get_runtime_param

    def __call__(self) -> Any:
        """Return what turns it into its value."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if value is param.default or (type(value) is str is param.type_descriptor.annotation):
            return value
        return self._of_typer().coerce(value, param=param, ctx=ctx)


class _Shown:
    """Help with panels on a terminal, in plain text elsewhere, in a document with ``--json``."""

    rich_markup_mode: Any
    context_class: Any = Context

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, that of the help included."""
        found = super().get_params(ctx)  # type: ignore[misc]
        for one in found:
            # No part of typer's public face: where another release lacks it, only time is lost.
            if not isinstance(getattr(one, "get_runtime_param", None), _WhenGiven | None):
                one.get_runtime_param = _WhenGiven(one)
        return found

    def get_help(self, ctx: Any) -> str:
        """Return the page of help, or print it where it is more than text."""
        output: Output = ctx.obj
        if output.json or not output.out.is_terminal:
            self.rich_markup_mode = None
        elif not output.out.colours:
            from typer import rich_utils

            rich_utils.COLOR_SYSTEM = None
        for option in ctx.command.get_params(ctx):
            if getattr(option, "is_flag", False):
                option.metavar = ""  # instead of <bool>
        text: str = super().get_help(ctx)  # type: ignore[misc]
        if output.json:
            output.document({"help": text})
            raise typer.Exit
        return text


class Command(_Shown, TyperCommand):
    """One verb."""

    def shell_complete(self, context: Any, incomplete: str) -> Any:
        """Offer the global options, too: they may follow the verb."""
        found = super().shell_complete(context, incomplete)
        if incomplete.startswith("-"):
            root = context.find_root()
            found += root.command.shell_complete(root, incomplete)
        return found


class Group(_Shown, TyperGroup):
    """A verb with verbs of its own."""


class Verbs(Group):
    """The verbs of the table; the module of one is imported when it is called, and no other."""

    def __init__(self, **attributes: Any) -> None:
        attributes["commands"] = [
            TyperCommand(verb.name, help=verb.summary, rich_help_panel=verb.group) for verb in VERBS
        ]
        super().__init__(**attributes)

    def parse_args(self, context: Any, args: list[str]) -> list[str]:
        """Put the global options first, wherever they stand before a ``--``."""
        first, rest = self.split(args)
        context.output.configure(first)
        return super().parse_args(context, first + rest)

    def split(self, words: list[str]) -> tuple[list[str], list[str]]:
        """Return the global options, values joined to them by ``=``, and all other words."""
        options = [one for one in self.params if one.param_type_name == "option"]
        flags = {name for one in options for name in one.opts if getattr(one, "is_flag", False)}
        values = {name for one in options for name in one.opts} - flags
        first: list[str] = []
        rest: list[str] = []
        remaining = iter(words)
        for word in remaining:
            name, equals, value = word.partition("=")
            if word == "--":
                rest += [word, *remaining]
            elif word in flags:
                first.append(word)
            elif name in values:
                value = value if equals else next(remaining, "")
                if not value:
                    return [*first, name], []  # typer says what is missing
                first.append(f"{name}={value}")
            elif word[:1] == "-" and word[1:].isalpha() and f"-{word[1]}" in flags | {"-n"}:
                # Short flags together, such as -qn: one of them may be the verb's.
                letters = [f"-{letter}" for letter in word[1:]]
                first += [letter for letter in letters if letter in flags]
                rest += [letter for letter in letters if letter not in flags]
            else:
                rest.append(word)
        return first, rest

    def resolve_command(self, context: Any, args: list[str]) -> Any:
        """Load the verb that is called."""
        name, command, rest = super().resolve_command(context, args)
        verbs = [verb for verb in VERBS if verb.name == name]
        return name, load(verbs[0]) if verbs else command, rest

    def format_commands(self, context: Any, formatter: Any) -> None:
        """Write the verbs in their groups."""
        for group, verbs in groupby(VERBS, lambda verb: verb.group):
            with formatter.section(group):
                formatter.write_dl([(verb.name, verb.summary) for verb in verbs])


def load(verb: Verb) -> Any:
    """Return the command of a verb: its module's `app`, or one made of its `command`."""
    module = import_module(f"todo_sql.cli.verbs.{verb.name}{'_' * iskeyword(verb.name)}")
    app: typer.Typer | None = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        # Where the lines of a docstring end is the terminal's matter.
        lines = (module.command.__doc__ or "").split("\n\n")
        text = "\n\n".join(" ".join(line.split()) for line in lines)
        app.command(verb.name, cls=Command, help=text)(module.command)
    command = get_command(app)
    example = f"Example: {PROGRAM} {verb.name} {verb.arguments}"
    command.name, command.epilog = verb.name, example.rstrip()
    return command
