"""The order of the statements that turn one catalog into another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from todo_sql.catalog.belonging import inheriting, object_of, relation_of
from todo_sql.catalog.changes import let_go
from todo_sql.catalog.diff import Difference
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import names
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.steps import in_turn


@dataclass(slots=True)
class Mended:
    """One difference and what ends it.

    Attributes:
        difference: From `before` to `after`.
        statements: To run in the order of the list that it stands in; a comment where no
            statement can do it.
    """

    difference: Difference
    statements: list[str] = field(default_factory=list)


@dataclass
class Order:
    """Which difference has to be ended before which.

    Attributes:
        units: The differences with their statements.
        before: The catalog as it is.
        after: The catalog as it will be.
        dropped: The number of the unit that drops what a key names.
        made: The number of the unit that makes or changes it.
        chain: The numbers of those that make new objects, as they follow each other.
    """

    units: Sequence[Mended]
    before: Snapshot
    after: Snapshot
    dropped: Mapping[str, int]
    made: Mapping[str, int]
    chain: Sequence[int]

    def __post_init__(self) -> None:
        self._edges: dict[int, set[int]] = {number: set() for number in range(len(self.units))}
        for a, b in zip(self.chain, self.chain[1:], strict=False):
            self._edges[b].add(a)
        for part, needs in self.before.needs.items():
            for need in needs:
                if not self._stays(part, need) and not self._same_name(part, need):
                    self._edge(self._at(part, True), self._at(need, True), self.dropped)
        for part, needs in self.after.needs.items():
            for need in needs:
                if not self._stays(part, need):
                    self._edge(self._at(need, False), self._at(part, False), None)
        names = {
            name: number
            for key, number in self.dropped.items()
            if (name := relation_of(self.before.items[key])) is not None
        }
        for key, number in self.made.items():
            clash = names.get(relation_of(self.after.items[key]) or "")
            if clash is not None and clash != number:
                self._edges[number].add(clash)
        self._bind_parents()

    def _stays(self, part: str, need: str) -> bool:
        """Whether a sequence is tied to a column that is there before and after."""
        kept = need in self.before.items and need in self.after.items
        return part.startswith("owned ") and kept and need not in self.dropped

    def _same_name(self, part: str, need: str) -> bool:
        """Whether one is the other's index, or is let go with its table."""
        one, other = self.before.items.get(part), self.before.items.get(need)
        if one is None or other is None:
            return False
        if one.parent == need and let_go(one, self.before, self.after):
            return True
        return relation_of(one) is not None and relation_of(one) == relation_of(other)

    def _bind_parents(self) -> None:
        """Have a table as its new parents ask for before it is theirs, and free of old ones."""
        for number, unit in enumerate(self.units):
            old, new = unit.difference.before, unit.difference.after
            if old is None or new is None:
                continue
            if old.kind == "column" and old["not_null"] and not new["not_null"]:
                for key in inheriting(new, self.after):
                    self._edge(number, self.made.get(key), None)
            if old.kind != "table" or "inherits" not in unit.difference.changes:
                continue
            added = set(names(new["inherits"])) - set(names(old["inherits"]))
            for other, (lost, made) in enumerate(self._ends()):
                part = made or lost
                if part is None or part.parent != new.key:
                    continue
                if part.kind == "trigger":
                    first = bool(added)
                elif part.kind == "column" or part.attributes.get("form") == "check":
                    first = bool(made and added)
                elif let_go(part, self.before, self.after):
                    first = False
                else:
                    continue
                self._edges[number if first else other].add(other if first else number)
            if old["partition_bound"] and not new["partition_bound"]:
                for other, (lost, made) in enumerate(self._ends()):
                    above = lost is not None and lost.parent == f"table {old['inherits']}"
                    if lost and not made and above and lost.kind == "constraint":
                        self._edges[other].add(number)

    def _ends(self) -> list[tuple[Item | None, Item | None]]:
        return [(unit.difference.before, unit.difference.after) for unit in self.units]

    def _at(self, part: str, gone: bool) -> int | None:
        key = object_of(part)
        return self.dropped[key] if gone and key in self.dropped else self.made.get(key)

    def _edge(self, first: int | None, then: int | None, one_of: Mapping[str, int] | None) -> None:
        if first is None or then is None or first == then:
            return
        if one_of is None or first in one_of.values() or then in one_of.values():
            self._edges[then].add(first)

    def sorted(self) -> Iterator[int]:
        """Yield the numbers of the units; a circle is cut where no chain holds."""
        chained = set(zip(self.chain[1:], self.chain, strict=False))
        while True:
            sorter = TopologicalSorter(self._edges)
            try:
                sorter.prepare()
                break
            except CycleError as error:
                circle = error.args[1]
                pairs = list(zip(circle[1:], circle, strict=False))
                then, first = next((pair for pair in pairs if pair not in chained), pairs[0])
                self._edges[then].discard(first)
        drops = {number for number, (_, made) in enumerate(self._ends()) if made is None}
        # Drops come first, the last one before all others.
        return in_turn(sorter, lambda number: (0, -number) if number in drops else (1, number))
