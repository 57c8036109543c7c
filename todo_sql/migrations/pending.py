"""What is to be done: the folder against the ledger. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from todo_sql.errors import Finding, Place
from todo_sql.migrations import phases, succession
from todo_sql.migrations.files.directives import Phase
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.ledger import Direction, Ledger, Recorded
from todo_sql.migrations.migration_errors import LedgerMismatch, PlanError


class State(StrEnum):
    """The states of a migration."""

    APPLIED = "applied"
    PENDING = "pending"
    MODIFIED = "modified"
    MISSING = "missing"
    OUT_OF_ORDER = "out_of_order"
    FAILED = "failed"
    WAITING = "waiting"


PENDING = (State.PENDING, State.OUT_OF_ORDER, State.WAITING)


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration as the folder and the ledger know it.

    Attributes:
        since: When it began to wait for a release, in UTC, where it does.
        holding: The contract files that an expand file waits with.
    """

    id: str
    state: State
    migration: Migration | None
    recorded: Recorded | None
    since: datetime | None = None
    holding: tuple[str, ...] = ()


def compare(migrations: MigrationSet, ledger: Ledger) -> list[Entry]:
    """Return every migration with its state: the folder's order, missing ones by their id."""
    last = _last_applied(migrations, ledger)
    since = phases.waiting(migrations, ledger)
    late = phases.held(migrations)
    holding = phases.held(migrations, {entry.id: entry for entry in ledger.applied})
    entries = []
    for index, migration in enumerate(migrations):
        contracts = migration.forward.directives.contracts
        behind = index < last.get((migration.rank, contracts), -1) and migration.id not in late
        recorded = ledger.by_id.get(migration.id)
        state = _state(migration, recorded, out_of_order=behind)
        waits = state is State.PENDING and migration.id in since
        entries.append(
            Entry(
                migration.id,
                State.WAITING if waits else state,
                migration,
                recorded,
                since[migration.id] if waits else None,
                holding.get(migration.id, ()),
            )
        )
    for recorded in ledger.recorded:
        if recorded.id not in migrations.by_id:
            _insert(entries, Entry(recorded.id, State.MISSING, None, recorded))
    return entries


def _last_applied(migrations: MigrationSet, ledger: Ledger) -> dict[tuple[int, bool], int]:
    """Return the index of the last applied migration, by the rank of its folder.

    And by whether another is compared with it that contracts: that is behind those alone that
    contract, since it is left out until the release.
    """
    applied = {entry.id for entry in ledger.applied}
    found = {}
    for index, migration in enumerate(migrations):
        if migration.id in applied:
            found[migration.rank, False] = index
            if migration.forward.directives.contracts:
                found[migration.rank, True] = index
    return found


def _state(migration: Migration, recorded: Recorded | None, *, out_of_order: bool) -> State:
    if recorded is None:
        return State.OUT_OF_ORDER if out_of_order else State.PENDING
    if recorded.progress is not None:
        return State.FAILED
    if recorded.checksum not in (None, migration.forward.checksum):
        return State.MODIFIED
    return State.APPLIED


def _insert(entries: list[Entry], entry: Entry) -> None:
    index = next((i for i, other in enumerate(entries) if other.id > entry.id), len(entries))
    entries.insert(index, entry)


def pending(
    migrations: MigrationSet,
    ledger: Ledger,
    *,
    to: str | None = None,
    allow_out_of_order: bool = False,
    phase: Phase | None = None,
) -> list[Migration]:
    """Return what `migrate` has to apply, in order; an unfinished migration comes first.

    Args:
        migrations: The folder.
        ledger: The ledger.
        to: The last id (or version) to apply; default: all.
        allow_out_of_order: Apply also what sorts before an applied migration.
        phase: What of it: before the release, or after it; default: both.

    Raises:
        PlanError: `to` is unknown, a rollback was begun and not finished, or an expand file is
            pending before the contract phase.
        LedgerMismatch: A migration is modified, missing or out of order.
    """
    entries = compare(migrations, ledger)
    wanted = up_to(migrations, to)
    refuse_unfinished(ledger, "rollback")
    unlike = [one for one in succession.find(migrations, ledger) if not one.complete]
    told = {row.id for one in unlike for row in one.former}
    problems = [finding for one in unlike for finding in one.findings()]
    problems += [
        finding
        for entry in entries
        if entry.id not in told and (finding := _mismatch(entry, migrations))
    ]
    if not allow_out_of_order:
        problems += [
            _out_of_order(entry, entries)
            for entry in entries
            if entry.state is State.OUT_OF_ORDER
            and entry.id in wanted
            and entry.id not in {one.migration.id for one in unlike}
        ]
    if problems:
        raise LedgerMismatch(
            "the folder and the ledger disagree; nothing was changed",
            problems,
        )
    todo = [
        entry.migration
        for entry in entries
        if entry.migration and entry.id in wanted and entry.state in (*PENDING, State.FAILED)
    ]
    return phases.of_phase(migrations, ledger, todo, phase)


def up_to(migrations: MigrationSet, to: str | None) -> set[str]:
    """Return the ids up to an id or version, included; all without one."""
    if to is None:
        return set(migrations.by_id)
    last = find(migrations, to).id
    wanted = set()
    for migration in migrations:
        wanted.add(migration.id)
        if migration.id == last:
            break
    return wanted


