"""What the shell may complete a value to: read from the project's files, not checked."""

from __future__ import annotations

import re

from typer import Context as Parsed  # typer reads the annotation; `obj` is our own Context

_NAME = re.compile(r"^--\s*name:\s*(\w+)", re.MULTILINE)


def migration_ids(parsed: Parsed) -> list[str]:
    """Return the ids of the project's migrations."""
    files = parsed.obj.config.migrations.glob("*.sql")
    return [path.stem for path in files if not path.stem.endswith(".rollback")]


def query_names(parsed: Parsed) -> list[str]:
    """Return the names of the project's queries."""
    names: list[str] = []
    for path in parsed.obj.config.queries.rglob("*.sql"):
        names += _NAME.findall(path.read_text(encoding="utf-8", errors="replace"))
    return names
