"""The statements that make many objects, each after what it needs. Pure.

As pg_dump does it: an object is made whole where that can be, and where objects need each
other in a circle, one of them is made in two steps: a column's default, a constraint, a view's
query or a type's definition follows when all that it names is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from math import inf
from typing import TypeVar

from todo_sql.catalog import ddl
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import names
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.table_ddl import in_table

T = TypeVar("T", int, str)

_MAIN = "types, functions, sequences, tables and views, each after what it needs"
_GROUPS = (
    *("schema", "extension", _MAIN, "partitions", "index", "constraint", "indexes of partitions"),
    *("foreign key", "statistics", "trigger", "rule", "policy", "publication", "grant"),
    *("default privilege", "comment", "security label", "database setting"),
    *("materialized views, filled", "event trigger"),
)
_PARTS = {"table": "partitions", "index": "indexes of partitions"}  # by what is attached
_SHELL = 3  # what it costs to make a type in two steps
_MAIN_ORDER = ("other", "shell", "type", "domain", "function", "sequence", "table", "owned", "view")


@dataclass(frozen=True, slots=True)
class CatalogStep:
    """Statements that run together.

    Attributes:
        key: Of the object that they make, or finish.
        node: Unique: the key, or that of a part: ``default public.t.c``.
        group: What a script says above all steps of this sort.
        needs: The nodes that come before.
    """

    key: str
    node: str
    group: str
    statements: tuple[str, ...]
    needs: frozenset[str]


def steps(snapshot: Snapshot, keys: Collection[str] | None = None) -> list[CatalogStep]:
    """Return how to make the objects of some keys (default: all), in an order that works."""
    chosen = snapshot.items.keys() if keys is None else set(keys)
    apart = {  # a view that reads itself
        part
        for part, needed in snapshot.needs.items()
        if part.startswith("query view ")
        and any(need.startswith(f"column {part[11:]}.") for need in needed)
    }
    ignored: set[tuple[str, str]] = set()
    while True:
        plan = _Plan(snapshot, chosen, apart)
        graph = {
            node: {need for need in needs if (node, need) not in ignored}
            for node, needs in plan.needs.items()
        }
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
        except CycleError as error:
            circle = error.args[1]
            parts = plan.splittable(list(zip(circle[1:], circle, strict=False)))
            if parts:
                apart |= parts
            else:
                ignored.add((circle[1], circle[0]))
            continue
        return [
            CatalogStep(plan.items[node].key, node, plan.group(node), made, frozenset(graph[node]))
            for node in in_turn(sorter, plan.rank)
            if (made := plan.statements(node))
        ]


def in_turn(sorter: TopologicalSorter[T], rank: Callable[[T], tuple[int, ...]]) -> Iterator[T]:
    """Yield the nodes of a graph: of those that may come next, that of the lowest rank."""
    waiting: list[tuple[tuple[int, ...], T]] = []
    while sorter.is_active():
        for node in sorter.get_ready():
            heappush(waiting, (rank(node), node))
        node = heappop(waiting)[-1]
        yield node
        sorter.done(node)


class _Plan:
    """The nodes of a graph: objects, and the parts of them that are made apart.

    Attributes:
        items: By node, the object that it makes or finishes.
        needs: By node, the nodes that come before, with the parts that say so.
    """

    def __init__(self, snapshot: Snapshot, chosen: Collection[str], apart: Set[str]) -> None:
        self._snapshot = snapshot
        self._apart = apart
        self.items: dict[str, Item] = {}
        self._home: dict[str, str] = {}
        self._number = {key: number for number, key in enumerate(snapshot.items)}
        for key, item in snapshot.items.items():
            if key in chosen:
                for node, parts in self._nodes(item, chosen):
                    self.items[node] = item
                    self._home |= dict.fromkeys(parts, node)
        self.needs: dict[str, dict[str, set[str]]] = {node: {} for node in self.items}
        for part, needed in snapshot.needs.items():
            for need in needed if part in self._home else ():
                node, other = self._home[part], self._home.get(need)
                if f"shell {need}" in apart and self.items[node].kind == "function":
                    other = f"shell {need}"
                if other and other != node:
                    self.needs[node].setdefault(other, set()).add(part)
        for node in self.items:  # what is finished later was begun before
            begun = node.removeprefix("shell ")
            if begun != node:
                self.needs[begun].setdefault(node, set()).add(begun)
            for key in self._begun(node):
                if key in self.items and key != node:
                    self.needs[node].setdefault(key, set()).add(node)

    def _nodes(self, item: Item, chosen: Collection[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield the nodes of an object, each with the keys that stand for it."""
        key, apart = item.key, self._apart
        parent = item.parent if item.parent in chosen else None
        may_be_inline = item.kind == "constraint" and key not in apart
        if item.kind == "column":
            home = parent or key
            default = f"default {item.name}"
            if home == key:
                yield key, [key]
            else:
                self._home[key] = home
            if default in apart:
                yield default, [default]
            else:
                self._home[default] = home
        elif parent and may_be_inline and in_table(item, self._snapshot):
            self._home[key] = parent
        elif not item.attributes.get("inherited") and not item.attributes.get("identity"):
            yield key, [key] if f"query {key}" in apart else [key, f"query {key}"]
            for part in ("query", "owned", "attach", "shell"):
                name = f"{part} {key}"
                if name in apart or (part in ("owned", "attach") and name in self._snapshot.needs):
                    yield name, [name]
            if item.kind == "materialized_view" and item["populated"]:
                yield f"refresh {key}", [f"refresh {key}"]

    def _begun(self, node: str) -> Iterator[str]:
        item = self.items[node]
        if node == item.key:
            return
        if node.startswith("refresh "):
            yield item.key
            below = [f"query {item.key}"]
            for key in below:  # grows
                found = self._snapshot.needs.get(key, ())
                below += [
                    new for need in found for new in (need, f"query {need}") if new not in below
                ]
                yield f"refresh {key}"
        elif node.startswith("default "):
            yield self._home.get(item.key, item.key)
        elif node.startswith("query "):
            yield item.key

    def splittable(self, edges: list[tuple[str, str]]) -> set[str]:
        """Return the parts to make apart, so that one of the edges of a circle is gone."""
        best: tuple[float, set[str]] = inf, set()
        for node, need in edges:
            parts = self.needs[node].get(need, {node})
            cost = max(self._cost(part, node, need) for part in parts)
            if cost < best[0]:
                best = cost, {f"shell {need}"} if cost == _SHELL else set(parts)
        return best[1]

    def _cost(self, part: str, node: str, need: str) -> float:
        items = self._snapshot.items
        if part.startswith("default "):
            column = items[part.replace("default", "column", 1)]
            return inf if column["generated"] or part == node else 0
        if part.startswith("query view ") and part != node:
            return 2
        item = items.get(part)
        if item is not None and item.kind == "constraint" and part != node:
            return 1
        other = self.items[need]
        if self.items[node].kind == "function" and need == other.key and other.kind == "type":
            return _SHELL if other["form"] in ("base", "range") else inf
        return inf

    def rank(self, node: str) -> tuple[int, int, int]:
        """Return a sort key for steps that do not need each other."""
        group = self.group(node)
        item = self.items[node]
        part = node.split(" ")[0]
        kind = part if part in ("shell", "owned") else item.kind
        main = _MAIN_ORDER.index(kind) if kind in _MAIN_ORDER else len(_MAIN_ORDER)
        number = self._number[item.key]
        if kind == "constraint" and item["form"] == "check":
            # A table's adds itself to its children, and takes one that stands there already.
            number -= len(self._number) * self._depth(item.parent)
        return _GROUPS.index(group), main, number

    def _depth(self, key: str | None) -> int:
        """Return how many generations a table has above it."""
        item = self._snapshot.items.get(key or "")
        above = names(item.attributes.get("inherits")) if item else ()
        return max((1 + self._depth(f"table {name}") for name in above), default=0)

    def group(self, node: str) -> str:
        """Return what a script says above a step."""
        item = self.items[node]
        kind = item.kind.replace("_", " ")
        if node.startswith("attach "):
            kind = _PARTS[kind]
        elif node.startswith("refresh "):
            kind = "materialized views, filled"
        elif kind == "constraint" and item["form"] == "foreign key":
            kind = "foreign key"
        elif (item.parent or "").startswith("event trigger "):
            kind = "event trigger"
        return kind if kind in _GROUPS else _MAIN

    def statements(self, node: str) -> tuple[str, ...]:
        """Return what a step runs."""
        item = self.items[node]
        if node == item.key:
            return tuple(ddl.create(item, self._snapshot, self._apart))
        return tuple(ddl.finish(node.split(" ")[0], item, self._snapshot))
