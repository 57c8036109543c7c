"""Repeatable files against the ledger: which run, and what a rollback brings back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from todo_sql.migrations.files.directives import read as read_directives
from todo_sql.migrations.files.folder import topological
from todo_sql.migrations.files.migration import Migration, MigrationSet, Script
from todo_sql.migrations.ledger import Ledger, RecordedRepeatable
from todo_sql.migrations.pending import State
from todo_sql.sql.source import Source

PREFIX = "repeatable/"


@dataclass(frozen=True, slots=True)
class RepeatableEntry:
    """One repeatable file as the folder and the ledger know it: applied, pending or missing."""

    name: str
    state: State
    script: Script | None
    recorded: RecordedRepeatable | None

    @property
    def id(self) -> str:
        """What stands for it beside the ids of migrations."""
        return PREFIX + self.name


def name_of(script: Script) -> str:
    """Return the name by which the ledger knows a repeatable file."""
    return script.path.name.removesuffix(".sql")


def as_migration(script: Script) -> Migration:
    """Return a repeatable file in the shape of a migration, for reports."""
    return Migration(PREFIX + name_of(script), script, None)


def in_order(scripts: Iterable[Script]) -> tuple[Script, ...]:
    """Return files, each after those that it depends on and that are among them."""
    by_name = {name_of(script): script for script in scripts}
    depends = {k: set(one.directives.depends) & by_name.keys() for k, one in by_name.items()}
    return tuple(by_name[name] for name in topological(by_name, depends))


def compare(migrations: MigrationSet, ledger: Ledger) -> list[RepeatableEntry]:
    """Return every repeatable file with its state, in order; missing ones come last."""
    entries = []
    for script in migrations.repeatables:
        recorded = ledger.repeatables.get(name := name_of(script))
        same = recorded is not None and recorded.checksum == script.checksum
        state = State.APPLIED if same else State.PENDING
        entries.append(RepeatableEntry(name, state, script, recorded))
    there = {entry.name for entry in entries}
    gone = (one for one in ledger.repeatables.values() if one.name not in there)
    return entries + [RepeatableEntry(one.name, State.MISSING, None, one) for one in gone]


def pending(migrations: MigrationSet, ledger: Ledger, after: Collection[str]) -> list[Script]:
    """Return the files that run after some migrations: none while others are still pending."""
    if migrations.by_id.keys() - {one.id for one in ledger.applied} - set(after):
        return []
    entries = compare(migrations, ledger)
    return [one.script for one in entries if one.state is State.PENDING and one.script]


def of_text(recorded: RecordedRepeatable) -> Script:
    """Return a text of the ledger as a file."""
    from pathlib import Path

    source = Source(f"the ledger's {PREFIX}{recorded.name}.sql", recorded.sql or "")
    return Script(Path(f"{recorded.name}.sql"), source, read_directives(source)[0])


@dataclass(frozen=True, slots=True)
class Return:
    """What becomes of a repeatable file when migrations are rolled back.

    Attributes:
        undone: Its runs that are taken back, newest first.
        former: The run whose text comes back; None: it had never run before.
    """

    name: str
    undone: tuple[RecordedRepeatable, ...]
    former: RecordedRepeatable | None


def returning(runs: Sequence[RecordedRepeatable], undone: Collection[str]) -> list[Return]:
    """Return what a rollback of migrations brings back, last run first; runs are oldest first."""
    by_name: dict[str, list[RecordedRepeatable]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    found = []
    for name, of_name in by_name.items():
        kept = [run for run in of_name if run.after not in undone]
        gone = [run for run in reversed(of_name) if run.after in undone]
        if gone and of_name[-1] is gone[0]:
            found.append(Return(name, tuple(gone), kept[-1] if kept else None))
    return sorted(found, key=lambda one: -one.undone[0].position)


def before_the_last(runs: Iterable[RecordedRepeatable], name: str) -> Return | None:
    """Return how the text before the last of a file comes back; None: there is none."""
    of_name = [run for run in runs if run.name == name]
    return Return(name, (of_name[-1],), of_name[-2]) if len(of_name) > 1 else None
