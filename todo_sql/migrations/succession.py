"""Squashed migrations against the ledger: whose place they take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from todo_sql.errors import Finding, Place
from todo_sql.migrations.files.folder import SQUASHED
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.ledger import Ledger, Recorded
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.migration_errors import LedgerMismatch
from todo_sql.wire.flight import FlightCommand

_NAMED = 5  # of many


@dataclass(frozen=True, slots=True)
class Succession:
    """A squashed migration that a ledger has in parts: some of what it replaces is recorded.

    Attributes:
        former: What of it the ledger has, oldest first.
        lacking: The ids that would have to be applied, too.
        changed: Those of which another text was applied.
        several: Whether the project has several folders: what is replaced may lie in each.
    """

    migration: Migration
    former: tuple[Recorded, ...]
    lacking: tuple[str, ...]
    changed: tuple[str, ...]
    several: bool = False

    @property
    def complete(self) -> bool:
        """Whether it may take their place without a hand."""
        return not self.lacking and not self.changed

    @property
    def recorded(self) -> Recorded:
        """What the ledger is to say: applied with the last; unverified where one of them is."""
        known = all(row.checksum for row in self.former)
        checksum = self.migration.forward.checksum if known else None
        when = max(row.applied_at for row in self.former if row.applied_at)
        return Recorded(self.migration.id, when, checksum, 0)

    def words(self) -> str:
        """Say whose place it takes."""
        count, first, last = len(self.former), self.former[0].id, self.former[-1].id
        whom = first if count == 1 else f"{count} migrations, {first} to {last}"
        other = f"; {some(self.changed)} ran with another text" if self.changed else ""
        return f"it takes the place of {whom}{other}"

    def findings(self) -> Iterator[Finding]:
        """Say why it may not."""
        file = self.migration.forward.source.file
        if self.lacking:
            replaced = len(self.migration.forward.directives.replaces)
            aside = PurePosixPath(file).parent / SQUASHED / self.migration.id
            way = f"`todo-sql migrate --migrations {aside}`"
            if self.several:
                way = "`todo-sql migrate` of the release before the squash"
            yield Finding.error(
                "M204",
                f"{self.migration.id} replaces {replaced} migrations, of which this database has "
                f"{len(self.former)}: {some(self.lacking)} not applied",
                Place(file, 1),
                cause="what is there would be made once more, so neither it nor anything after it "
                "is run",
                fix=f"apply the rest as it was: {way}, then run the command again",
            )
        for id in self.changed:
            yield Finding.error(
                "M205",
                f"{id}, which {self.migration.id} replaces, was applied with another text",
                Place(file, 1),
                cause="the schema may be another than the squashed file makes",
                fix="compare with `todo-sql drift`; if all is well, `todo-sql repair` records "
                f"{self.migration.id} all the same",
            )


def some(ids: Sequence[str]) -> str:
    """Return the first of some ids, and how many more there are."""
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def find(migrations: MigrationSet, ledger: Ledger) -> list[Succession]:
    """Return the squashed migrations that a ledger has in parts."""
    if not migrations.replaced:
        return []
    return [
        found
        for migration in migrations
        if migration.forward.directives.replaces and migration.id not in ledger.by_id
        if (found := _of(migration, ledger, several=", " in migrations.shown)) is not None
    ]


def _of(migration: Migration, ledger: Ledger, *, several: bool) -> Succession | None:
    replaced = migration.forward.directives.replaces
    checksums = {one.id: one.checksum for one in replaced}
    if not (former := tuple(row for row in ledger.recorded if row.id in checksums)):
        return None
    within: dict[str | None, list[str]] = {}
    for one in replaced:
        within.setdefault(one.within, []).append(one.id)

    def lacking(id: str) -> Iterator[str]:
        row = ledger.by_id.get(id)
        if row is not None and row.applied_at is not None and row.progress is None:
            return
        inner = within.get(id, ())
        if row is not None or not any(_begun(one, within, ledger) for one in inner):
            yield id
            return
        for one in inner:
            yield from lacking(one)

    missing = [found for id in within.get(None, ()) for found in lacking(id)]
    changed = [row.id for row in former if row.checksum not in (None, checksums[row.id])]
    return Succession(migration, former, tuple(missing), tuple(changed), several)


def _begun(id: str, within: dict[str | None, list[str]], ledger: Ledger) -> bool:
    return id in ledger.by_id or any(_begun(one, within, ledger) for one in within.get(id, ()))


def refuse_partial(found: Iterable[Succession]) -> None:
    """Refuse to change a ledger that has some of what a squashed migration replaces."""
    problems = [finding for one in found if one.lacking for finding in one.findings()]
    if problems:
        raise LedgerMismatch("the folder and the ledger disagree; nothing was changed", problems)


def carried(migrations: MigrationSet, ledger: Ledger) -> Ledger:
    """Return a ledger as it is once every whole one has taken its place."""
    return after([one for one in find(migrations, ledger) if one.complete], ledger)


def after(found: Sequence[Succession], ledger: Ledger) -> Ledger:
    """Return a ledger in which squashed migrations have taken their places."""
    if not found:
        return ledger
    last = {one.former[-1].id: one.recorded for one in found}
    gone = {row.id for one in found for row in one.former}
    rows = (last.get(row.id) if row.id in gone else row for row in ledger.recorded)
    return replace(ledger, recorded=tuple(row for row in rows if row is not None))


def commands(one: Succession, writer: Writer, ledger: Ledger) -> list[FlightCommand]:
    """Return what records it in their place; `_yoyo_log` keeps that they were applied."""
    former, recorded = [row.id for row in one.former], one.recorded
    checksum = recorded.checksum
    return [
        *(command for id in former for command in writer.rolled_back(id, log="unmark")),
        *writer.applied(one.migration.id, checksum, seconds=0, log="mark", at=recorded.applied_at),
        *(writer.succeeded(former, recorded.id) if ledger.repeats else ()),
    ]
