"""What to say after a run was cut off: reconnect, wait for the old session's end, read, speak."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import takewhile

import psycopg

from todo_sql.errors import DatabaseError, TodoSqlError
from todo_sql.migrations.connecting import open_link
from todo_sql.migrations.ledger import Direction, Ledger
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.progress import Events
from todo_sql.migrations.repeating import PREFIX

PATIENCE = 30.0  # seconds to reach the server again, and as many for the old session to end


def of(
    url: str,
    schema: str | None,
    ids: Sequence[str],
    direction: Direction,
    events: Events,
    before: Sequence[str],
) -> str:
    """Return a sentence on what state migrations are in, true to the ledger and to the disk.

    Args:
        schema: Of the ledger, where the configuration says it.
        ids: That at which the run was cut off, and those which the server had behind it.
        before: Migrations of the run that were told as done, but may be lost with the server.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            opened = open_link(url, writes=False, ledger=schema, wait=PATIENCE, events=events)
            with opened as link:
                link.take_lock(PATIENCE, events)
                link.unsettled = bool(before)
                link.settle(Writer(link.target).settled())
                lost = _lost(link.ledger, before, direction)
                return _sentences(link.ledger, ids, direction) + lost
        except (TodoSqlError, psycopg.Error) as error:
            if isinstance(error, DatabaseError) or time.monotonic() > deadline:
                return (
                    f"whether {ids[0]} is {_past(direction)} is unknown, since the database "
                    "cannot be asked; a transactional migration is applied completely or not at all"
                )
            time.sleep(0.5)


def _past(direction: Direction) -> str:
    return "applied" if direction == "apply" else "rolled back"


def _lost(ledger: Ledger, before: Sequence[str], direction: Direction) -> str:
    """Return what to say of those that went with the server before the disk held them."""
    there = {*ledger.by_id, *(PREFIX + name for name in ledger.repeatables)}
    lost = [id for id in before if (id in there) != (direction == "apply")]
    if not lost:
        return ""
    which = lost[0] if len(lost) == 1 else f"{len(lost)} migrations, {lost[0]} to {lost[-1]},"
    undone = "not applied any more" if direction == "apply" else "still applied"
    return (
        f"; the crash of the server also undid the newest before it, whole and with the ledger: "
        f"{which} {'is' if len(lost) == 1 else 'are'} {undone}"
    )


def _sentences(ledger: Ledger, ids: Sequence[str], direction: Direction) -> str:
    """Return what became of the first, or of the last that was done with all before it."""
    done = list(takewhile(lambda id: (id in ledger.by_id) == (direction == "apply"), ids))
    said = _sentence(ledger, done[-1] if done else ids[0], direction)
    return f"{said}, and all before it" if len(done) > 1 else said


def _sentence(ledger: Ledger, id: str, direction: Direction) -> str:
    if id.startswith(PREFIX):
        return f"{id} ran as a whole or not at all; `todo-sql status` says whether it is recorded"
    recorded = ledger.by_id.get(id)
    if recorded and (progress := recorded.progress):
        done = progress.batch or f"{sum(step.done for step in progress.steps)} statements"
        return f"{done} of {id} are done and recorded; the next run goes on from there"
    if (recorded is not None) == (direction == "apply"):
        return f"{id} is {_past(direction)} and recorded"
    if direction == "apply":
        return f"{id} is not applied: nothing of it remains"
    return f"{id} is still applied: its rollback was undone"
