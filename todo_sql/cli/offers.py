"""What the shell may complete a value to: read from the project's files, not checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from todo_sql.cli.context import Context

_NAME = re.compile(r"^--\s*name:\s*(\w+)", re.MULTILINE)


def migration_ids(context: Context) -> list[str]:
    """Return the ids of the project's migrations."""
    files = context.config.migrations.glob("*.sql")
    return [path.stem for path in files if not path.stem.endswith(".rollback")]


def query_names(context: Context) -> list[str]:
    """Return the names of the project's queries."""
    names: list[str] = []
    for path in context.config.queries.rglob("*.sql"):
        names += _NAME.findall(path.read_text(encoding="utf-8", errors="replace"))
    return names
