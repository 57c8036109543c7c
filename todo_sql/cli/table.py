"""The table of verbs, and the did-you-mean. Importing it imports none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from todo_sql.errors import UsageError

PROGRAM = "todo-sql"


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: its file is ``cli/verbs/<name>.py``."""

    group: str
    name: str
    summary: str
    example: str

    def load(self) -> Callable[..., int | None]:
        """Import the verb's file and return its function."""
        from importlib import import_module

        command: Callable[..., int | None] = import_module(
            f"todo_sql.cli.verbs.{self.name}"
        ).command
        return command


_MIGRATE = "Migrate"
_QUERY = "Query"
_REVIEW = "Review"
_DEVELOP = "Develop"

VERBS = (
    Verb(_MIGRATE, "status", "show the state of every migration", "todo-sql status"),
    Verb(_MIGRATE, "migrate", "apply what is pending", "todo-sql migrate --dry-run"),
    Verb(_MIGRATE, "rollback", "undo migrations, newest first", "todo-sql rollback --steps 1"),
    Verb(
        _MIGRATE, "plan", "show what pending migrations lock and risk", "todo-sql plan --markdown"
    ),
    Verb(_MIGRATE, "new", "write a new pair of migration files", "todo-sql new add_notes"),
    Verb(
        _MIGRATE,
        "baseline",
        "adopt an existing database",
        "todo-sql baseline 20260101090000",
    ),
    Verb(_MIGRATE, "repair", "repair the ledger, showing every change first", "todo-sql repair"),
    Verb(_QUERY, "query", "run one named query", "todo-sql query list_tasks user_id=u1"),
    Verb(
        _QUERY,
        "explain",
        "show the plan of a query, or what a code means",
        "todo-sql explain list_tasks user_id=u1",
    ),
    Verb(_QUERY, "check", "check every query against the schema", "todo-sql check"),
    Verb(_QUERY, "describe", "show parameters and columns of the queries", "todo-sql describe"),
    Verb(_QUERY, "generate", "write the typed package", "todo-sql generate --check"),
    Verb(_REVIEW, "lint", "review migrations and queries", "todo-sql lint --format github"),
    Verb(_REVIEW, "verify", "prove that every migration can be undone", "todo-sql verify"),
    Verb(_REVIEW, "drift", "compare the live schema with the migrations", "todo-sql drift"),
    Verb(_REVIEW, "doctor", "examine a live database", "todo-sql doctor"),
    Verb(_REVIEW, "docs", "write the documents of the schema", "todo-sql docs --check"),
    Verb(_DEVELOP, "init", "make a new project", "todo-sql init notes"),
    Verb(_DEVELOP, "seed", "load development data", "todo-sql seed --scale 1000"),
    Verb(_DEVELOP, "db", "start, stop and enter the embedded PostgreSQL", "todo-sql db shell"),
)


@cache
def available() -> tuple[Verb, ...]:
    """Return the verbs whose file exists."""
    files = {path.stem for path in (Path(__file__).parent / "verbs").glob("*.py")}
    return tuple(verb for verb in VERBS if verb.name in files)


def find(name: str) -> Verb:
    """Return the verb called `name`.

    Raises:
        UsageError: There is none; the message names the likeliest.
    """
    for verb in available():
        if verb.name == name:
            return verb
    raise UsageError(f"unknown command `{name}`", fix=suggestion(name))


def suggestion(name: str) -> str:
    """Return "did you mean …?", or where the list of commands is."""
    from difflib import get_close_matches

    names = [verb.name for verb in available()]
    close = get_close_matches(name, names, n=2, cutoff=0.6)
    if not close:
        close = [candidate for candidate in names if name and candidate.startswith(name)]
    if close:
        return "did you mean " + " or ".join(f"`{PROGRAM} {match}`" for match in close) + "?"
    return f"see `{PROGRAM} --help` for the commands"
