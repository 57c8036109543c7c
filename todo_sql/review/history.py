"""The migrations as documents list them. Pure."""

from __future__ import annotations

import re

from todo_sql.catalog.overview import ListedMigration
from todo_sql.migrations.files.migration import MigrationSet, Script
from todo_sql.migrations.repeating import name_of


def changes(migrations: MigrationSet) -> list[ListedMigration]:
    """Return every migration with its reason, in order."""
    return [
        ListedMigration(
            migration.version,
            migration.description,
            _why(migration.forward),
            migration.forward.directives.transactional,
            None if migration.rollback else migration.forward.directives.irreversible,
        )
        for migration in migrations
    ]


def beside(migrations: MigrationSet) -> dict[str, list[tuple[str, str]]]:
    """Return the repeatable files and the hooks, each with its reason, by heading."""
    return {
        "Run again when their text changes": [
            (name_of(script), _why(script)) for script in migrations.repeatables
        ],
        "Hooks": [(name, _why(script)) for name, script in sorted(migrations.hooks.items())],
    }


def _why(script: Script) -> str:
    """Return the prose of the first comment."""
    lines: list[str] = []
    for line in script.source.text.splitlines():
        stripped = line.strip()
        if not stripped.startswith("--"):
            if lines or stripped:
                break
            continue
        text = stripped.lstrip("-").strip()
        if not text:
            break
        if not re.match(r"[a-z-]+:", text):
            lines.append(text)
    return " ".join(lines)
