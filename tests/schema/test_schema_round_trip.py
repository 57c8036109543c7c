"""Every migration of the Todo schema can be undone and made again, without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator

pytestmark = pytest.mark.database

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@pytest.fixture
def look(empty_database: str) -> Iterator[Callable[[], Snapshot]]:
    """Say what the database holds now."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield lambda: take(connection)


def test_apply_rollback_apply(empty_database: str, look: Callable[[], Snapshot]) -> None:
    """After each rollback the catalog is as before, after each new apply as after the first."""
    migrations = load(MIGRATIONS)
    migrator = Migrator(empty_database, migrations)
    before = look()
    for migration in migrations:
        migrator.migrate(to=migration.id)
        after = look()
        migrator.rollback(steps=1)
        assert [str(found) for found in compare(before, look())] == [], migration.id
        migrator.migrate(to=migration.id)
        assert [str(found) for found in compare(after, look())] == [], migration.id
        before = after


def test_all_the_way_down_and_up(empty_database: str, look: Callable[[], Snapshot]) -> None:
    """With rows in every table, everything can be rolled back at once and applied again."""
    migrations = load(MIGRATIONS)
    migrator = Migrator(empty_database, migrations)
    empty = look()
    migrator.migrate()
    full = look()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into users (id, name, email) values ('ada', 'Ada', 'ada@x')")
        connection.execute("insert into lists (user_id, name) values ('ada', 'Home')")
        connection.execute("insert into tags (user_id, name) values ('ada', 'urgent')")
        connection.execute(
            "insert into tasks (user_id, title, list_id, deleted_at)"
            " select 'ada', 'x', id, now() from lists"
        )
    migrator.rollback(steps=len(migrations))
    assert [str(found) for found in compare(empty, look())] == []
    migrator.migrate()
    assert [str(found) for found in compare(full, look())] == []
