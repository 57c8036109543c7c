"""The table of verbs. Importing it imports none of them."""

from __future__ import annotations

from keyword import iskeyword
from typing import NamedTuple

PROGRAM = "todo-sql"


class Verb(NamedTuple):
    """One command: its file is ``cli/verbs/<name>.py``, with a ``_`` after a keyword."""

    group: str
    name: str
    summary: str
    example: str

    @property
    def module(self) -> str:
        """The name of its module."""
        return f"{self.name}_" if iskeyword(self.name) else self.name.replace("-", "_")


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
    Verb(
        _MIGRATE,
        "rewrite",
        "make a hazardous migration a sequence of safe ones",
        "todo-sql rewrite 20260101090000 --dry-run",
    ),
    Verb(_MIGRATE, "new", "write a new pair of migration files", "todo-sql new add_notes"),
    Verb(
        _MIGRATE,
        "squash",
        "put one pair of files in place of a history",
        "todo-sql squash --to 20260101090000 --dry-run",
    ),
    Verb(_MIGRATE, "baseline", "adopt an existing database", "todo-sql baseline 20260101090000"),
    Verb(_MIGRATE, "repair", "repair the ledger, showing every change first", "todo-sql repair -n"),
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
    Verb(_DEVELOP, "import", "bring a project over from another tool", "todo-sql import flyway"),
    Verb(_DEVELOP, "init", "make a new project", "todo-sql init notes"),
    Verb(_DEVELOP, "seed", "load development data", "todo-sql seed --scale 1000"),
    Verb(_DEVELOP, "db", "start, stop and enter the embedded PostgreSQL", "todo-sql db shell"),
)
