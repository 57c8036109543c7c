"""Repairs a ledger that disagrees with the folder: what would change, and the commands for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from todo_sql.migrations import pending, repeating, succession
from todo_sql.migrations.files.migration import MigrationSet
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.migration_errors import PlanError
from todo_sql.migrations.pending import Entry, State
from todo_sql.wire.flight import FlightCommand

Fate = Literal["done", "redo"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the ledger."""

    id: str
    words: str
    commands: tuple[FlightCommand, ...]


def changes(
    migrations: MigrationSet, ledger: Ledger, writer: Writer, id: str | None = None
) -> list[Change]:
    """Return what makes the ledger agree with the folder, in the order of the folder."""
    successions = succession.find(migrations, ledger)
    succession.refuse_partial(successions)
    told = {row.id for one in successions for row in one.former}
    entries = [one for one in pending.compare(migrations, ledger) if one.id not in told]
    carried = [
        Change(one.migration.id, one.words(), tuple(succession.commands(one, writer, ledger)))
        for one in successions
        if id in (None, one.migration.id, one.migration.version)
    ]
    what = "remove it: its file is missing; what it made stays"
    gone = [
        Change(entry.id, what, tuple(writer.forgotten(entry.name)))
        for entry in repeating.compare(migrations, ledger)
        if entry.state is State.MISSING and id in (None, entry.id, entry.name)
    ]
    if id is not None:
        entries = [entry for entry in entries if id in (entry.id, entry.id[:14])]
        if not entries and not gone and not carried:
            message = f"neither the folder nor the ledger knows {id}"
            raise PlanError(message, code="M211", fix="see `todo-sql status`")
    return [*carried, *(change for entry in entries for change in _change(entry, writer)), *gone]


def _change(entry: Entry, writer: Writer) -> Iterator[Change]:
    recorded, migration = entry.recorded, entry.migration
    if recorded is None:
        return
    if entry.state is State.MISSING:
        at = recorded.applied_at
        since = f"; it was applied {at:%Y-%m-%d %H:%M:%S} UTC" if at else ", it was never finished"
        what = f"remove it: its file is missing{since}"
        yield Change(entry.id, what, tuple(writer.rolled_back(entry.id, log="unmark")))
    elif migration and recorded.applied_at and recorded.checksum != migration.forward.checksum:
        now = migration.forward.checksum
        old = recorded.checksum[:12] if recorded.checksum else "none (recorded by plain yoyo)"
        yield Change(
            entry.id,
            f"checksum {old} becomes {now[:12]}, that of the file",
            tuple(writer.verified(entry.id, now, recorded.applied_at)),
        )


def settle(ledger: Ledger, writer: Writer, id: str, fate: Fate) -> Change:
    """Return the change that says what became of a statement in doubt."""
    recorded = next((r for r in ledger.unfinished if id in (r.id, r.id[:14])), None)
    steps = recorded.progress.steps if recorded and recorded.progress else ()
    last = steps[-1] if steps else None
    if recorded is None or recorded.progress is None or last is None or last.done or last.batch:
        raise PlanError(f"{id} has no statement in doubt", code="M213", fix="see `todo-sql status`")
    kept = (*steps[:-1], replace(last, done=True)) if fate == "done" else steps[:-1]
    words = "is done" if fate == "done" else "was not done and runs again"
    return Change(
        recorded.id,
        f"statement {len(steps)} {words}: {' '.join(last.sql.split())}",
        tuple(writer.progress(recorded.id, replace(recorded.progress, steps=kept))),
    )
