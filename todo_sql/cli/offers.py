"""What the shell may complete a value to: read from the project's files, not checked."""

from __future__ import annotations

import re

from todo_sql.cli.context import Context
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.files.folder import files_of

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
