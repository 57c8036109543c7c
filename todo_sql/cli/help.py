"""What `todo-sql --help` shows: the commands in groups. It imports no verb, and no typer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from todo_sql.cli.table import PROGRAM, available

GLOBAL_OPTIONS = (
    ("--project DIR", "folder of the project; default: the nearest pyproject.toml"),
    ("--database URL", "instead of DATABASE_URL or the embedded PostgreSQL"),
    ("--json", "one JSON document on stdout"),
    ("--quiet", "data and errors only"),
    ("--verbose", "more detail; a traceback when something unexpected fails"),
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
        "3 database error, 70 internal error, 74 output not written, 130 stopped,",
        "141 nobody reads.",
    ]
    return "\n".join(lines)


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]


def _strong(colours: bool) -> Strong:
    return (lambda text: f"\x1b[1m{text}\x1b[0m") if colours else str
