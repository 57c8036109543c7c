"""What runs before a release and what after it: the folder against the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from todo_sql.migrations.files.directives import Phase
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.migration_errors import PlanError
from todo_sql.migrations.succession import some


def held(
    migrations: MigrationSet, applied: Mapping[str, object] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the expand files that depend on contract files which are not done, with those."""
    done = applied or {}
    found: dict[str, tuple[str, ...]] = {}
    for migration in migrations:
        on: list[str] = []
        for name in migration.forward.directives.depends:
            other = migrations.by_id.get(name) or migrations.replaced.get(name)
            if other is not None and other.id not in done:
                on += [other.id] if other.forward.directives.contracts else found.get(other.id, ())
        if on and not migration.forward.directives.contracts and migration.id not in done:
            found[migration.id] = tuple(dict.fromkeys(on))
    return found


def in_phases(migrations: MigrationSet) -> tuple[Migration, ...]:
    """Return the migrations in the order of one release: expand, then contract."""
    late = held(migrations)
    return tuple(sorted(migrations, key=lambda m: m.forward.directives.contracts or m.id in late))


def waiting(migrations: MigrationSet, ledger: Ledger) -> dict[str, datetime]:
    """Return the files that were left out for a release, each with the time since when.

    A contract file waits from when everything before it was applied, or something behind it.
    """
    applied = {entry.id: entry.applied_at for entry in ledger.applied if entry.applied_at}
    holding = held(migrations, applied)
    order = list(migrations)
    found: dict[str, datetime] = {}
    before: list[datetime] = []
    complete = True
    for index, migration in enumerate(order):
        when = applied.get(migration.id)
        if when is not None:
            before.append(when)
            continue
        if migration.forward.directives.contracts:
            later = [applied[other.id] for other in order[index:] if other.id in applied]
            if before and (complete or later):
                found[migration.id] = max(before)
            elif later:
                found[migration.id] = min(later)
        elif on := [found[id] for id in holding.get(migration.id, ()) if id in found]:
            found[migration.id] = max(on)
        else:
            complete = False
    return found


def of_phase(
    migrations: MigrationSet, ledger: Ledger, todo: Sequence[Migration], phase: Phase | None
) -> list[Migration]:
    """Return what of the pending migrations runs in a phase (None: both), in order.

    An expand file that depends on a contract file goes with it.

    Raises:
        PlanError: An expand file is pending before a contract phase.
    """
    if phase is None:
        return list(todo)
    holding = held(migrations, {entry.id: entry for entry in ledger.applied})
    first = [m for m in todo if not m.forward.directives.contracts and m.id not in holding]
    if phase == "expand":
        return first
    if first:
        names = some([migration.id for migration in first])
        raise PlanError(
            f"the contract phase cannot begin: {names} of the expand phase "
            f"{'is' if len(first) == 1 else 'are'} pending",
            code="M217",
            cause="what contracts waits for the release that the expand phase comes before; "
            "nothing was changed",
            fix="run `todo-sql migrate --phase expand`, release, then the contract phase; or "
            "`todo-sql migrate` for both at once",
        )
    return list(todo)
