"""What the shell may complete a value to: read from the project's files, not checked."""

from __future__ import annotations

import re

from todo_sql.cli.context import Context
from todo_sql.errors import TodoSqlError

_NAME = re.compile(r"^--\s*name:\s*(\w+)", re.MULTILINE)


def migration_ids(context: Context) -> list[str]:
    """Return the ids of the project's migrations."""
    try:
        files = context.config.migrations.glob("*.sql")
    except TodoSqlError:
        return []
    return sorted(path.stem for path in files if not path.stem.endswith(".rollback"))


def query_names(context: Context) -> list[str]:
    """Return the names of the project's queries."""
    try:
        files = context.config.queries.rglob("*.sql")
    except TodoSqlError:
        return []
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in files)
    return sorted(name for text in texts for name in _NAME.findall(text))
