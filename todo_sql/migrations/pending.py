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
        began = since.get(migration.id) if state is State.PENDING else None
        state = state if began is None else State.WAITING
        held = holding.get(migration.id, ())
        entries.append(Entry(migration.id, state, migration, recorded, began, held))
    for recorded in ledger.recorded:
        if recorded.id not in migrations.by_id:
            later = (index for index, other in enumerate(entries) if other.id > recorded.id)
            missing = Entry(recorded.id, State.MISSING, None, recorded)
            entries.insert(next(later, len(entries)), missing)
    return entries


def _last_applied(migrations: MigrationSet, ledger: Ledger) -> dict[tuple[int, bool], int]:
    """Return the index of the last applied migration, by the rank of its folder.

    And by whether another is compared with it that contracts: that is behind those alone that
    contract, since it is left out until the release.
    """
    applied = {entry.id for entry in ledger.applied}
    done = [(index, one) for index, one in enumerate(migrations) if one.id in applied]
    contracting = {(m.rank, True): at for at, m in done if m.forward.directives.contracts}
    return {(migration.rank, False): index for index, migration in done} | contracting


def _state(migration: Migration, recorded: Recorded | None, *, out_of_order: bool) -> State:
    if recorded is None:
        return State.OUT_OF_ORDER if out_of_order else State.PENDING
    if recorded.progress is not None:
        return State.FAILED
    if recorded.checksum not in (None, migration.forward.checksum):
        return State.MODIFIED
    return State.APPLIED


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
        in_order = wanted - {one.migration.id for one in unlike}
        late = (one for one in entries if one.state is State.OUT_OF_ORDER and one.id in in_order)
        problems += [_out_of_order(entry, entries) for entry in late]
    if problems:
        raise LedgerMismatch("the folder and the ledger disagree; nothing was changed", problems)
    todo = [
        entry.migration
        for entry in entries
        if entry.migration and entry.id in wanted and entry.state in (*PENDING, State.FAILED)
    ]
    return phases.of_phase(migrations, ledger, todo, phase)


def up_to(migrations: MigrationSet, to: str | None) -> set[str]:
    """Return the ids up to an id or version, included; all without one."""
    ids = [migration.id for migration in migrations]
    return set(ids if to is None else ids[: ids.index(find(migrations, to).id) + 1])


def find(migrations: MigrationSet, name: str) -> Migration:
    """Return the migration of an id or a version; `PlanError`: there is none."""
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
    fix = f"did you mean {close[0]}?" if close else "see `todo-sql status`"
    return PlanError(f"there is no migration {name} in {where}", code="M211", fix=fix)


def refuse_unfinished(ledger: Ledger, direction: Direction | None = None) -> None:
    """Refuse to go on while a non-transactional file is half done, in this direction or any."""
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
    at = recorded.applied_at
    since = f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "a failed run"
    if entry.state is State.MODIFIED and entry.migration:
        return Finding.error(
            "M201",
            f"{entry.id} was modified after it was applied ({since})",
            Place(entry.migration.forward.source.file, 1),
            cause=f"the ledger has checksum {(recorded.checksum or '')[:12]}, "
            f"the file {entry.migration.forward.checksum[:12]}",
            fix="restore the file from version control and put the change into a new migration; "
            "if the change is meant and harmless, `todo-sql repair` takes the file's checksum",
        )
    if entry.state is State.MISSING:
        return Finding.error(
            "M202",
            f"{entry.id} is applied ({since}), but its file is missing",
            Place(f"{migrations.shown}/{entry.id}.sql", 1),
            fix="restore the file from version control; if it is gone for good, "
            "`todo-sql repair` removes it from the ledger",
        )
    return None


def _out_of_order(entry: Entry, entries: Sequence[Entry]) -> Finding:
    assert entry.migration
    rank = entry.migration.rank
    recorded = (one for one in entries if one.migration and one.recorded)
    newest = max(one.id for one in recorded if one.migration and one.migration.rank == rank)
    return Finding.error(
        "M203",
        f"{entry.id} is out of order: {newest} is applied already",
        Place(entry.migration.forward.source.file, 1),
        fix="give it a later version (rename both of its files), or run "
        "`todo-sql migrate --allow-out-of-order`",
    )


def to_roll_back(
    migrations: MigrationSet, ledger: Ledger, *, steps: int | None = None, to: str | None = None
) -> list[Migration]:
    """Return what `rollback` has to undo: the reverse of the order of application.

    Args:
        to: Undo everything applied after this id (or version), which is kept.

    Raises:
        PlanError: `to` is not applied, or one of them is irreversible.
        LedgerMismatch: The file of one of them is missing.
    """
    begun = (one for one in ledger.unfinished if one.applied_at is None)  # newer than all applied
    order = [entry.id for entry in (*ledger.applied, *begun)]
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
            finding = _mismatch(Entry(id, State.MISSING, None, ledger.by_id[id]), migrations)
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
