"""What to say after a run was cut off: reconnect, wait for the old session's end, read, speak."""

from __future__ import annotations

import time

import psycopg

from todo_sql.errors import DatabaseError, TodoSqlError
from todo_sql.migrations.connecting import open_link
from todo_sql.migrations.files.folder import Migration
from todo_sql.migrations.ledger import Direction, Ledger
from todo_sql.migrations.progress import Events

PATIENCE = 30.0  # seconds to reach the server again, and as many for the old session to end


def of(
    url: str, schema: str | None, migration: Migration, direction: Direction, events: Events
) -> str:
    """Return a sentence on what state a migration is in, true to the ledger.

    Args:
        url: Of the database.
        schema: Of the ledger, where the configuration says it.
        migration: The one at which the run was cut off.
        direction: Whether it was being applied or rolled back.
        events: Is told what is waited for.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            opened = open_link(url, writes=False, ledger=schema, wait=PATIENCE, events=events)
            with opened as link:
                link.take_lock(PATIENCE, events)
                return _sentence(link.ledger, migration, direction)
        except (TodoSqlError, psycopg.Error) as error:
            if isinstance(error, DatabaseError) or time.monotonic() > deadline:
                return (
                    f"whether {migration.id} is {_past(direction)} is unknown, since the database "
                    "cannot be asked; a transactional migration is applied completely or not at all"
                )
            time.sleep(0.5)


def _past(direction: Direction) -> str:
    return "applied" if direction == "apply" else "rolled back"


def _sentence(ledger: Ledger, migration: Migration, direction: Direction) -> str:
    recorded = ledger.by_id.get(migration.id)
    if recorded and recorded.progress:
        done = sum(step.done for step in recorded.progress.steps)
        return (
            f"{done} statements of {migration.id} are done and recorded; "
            "the next run goes on from there"
        )
    applied = recorded is not None
    if applied == (direction == "apply"):
        return f"{migration.id} is {_past(direction)} and recorded"
    if direction == "apply":
        return f"{migration.id} is not applied: nothing of it remains"
    return f"{migration.id} is still applied: its rollback was undone"
