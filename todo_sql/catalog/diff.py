"""What differs between two catalogs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from todo_sql.catalog.item import Item
from todo_sql.catalog.snapshot import Snapshot, rank

DATA = frozenset({"populated", "inherited"})
"""Attributes that say what an object holds, or how it came to be, not what it is."""

_OF_VERSION = frozenset({"not_null_name", "version"})
"""Attributes that another major version has by itself."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is missing on a side, or is not the same on both.

    Attributes:
        before: The object as it was, or None: it is new.
        after: The object as it is, or None: it is gone.
        across_majors: Whether the sides are of different major versions.
    """

    before: Item | None
    after: Item | None
    across_majors: bool = False

    @property
    def item(self) -> Item:
        """The object, from whichever side has it."""
        item = self.after or self.before
        assert item is not None
        return item

    @property
    def kind(self) -> str:
        """The kind of object, such as ``column``."""
        return self.item.kind

    @property
    def object(self) -> str:
        """The object's name, such as ``public.tasks.title``."""
        return self.item.name

    @property
    def changes(self) -> Mapping[str, tuple[Any, Any]]:
        """The attributes that differ, before and after; empty when a side lacks the object."""
        if self.before is None or self.after is None:
            return {}
        before, after = self.before.attributes, self.after.attributes
        ignored = _OF_VERSION if self.across_majors else frozenset()
        return {
            name: (before.get(name), after.get(name))
            for name in sorted({*before, *after} - DATA - ignored)
            if before.get(name) != after.get(name)
        }

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.item.key}"
        if self.after is None:
            return f"- {self.item.key}"
        parts = (f"{name}: {old!r} -> {new!r}" for name, (old, new) in self.changes.items())
        return f"~ {self.item.key}: " + "; ".join(parts)


def compare(before: Snapshot, after: Snapshot) -> list[Difference]:
    """Return what differs, in the order in which objects can be made; empty: identical.

    An object whose parent is missing on one side is not reported beside its parent, and a
    column's position is its rank among the columns that both sides have.
    """
    exchanged = _exchanged(before, after)
    lost = before.items.keys() - after.items.keys() | exchanged
    new = after.items.keys() - before.items.keys() | exchanged
    gone, made = (before.items[key] for key in lost), (after.items[key] for key in new)
    found = [Difference(item, None) for item in gone if item.parent not in lost]
    found += [Difference(None, item) for item in made if item.parent not in new]
    common = before.items.keys() & after.items.keys() - exchanged
    other = {
        before.items[key].parent
        for key in common
        if before.items[key].attributes.get("inherited")
        != after.items[key].attributes.get("inherited")
    }
    old, now = _ranked(before, common, other), _ranked(after, common, other)
    across = before.version // 10000 != after.version // 10000
    for key in common:
        if old[key].attributes != now[key].attributes:
            difference = Difference(old[key], now[key], across)
            if difference.changes:
                found.append(difference)
    return sorted(found, key=lambda difference: rank(difference.item))


def _exchanged(before: Snapshot, after: Snapshot) -> set[str]:
    """Return what belongs to objects that gave way to others of the same name.

    A table's columns are not those of the view that took its place.
    """
    found: set[str] = set()

    def belongs(key: str) -> bool:
        old, new = before.items[key].parent, after.items[key].parent
        if old == new:
            return old in found
        return old not in after.items and new not in before.items

    pairs = [key for key in before.items if key in after.items and before.items[key].parent]
    while more := {key for key in pairs if key not in found and belongs(key)}:
        found |= more
    return found


def _ranked(snapshot: Snapshot, common: Set[str], other: Set[str | None]) -> dict[str, Item]:
    """Return the common items, columns with their rank; in `other` tables no rank is told."""
    ranked = {}
    following: dict[str | None, int] = {}
    for key, item in snapshot.items.items():
        if key not in common:
            continue
        if item.kind == "column":
            position = following[item.parent] = following.get(item.parent, 0) + 1
            position = 0 if item.parent in other else position
            item = replace(item, attributes={**item.attributes, "position": position})
        ranked[key] = item
    return ranked
