"""The table of verbs. Importing it imports none of them."""

from __future__ import annotations

from typing import NamedTuple

PROGRAM = "todo-sql"


class Verb(NamedTuple):
    """One command: its file is ``cli/verbs/<name>.py``, with a ``_`` after a keyword."""

    group: str
    name: str
    summary: str
    arguments: str


_GROUPS = {
    "Migrate": (
        ("status", "show the state of every migration", ""),
        ("migrate", "apply what is pending", "--dry-run"),
        ("rollback", "undo migrations, newest first", "--steps 1"),
        ("plan", "show what pending migrations lock and risk", "--markdown"),
        (
            "rewrite",
            "make a hazardous migration a sequence of safe ones",
            "20260101090000 --dry-run",
        ),
        ("new", "write a new pair of migration files", "add_notes"),
        ("squash", "put one pair of files in place of a history", "--to 20260101090000 --dry-run"),
        ("baseline", "adopt an existing database", "20260101090000"),
        ("repair", "repair the ledger, showing every change first", "-n"),
    ),
    "Query": (
        ("query", "run one named query", "list_tasks user_id=u1"),
        ("explain", "show the plan of a query, or what a code means", "list_tasks user_id=u1"),
        ("check", "check every query against the schema", ""),
        ("describe", "show parameters and columns of the queries", ""),
        ("generate", "write the typed package", "--check"),
    ),
    "Review": (
        ("lint", "review migrations and queries", "--format github"),
        ("verify", "prove that every migration can be undone", ""),
        ("drift", "compare the live schema with the migrations", ""),
        ("doctor", "examine a live database", ""),
        ("docs", "write the documents of the schema", "--check"),
    ),
    "Develop": (
        ("import", "bring a project over from another tool", "flyway"),
        ("init", "make a new project", "notes"),
        ("seed", "load development data", "--scale 1000"),
        ("db", "start, stop and enter the embedded PostgreSQL", "shell"),
    ),
}
VERBS = tuple(Verb(group, *words) for group, verbs in _GROUPS.items() for words in verbs)
