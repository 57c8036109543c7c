"""What a migration becomes, on a database of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.database import Server

from todo_sql.config import load_config
from todo_sql.migrations.files.folder import load
from todo_sql.rewriting.rewrite import Rewrite, rewrites


@pytest.fixture
def rewritten(server: Server, empty_database: str, tmp_path: Path) -> Callable[..., Rewrite]:
    """Return what makes a schema, and says what becomes of a migration of it."""

    def tried(
        schema: str, forward: str, rollback: str | None = None, *, in_part: bool = False
    ) -> Rewrite:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(schema.encode())
        folder = tmp_path / "migrations"
        folder.mkdir()
        (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
        path = folder / "20260101090000_change.sql"
        if rollback is None:
            forward = f"-- irreversible: it is a test\n{forward}"
        else:
            path.with_suffix(".rollback.sql").write_text(rollback, encoding="utf-8")
        path.write_text(forward, encoding="utf-8")
        environment = {"TODO_SQL_SCRATCH_URL": server.url(), "DATABASE_URL": empty_database}
        config = load_config(tmp_path, environment=environment)
        migrations = load(folder, tmp_path)
        pending = list(migrations)
        (found,) = rewrites(config, empty_database, migrations, pending, pending, in_part=in_part)
        return found

    return tried
