"""What `--help` shows: the overview of the commands, and the page of one of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from todo_sql.cli.declare import REQUIRED, Parameter
from todo_sql.cli.verbs import PROGRAM, Verb, available

GLOBAL_OPTIONS = (
    ("--project DIR", "folder of the project; default: the nearest pyproject.toml"),
    ("--database URL", "instead of DATABASE_URL or the embedded PostgreSQL"),
    ("--json", "one JSON document on stdout"),
    ("--quiet", "data and errors only"),
    ("--verbose", "more detail; a traceback where something unexpected fails"),
    ("--no-color", "no colours (also NO_COLOR)"),
    ("--version", "show the version"),
    ("--completion SHELL", "print the completion script for bash, zsh or fish"),
    ("--help", "show this, or the help of a command"),
)

Strong = Callable[[str], str]


def overview(colours: bool) -> str:
    """Return the commands in groups, each with an example, and the global options."""
    strong = _strong(colours)
    lines = [
        f"Usage: {PROGRAM} [OPTIONS] COMMAND [ARGUMENTS]",
        "",
        "Write plain SQL. Ship it safely. Call it typed.",
    ]
    verbs = available()
    names = max((len(verb.name) for verb in verbs), default=0)
    summaries = max((len(verb.summary) for verb in verbs), default=0)
    for group in dict.fromkeys(verb.group for verb in verbs):
        lines += ["", strong(group)]
        for verb in verbs:
            if verb.group == group:
                space = " " * (names - len(verb.name))
                summary = f"{verb.summary:<{summaries}}"
                lines.append(f"  {strong(verb.name)}{space}  {summary}  {verb.example}")
    lines += ["", strong("Options") + ", before or after the command"]
    lines += _columns(GLOBAL_OPTIONS)
    lines += [
        "",
        f"`{PROGRAM} COMMAND --help` shows a command's own options.",
        "Exit codes: 0 done or clean, 1 findings or pending, 2 usage or configuration,",
        "3 database error.",
    ]
    return "\n".join(lines)


def page(verb: Verb, function: Callable[..., object], parameters: Sequence[Parameter]) -> str:
    """Return the help of one command: its docstring, arguments, options and an example."""
    arguments = [entry for entry in parameters if not entry.option]
    options = [entry for entry in parameters if entry.option]
    usage = [f"Usage: {PROGRAM} {verb.name}"]
    usage += ["[OPTIONS]"] if options else []
    usage += [_bracketed(entry) for entry in arguments]
    lines = [" ".join(usage), "", inspect.getdoc(function) or verb.summary]
    if arguments:
        lines += ["", "Arguments:"]
        lines += _columns([(entry.metavar, _described(entry)) for entry in arguments])
    if options:
        lines += ["", "Options:"]
        lines += _columns([(_spelled(entry), _described(entry)) for entry in options])
    lines += [
        "",
        f"Example: {verb.example}",
        f"`{PROGRAM} --help` shows the options that every command takes.",
    ]
    return "\n".join(lines)


def _spelled(parameter: Parameter) -> str:
    return str(parameter.option) + ("" if parameter.flag else f" {parameter.metavar}")


def _bracketed(parameter: Parameter) -> str:
    text = parameter.metavar.strip("[]") + ("..." if parameter.many else "")
    return text if parameter.default is REQUIRED else f"[{text}]"


def _described(parameter: Parameter) -> str:
    text = parameter.declared.help
    if parameter.default not in (REQUIRED, None, False) and "default" not in text:
        text += f" (default: {parameter.default})"
    return text.lstrip()


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]


def _strong(colours: bool) -> Strong:
    return (lambda text: f"\x1b[1m{text}\x1b[0m") if colours else str
