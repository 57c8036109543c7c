"""Proves that expand files before contract files make what the order of the ids makes.

A new database is migrated by id, one in use in phases: where the two differ, what runs in
development is not what production gets. Both are run on copies. Where they differ, the pair of
files is looked for by halves: between the two orders lie orders that differ in two neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import psycopg

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.errors import Finding, TodoSqlError
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.phases import in_phases

PHASES = "expand, then contract"
_SHOWN = 5  # differences

Scratch = Callable[[], AbstractContextManager[str]]  # the URL of an empty scratch database
Swap = tuple[Migration, Migration]
"""Two neighbours: one that waits for the contract phase, and one that comes behind it by its id."""


def differing(scratch: Scratch, migrations: MigrationSet) -> tuple[Finding, ...] | None:
    """Return how the two orders differ; None: they are one, or nothing can be said."""
    by_id, by_phase = list(migrations), in_phases(migrations)
    swaps = list(_swaps(by_id, by_phase))
    if not swaps:
        return None
    wanted = _make(scratch, migrations, by_id)
    if isinstance(wanted, Finding):
        return None  # is told already
    found = _make(scratch, migrations, by_phase)
    if _is_same(found, wanted):
        return ()
    same, other = 0, len(swaps)
    while other - same > 1:
        middle = (same + other) // 2
        tried = _make(scratch, migrations, _after(by_id, swaps[:middle]))
        if _is_same(tried, wanted):
            same = middle
        else:
            other, found = middle, tried
    return (_told(*swaps[other - 1], found, wanted),)


def _swaps(by_id: Sequence[Migration], by_phase: Sequence[Migration]) -> Iterator[Swap]:
    """Yield what turns one order into the other, neighbour by neighbour."""
    place = {migration.id: at for at, migration in enumerate(by_phase)}
    order = list(by_id)
    for begin in range(len(order) - 1, -1, -1):
        at = begin
        while at + 1 < len(order) and place[order[at].id] > place[order[at + 1].id]:
            yield order[at], order[at + 1]
            order[at], order[at + 1] = order[at + 1], order[at]
            at += 1


def _after(by_id: Sequence[Migration], swaps: Sequence[Swap]) -> list[Migration]:
    order = list(by_id)
    for late, early in swaps:
        at = order.index(late)
        order[at : at + 2] = [early, late]
    return order


def _make(
    scratch: Scratch, migrations: MigrationSet, order: Sequence[Migration]
) -> Snapshot | Finding:
    """Return what an order of migrations makes, or why it does not come to its end."""
    whole = replace(migrations, migrations=tuple(order), repeatables=(), hooks={})
    with scratch() as url:
        try:
            Migrator(url, whole).migrate()
        except TodoSqlError as error:
            return error.finding
        with psycopg.connect(url, autocommit=True) as connection:
            return take(connection)


def _is_same(found: Snapshot | Finding, wanted: Snapshot) -> bool:
    return isinstance(found, Snapshot) and not compare(found, wanted)


def _told(
    late: Migration, early: Migration, found: Snapshot | Finding, wanted: Snapshot
) -> Finding:
    if isinstance(found, Finding):
        what = "in phases it fails"
        cause = f"{found.place}: {found.message}" if found.place else found.message
    else:
        what = "in phases they make another catalog"
        differences = compare(found, wanted)
        cause = "in phases, and by id: " + "; ".join(map(str, differences[:_SHOWN]))
        if len(differences) > _SHOWN:
            cause += f"; and {len(differences) - _SHOWN} more"
    return Finding.error(
        "R908",
        f"{late.id} comes before {early.id} by id and after it in phases: {what}",
        late.forward.place_of_directive("phase"),
        cause=cause,
        fix=f"say `-- depends: {late.id}` in {early.id}, which then waits with it, or write the "
        "two so that their order is no matter",
    )
