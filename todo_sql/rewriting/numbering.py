"""Versions for the files of a sequence; pending migrations after them move on for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from todo_sql.migrations.files.migration import Migration

Renumbered = tuple[tuple[str, str], ...]
"""The ids of pending migrations as they are, each with the one that it gets."""


class NoRoom(Exception):
    """A migration that was applied, or begun, has a version that a sequence needs: its id."""


class Numbers:
    """The versions of a project, as sequences take the places of some of its migrations.

    Args:
        migrations: All of the project's.
        movable: The ids of those that may get a later version: nothing of them was run.
    """

    def __init__(self, migrations: Iterable[Migration], movable: Iterable[str]) -> None:
        self._ids = {one.id: one.id for one in migrations}
        self._movable = frozenset(movable)

    def place(self, migration: Migration, slugs: Sequence[str]) -> tuple[list[str], Renumbered]:
        """Return the ids of a sequence, in the place of its original, and who moves on for it.

        Raises:
            NoRoom: Nobody may move.
        """
        own = self._ids[migration.id][:14]
        others = {id: now[:14] for id, now in self._ids.items() if id != migration.id}
        before = max((version for version in others.values() if version < own), default="")
        after = min((version for version in others.values() if version > own), default="9" * 14)
        count = len(slugs)
        for back in range(count):
            versions = [_later(own, number - back) for number in range(count)]
            if before < versions[0] and versions[-1] < after:
                moved: dict[str, str] = {}
                break
        else:
            versions = [_later(own, number) for number in range(count)]
            moved = self._moved(own, count, others)
        del self._ids[migration.id]
        self._ids |= moved
        stem = migration.id[15:]
        ids = [
            f"{version}_{stem}_{number + 1}_{slug}"
            for number, (version, slug) in enumerate(zip(versions, slugs, strict=True))
        ]
        self._ids |= {id: id for id in ids}
        return ids, tuple(moved.items())

    def _moved(self, own: str, count: int, others: dict[str, str]) -> dict[str, str]:
        """Return who has to move, from the next one on, until there is room."""
        moved: dict[str, str] = {}
        taken = count
        for id, version in sorted(others.items(), key=lambda one: one[1]):
            if version <= own:
                continue
            if version > _later(own, taken - 1):
                break
            if id not in self._movable:
                raise NoRoom(self._ids[id])
            moved[id] = _later(own, taken) + self._ids[id][14:]
            taken += 1
        return moved


def _later(version: str, seconds: int) -> str:
    try:
        then = datetime.strptime(version, "%Y%m%d%H%M%S") + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        number = int(version) + seconds
        return f"{number:014d}" if number >= 0 else ""
    return f"{then.year:04d}{then:%m%d%H%M%S}"
