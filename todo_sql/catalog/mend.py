"""The statements that turn one catalog into another, in an order in which they run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from todo_sql.catalog.changes import change, change_grant, drop
from todo_sql.catalog.columns import alter_column, set_default
from todo_sql.catalog.ddl import BY_HAND, refresh
from todo_sql.catalog.diff import Difference
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import index_name, target
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.steps import steps

# What keeps a column from changing its type.
_BLOCKING = ("view", "materialized_view", "rule", "policy", "trigger", "function")
_BLOCKED = {"type", "collation"}
# What is never dropped to be made again.
_FULL = ("table", "column", "type", "domain")


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


def mend(differences: Sequence[Difference], before: Snapshot, after: Snapshot) -> list[Mended]:
    """Return what turns `before` into `after`, so that running it from top to bottom works.

    A new object comes with all that belongs to it (a table with its indexes, policies, …); one
    that has to be made again takes along what stands on it.
    """
    return _Mending(differences, before, after).run()


class _Mending:
    def __init__(
        self, differences: Sequence[Difference], before: Snapshot, after: Snapshot
    ) -> None:
        # The statements are for the server of `before`.
        self._before, self._after = before, replace(after, version=before.version)
        self._units = [Mended(difference) for difference in differences]
        self._dropped: dict[str, int] = {}
        self._made: dict[str, int] = {}
        self._edges: dict[int, set[int]] = {number: set() for number in range(len(self._units))}
        self._chain: list[int] = []
        self._absorbed: set[int] = set()
        self._users: dict[str, list[str]] = {}
        for part, needs in before.needs.items():
            for need in needs:
                self._users.setdefault(need, []).append(part)

    def run(self) -> list[Mended]:
        """Return the units in order, with their statements."""
        remade = self._decide()
        for number in remade:
            if number not in self._absorbed:
                self._make_again(number)
        self._create()
        self._bind()
        return [self._units[number] for number in self._sorted()]

    def _decide(self) -> list[int]:
        """Note the changes and drops; return what has to be made again."""
        again = []
        for number, unit in enumerate(self._units):
            old, new = unit.difference.before, unit.difference.after
            if old is None:
                continue
            if new is None:
                self._dropped |= dict.fromkeys(_closure([old.key], self._before), number)
                if not self._with_parent(unit.difference):
                    unit.statements += drop(old, self._before)
                continue
            changed = unit.difference.changes.keys()
            made = change(old, new, changed, self._before, self._after)
            if made is None or (made and new.kind == "column" and changed & _BLOCKED):
                again.append(number)
            unit.statements += made or ()
            self._made[new.key] = number
        return again

    def _with_parent(self, difference: Difference) -> bool:
        """Whether the same is said of the parent that a child or partition has it from."""
        item = difference.item
        if item.kind not in ("column", "constraint") or not item.parent:
            return False
        side = self._before if difference.after is None else self._after
        table = side.items.get(item.parent)
        above = table.attributes.get("inherits") if table else None
        table_name = item.parent.split(" ", 1)[1]
        twin = (
            f"column {above}{item.name.removeprefix(table_name)}"
            if item.kind == "column"
            else f"constraint {item.name.removesuffix(table_name)}{above}"
        )
        other = self._after if difference.after is None else self._before
        return bool(above) and twin in side.items and twin not in other.items

    def _make_again(self, number: int) -> None:
        unit = self._units[number]
        old, new = unit.difference.before, unit.difference.after
        assert old is not None and new is not None
        whole = not unit.statements
        standing = self._standing_on(old.key, whole)
        kept = [key for key in standing if key in self._after.items]
        if any(self._before.items[key].kind in _FULL for key in standing):
            unit.statements[:] = [f"{BY_HAND}make {old.key} again: what holds rows stands on it"]
            return
        gone = [*standing, *([old.key] if whole else [])]
        columns = list(self._defaults_on(gone))
        drops = [
            f"{alter_column(self._before.items[key], self._before)} drop default" for key in columns
        ]
        for key in gone:
            if key not in self._dropped:
                drops += drop(self._before.items[key], self._before)
        keys = _closure([*kept, *([new.key] if whole else [])], self._after)
        made: list[str] = []
        for step in steps(self._after, keys):
            made += step.statements
            if step.node == step.key:
                made += self._as_born(self._after.items[step.key])
        for key in columns:
            column = self._after.items.get(key)
            if column is not None and column["default"] is not None:
                made += set_default(column, self._after)
        for key in [old.key, *kept]:
            view, then = self._before.items[key], self._after.items[key]
            if view.kind == "materialized_view" and view["populated"] and not then["populated"]:
                made += refresh(then, self._after)
        unit.statements[:] = [*drops, *unit.statements, *made]
        for key in keys:
            other = self._made.get(key)
            if other is not None and other != number:
                self._absorbed.add(other)
                self._units[other].statements.clear()
            self._made[key] = number

    def _standing_on(self, key: str, whole: bool) -> list[str]:
        """Return what has to go before an object can, in the order in which it can."""
        found: dict[str, None] = {}
        seen = {key}

        def visit(at: str) -> None:
            for part in self._users.get(at, ()):
                user = part.split(" ", 1)[1] if part.startswith(("query ", "attach ")) else part
                item = self._before.items.get(user)
                if item is None or user in seen or self._gone_with(item, key):
                    continue
                if at == key and not whole and item.kind not in _BLOCKING:
                    continue  # PostgreSQL itself makes indexes and constraints again
                seen.add(user)
                visit(user)
                found[user] = None

        visit(key)
        return list(found)

    def _gone_with(self, item: Item, key: str) -> bool:
        parent = item.parent
        while parent:
            if parent == key:
                return True
            above = self._before.items.get(parent)
            parent = above.parent if above else None
        return False

    def _defaults_on(self, keys: Collection[str]) -> Iterator[str]:
        """Yield the columns whose default names one of some objects."""
        for part, needs in self._before.needs.items():
            if part.startswith("default ") and needs & set(keys):
                column = part.replace("default", "column", 1)
                item = self._before.items.get(column)
                if item is not None and column not in keys and not item["generated"]:
                    yield column

    def _create(self) -> None:
        """Spread the steps that make new objects over the differences that tell of them."""
        numbers: dict[str, int] = {}
        for number, unit in enumerate(self._units):
            new = unit.difference.after
            if unit.difference.before is None and new is not None:
                if self._with_parent(unit.difference):
                    continue
                keys = _closure([new.key], self._after)
                numbers |= {key: number for key in keys if key not in self._before.items}
        at: dict[int, int] = {}
        placed: dict[str, int] = {}
        for step in steps(self._after, numbers.keys() - self._made.keys()):
            number = numbers[step.key]
            if number not in at:
                at[number] = len(self._chain)
                self._chain.append(number)
            place = max([at[number], *(placed[need] for need in step.needs if need in placed)])
            placed[step.node] = place
            item = self._after.items[step.key]
            index = self._before.items.get(f"index {_index_of(item)}")
            if index is not None and index["constraint"] is None and index.key not in self._dropped:
                self._units[self._chain[place]].statements.append(f"drop index {index.name}")
            self._units[self._chain[place]].statements += step.statements
            if step.node == step.key:
                self._units[self._chain[place]].statements += self._as_born(item)
        for key, number in numbers.items():
            self._made.setdefault(key, number)

    def _as_born(self, item: Item) -> Iterator[str]:
        """Yield what takes back the default privileges that a new object is born with."""
        what = _BORN.get(item.kind)
        for default in self._before.of("default_privilege") if what else ():
            schema = item.name.split(".", 1)[0] if "." in item.name else None
            if (
                default["target"] != what
                or default["owner"] != "current_user"
                or (default["schema"] is not None and default["schema"] != schema)
            ):
                continue
            on = f"table {item.name}" if what == "tables" else target(item)
            on = on.replace("aggregate ", "function ", 1).replace("(*)", "()")
            key = f"grant {on} to {default['grantee']}"
            bare = {"target": on, "grantee": default["grantee"], "granted": None, "revoked": None}
            wanted = self._after.items.get(key) or Item("grant", key[6:], item.key, bare)
            born = replace(wanted, attributes={**wanted.attributes, **_given(default)})
            yield from change_grant(born, wanted, self._after)

    def _bind(self) -> None:
        """Note which difference has to be ended before which."""
        for a, b in zip(self._chain, self._chain[1:], strict=False):
            self._edges[b].add(a)
        for part, needs in self._before.needs.items():
            for need in needs:
                self._edge(self._at(part, True), self._at(need, True), self._dropped)
        for part, needs in self._after.needs.items():
            for need in needs:
                self._edge(self._at(need, False), self._at(part, False), None)
        names = {_relation(key): number for key, number in self._dropped.items()}
        for key, number in self._made.items():
            clash = names.get(_relation(key))
            if _relation(key) and clash is not None and clash != number:
                self._edges[number].add(clash)

    def _at(self, part: str, gone: bool) -> int | None:
        key = part
        for prefix, kind in (
            ("default ", "column "),
            ("query ", ""),
            ("attach ", ""),
            ("owned ", ""),
        ):
            if part.startswith(prefix):
                key = part.replace(prefix, kind, 1)
        if gone and key in self._dropped:
            return self._dropped[key]
        return self._made.get(key)

    def _edge(self, first: int | None, then: int | None, one_of: dict[str, int] | None) -> None:
        if first is None or then is None or first == then:
            return
        if one_of is None or first in one_of.values() or then in one_of.values():
            self._edges[then].add(first)

    def _sorted(self) -> Iterator[int]:
        chained = set(zip(self._chain[1:], self._chain, strict=False))
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
        waiting: list[tuple[bool, int]] = []
        while sorter.is_active():
            for number in sorter.get_ready():
                is_drop = self._units[number].difference.after is None
                heappush(waiting, (not is_drop, -number if is_drop else number))
            _, number = heappop(waiting)
            number = abs(number)
            yield number
            sorter.done(number)


def _closure(keys: Iterable[str], snapshot: Snapshot) -> list[str]:
    """Return some keys with those of all that belongs to their objects."""
    found = list(dict.fromkeys(keys))
    for key in found:
        found += [item.key for item in snapshot.parts(key) if item.key not in found]
    return found


def _relation(key: str) -> str | None:
    """Return the name of an object that shares its names with relations and types."""
    for kind in ("table", "view", "materialized view", "sequence", "index", "type", "domain"):
        if key.startswith(f"{kind} "):
            return key.removeprefix(f"{kind} ")
    return None


# The kinds that default privileges are for, as they name them.
_BORN = {
    "table": "tables",
    "view": "tables",
    "materialized_view": "tables",
    "sequence": "sequences",
    "function": "functions",
    "type": "types",
    "domain": "types",
    "schema": "schemas",
}


def _given(default: Item) -> dict[str, str | None]:
    return {name: default[name] for name in ("granted", "revoked")}


def _index_of(item: Item) -> str | None:
    if item.kind != "constraint" or item["form"] not in ("primary key", "unique", "exclude"):
        return None
    return index_name(item)
