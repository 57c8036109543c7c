"""The options that several commands share, each written once, and what the shell offers for them.

What it offers is read from the project's files, not checked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.files.folder import files_of

Format = Annotated[Literal["text", "github"], Option(help="How findings are printed.")]
Migrations = Annotated[str | None, Option(metavar="DIR", help="Another folder of migrations.")]
Queries = Annotated[Path | None, Option(metavar="DIR", help="Another folder of queries.")]
Arguments = Annotated[
    list[str] | None,
    Argument(metavar="KEY=VALUE", help="Its parameters; null is NULL, lists are JSON."),
]
Offline = Annotated[
    bool, Option("--offline", help="Read the cache in queries/.cache; ask no server.")
]
OnlyCheck = Annotated[
    bool, Option("--check", help="Write nothing; exit 1 if something would change.")
]
Yes = Annotated[bool, Option("--yes", help="Do not ask.")]
AcrossMajors = Annotated[
    bool, Option("--across-majors", help="Try on another major version than the target's.")
]
NoDataChecks = Annotated[
    bool, Option("--no-data-checks", help="Do not ask whether the live rows fit.")
]
WaitForServer = Annotated[
    float | None,
    Option(
        metavar="SECONDS", min=0, help="How long to wait for the server and for another migrator."
    ),
]
WaitForMigrator = Annotated[
    float | None,
    Option(metavar="SECONDS", min=0, help="How long to wait for another migrator."),
]

_NAME = re.compile(r"^--\s*name:\s*(\w+)", re.MULTILINE)


def migration_ids(context: Context) -> list[str]:
    """Return the ids of the project's migrations."""
    try:
        folders = context.config.migration_folders
    except TodoSqlError:
        return []
    names = (name.rpartition("/")[2] for folder in folders for name in files_of(folder))
    stems = (name.removesuffix(".sql") for name in names if name.endswith(".sql"))
    return sorted(stem for stem in stems if not stem.endswith(".rollback"))


def query_names(context: Context) -> list[str]:
    """Return the names of the project's queries."""
    try:
        files = context.config.queries.rglob("*.sql")
    except TodoSqlError:
        return []
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in files)
    return sorted(name for text in texts for name in _NAME.findall(text))