def find(migrations: MigrationSet, name: str) -> Migration:
    """Return the migration of an id or a version.

    Raises:
        PlanError: There is none.
    """
    for migration in migrations:
        if name in (migration.id, migration.version):
            return migration
    for id, migration in migrations.replaced.items():
        if name in (id, id[:14]):
            raise PlanError(
                f"{id} is part of {migration.id}, which replaces it",
                code="M211",
                cause="a squashed history is applied whole, or not at all",
                fix=f"name {migration.id}",
            )
    raise _unknown(name, [migration.id for migration in migrations], migrations.shown)


def _unknown(name: str, ids: Sequence[str], where: str) -> PlanError:
    import difflib

    close = difflib.get_close_matches(name, ids, 1, 0.5)
    return PlanError(
        f"there is no migration {name} in {where}",
        code="M211",
        fix=f"did you mean {close[0]}?" if close else "see `todo-sql status`",
    )


def refuse_unfinished(ledger: Ledger, direction: Direction | None = None) -> None:
    """Refuse to go on while a non-transactional file is half done.

    Args:
        ledger: The ledger.
        direction: Only this one counts; default: both.
    """
    for entry in ledger.unfinished:
        begun = entry.progress.direction if entry.progress else None
        if begun and direction in (None, begun):
            what, verb = ("rollback of ", "rollback") if begun == "rollback" else ("", "migrate")
            raise PlanError(
                f"the {what or 'migration '}{entry.id} was begun and not finished",
                code="M214",
                cause="it is not transactional; some of its statements were done",
                fix=f"run `todo-sql {verb}` again to finish it",
            )


def _mismatch(entry: Entry, migrations: MigrationSet) -> Finding | None:
    recorded = entry.recorded
    if recorded is None:
        return None
    since = (
        f"{recorded.applied_at:%Y-%m-%d %H:%M:%S} UTC" if recorded.applied_at else "a failed run"
    )
    if entry.state is State.MODIFIED and entry.migration:
        return Finding(
            "M201",
            "error",
            f"{entry.id} was modified after it was applied ({since})",
            Place(entry.migration.forward.source.file, 1),
            cause=f"the ledger has checksum {(recorded.checksum or '')[:12]}, "
            f"the file {entry.migration.forward.checksum[:12]}",
            fix="restore the file from version control and put the change into a new migration; "
            "if the change is meant and harmless, `todo-sql repair` takes the file's checksum",
        )
    if entry.state is State.MISSING:
        return Finding(
            "M202",
            "error",
            f"{entry.id} is applied ({since}), but its file is missing",
            Place(f"{migrations.shown}/{entry.id}.sql", 1),
            fix="restore the file from version control; if it is gone for good, "
            "`todo-sql repair` removes it from the ledger",
        )
    return None


def _out_of_order(entry: Entry, entries: Sequence[Entry]) -> Finding:
    assert entry.migration
    newest = max(
        other.id
        for other in entries
        if other.migration and other.recorded and other.migration.rank == entry.migration.rank
    )
    return Finding(
        "M203",
        "error",
        f"{entry.id} is out of order: {newest} is applied already",
        Place(entry.migration.forward.source.file, 1),
        fix="give it a later version (rename both of its files), or run "
        "`todo-sql migrate --allow-out-of-order`",
    )


def to_roll_back(
    migrations: MigrationSet,
    ledger: Ledger,
    *,
    steps: int | None = None,
    to: str | None = None,
) -> list[Migration]:
    """Return what `rollback` has to undo: the reverse of the order of application.

    Args:
        migrations: The folder.
        ledger: The ledger.
        steps: How many; default: 1.
        to: Undo everything applied after this id (or version), which is kept.

    Raises:
        PlanError: `to` is not applied, or one of them is irreversible.
        LedgerMismatch: The file of one of them is missing.
    """
    order = [entry.id for entry in (*ledger.applied, *_begun(ledger))]
    if to is not None:
        kept = next((i for i, id in enumerate(order) if to in (id, id[:14])), None)
        if kept is None:
            raise _unknown(to, order, "the ledger")
        chosen = order[kept + 1 :]
    else:
        chosen = order[max(0, len(order) - (1 if steps is None else steps)) :]
    result = []
    for id in reversed(chosen):
        migration = migrations.by_id.get(id)
        if migration is None:
            missing = Entry(id, State.MISSING, None, ledger.by_id[id])
            finding = _mismatch(missing, migrations)
            raise LedgerMismatch("nothing was changed", [finding] if finding else [])
        if migration.rollback is None:
            raise PlanError(
                f"{id} is irreversible: {migration.forward.directives.irreversible}",
                code="M212",
                place=migration.forward.place_of_directive("irreversible"),
                cause="nothing was changed",
                fix="roll back to it with `--to`, or write a new migration that goes forward",
            )
        result.append(migration)
    return result


def _begun(ledger: Ledger) -> list[Recorded]:
    """Return the migrations that were begun and never finished: newer than all applied ones."""
    return [entry for entry in ledger.unfinished if entry.applied_at is None]
