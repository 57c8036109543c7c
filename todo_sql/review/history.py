"""The migrations as documents list them. Pure."""

from __future__ import annotations

import re

from todo_sql.catalog.overview import ListedMigration
from todo_sql.migrations.files.folder import Migration, MigrationSet


def changes(migrations: MigrationSet) -> list[ListedMigration]:
    """Return every migration with its reason, in order."""
    return [
        ListedMigration(
            migration.version,
            migration.description,
            _why(migration),
            migration.forward.directives.transactional,
            None if migration.rollback else migration.forward.directives.irreversible,
        )
        for migration in migrations
    ]


def _why(migration: Migration) -> str:
    """Return the prose of the first comment."""
    lines: list[str] = []
    for line in migration.forward.source.text.splitlines():
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
