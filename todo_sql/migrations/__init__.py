"""Migrations: files, plan, ledger, and the migrator that applies them."""

from __future__ import annotations

from pathlib import Path


def migrate(url: str, folder: Path) -> list[str]:
    """Apply everything that is pending in a folder; return the ids in order."""
    from todo_sql.migrations.files.beside import load_whole
    from todo_sql.migrations.migrator import Migrator

    return [done.id for done in Migrator(url, load_whole(folder)).migrate()]
