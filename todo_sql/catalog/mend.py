"""The statements that turn one catalog into another, in an order in which they run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from todo_sql.catalog.belonging import (
    belongs,
    closure,
    family,
    index_of,
    object_of,
    relation_of,
    twins_above,
    users_of,
)
from todo_sql.catalog.changes import bound_changes, change, change_grant, drop, let_go
from todo_sql.catalog.columns import alter_column, rename_not_nulls, set_default
from todo_sql.catalog.counting import recount
from todo_sql.catalog.ddl import again, finish, is_again, later
from todo_sql.catalog.diff import Difference
from todo_sql.catalog.item import Item
from todo_sql.catalog.mend_order import Mended, Order
from todo_sql.catalog.names import target
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.steps import CatalogStep, steps

# What keeps a column from changing its type.
_BLOCKING = ("view", "materialized_view", "rule", "policy", "trigger", "function")
_BLOCKED = {"type", "collation"}
# What is never dropped to be made again.
_FULL = ("table", "column", "type", "domain")


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
        self._chain: list[int] = []
        self._absorbed: set[int] = set()
        self._users = users_of(before)
        self._again: dict[str, int] = {}
        self._left: set[str] = set()

    def run(self) -> list[Mended]:
        """Return the units in order, with their statements."""
        remade = self._decide()
        self._exchange()
        for number in remade:
            if number not in self._absorbed:
                self._make_again(number)
        self._count_on()
        self._leave()
        self._create()
        sides = self._before, self._after
        order = Order(self._units, *sides, self._dropped, self._made, self._chain)
        return [self._units[number] for number in order.sorted()]

    def _decide(self) -> list[int]:
        """Note the changes and drops; return what has to be made again."""
        again = []
        for number, unit in enumerate(self._units):
            old, new = unit.difference.before, unit.difference.after
            if old is None:
                continue
            if new is None:
                self._dropped |= dict.fromkeys(closure([old.key], self._before), number)
                if let_go(old, self._before, self._after):
                    kept = replace(old, attributes={**old.attributes, "of_partition": False})
                    unit.statements += drop(kept, self._before)
                elif not self._with_parent(unit.difference):
                    unit.statements += drop(old, self._before)
                continue
            changed = unit.difference.changes.keys()
            made = change(old, new, changed, self._before, self._after)
            if made is None or (made and new.kind == "column" and changed & _BLOCKED):
                again.append(number)
            unit.statements += made or ()
            if new.kind == "table" and "inherits" in changed:
                unit.statements += rename_not_nulls(old, self._before, self._after)
            self._made[new.key] = number
        return again

    def _exchange(self) -> None:
        """Take along what stands on an object that another one of its name replaces."""
        made = {
            name: number
            for number, unit in enumerate(self._units)
            if unit.difference.before is None
            and (name := relation_of(unit.difference.item)) is not None
        }
        users = users_of(self._after)
        for number, unit in enumerate(self._units):
            old = unit.difference.before
            other = made.get(relation_of(old) or "") if old else None
            if old is None or other is None or unit.difference.after is not None:
                continue
            new = self._units[other].difference.item
            using = [new.key]
            for key in using:  # grows
                using += {object_of(part) for part in users.get(key, ())}.difference(using)
            standing = self._standing_on(old.key, True)
            kept = [key for key in standing if key in using]
            if full := [key for key in kept if self._before.items[key].kind in _FULL]:
                said = again(new, f"what holds rows stands on {old.key}")
                unit.statements[:], self._units[other].statements[:] = [], [said]
                self._left |= {old.key, new.key, *full}
                continue
            gone = [key for key in standing if key in kept or key in self._dropped] if kept else []
            for lost in [self._dropped[key] for key in gone if key in self._dropped]:
                self._units[lost].statements.clear()
            unit.statements[:0] = self._drops(gone)
            self._dropped |= dict.fromkeys(closure(gone, self._before), number)
            for key in closure(kept, self._after):
                self._again[key] = other
                self._absorb(self._made.pop(key, None), other)

    def _drops(self, keys: Iterable[str]) -> list[str]:
        return [text for key in keys for text in drop(self._before.items[key], self._before)]

    def _absorb(self, number: int | None, into: int) -> None:
        if number is not None and number != into:
            self._absorbed.add(number)
            self._units[number].statements.clear()

    def _count_on(self) -> None:
        """Keep the numbers of columns that begin or cease to count by themselves."""
        for number, unit in enumerate(self._units):
            old, new = unit.difference.before, unit.difference.after
            if old is None or new is None or old.kind != "column" or number in self._absorbed:
                continue
            if not (unit.statements or old["identity"]) or not (old["identity"] or new["identity"]):
                continue
            first, last, settled = recount(old, new, self._before, self._after, self._made_of)
            unit.statements[:] = [*first, *unit.statements, *last]
            if settled:
                self._absorb(self._made.get(settled, self._dropped.get(settled)), number)
                self._made[settled] = number

    def _leave(self) -> None:
        """Say nothing of what belongs to objects that have to be made again by hand."""
        for unit in self._units:
            if unit.difference.before is not None and any(map(is_again, unit.statements)):
                self._left.add(unit.difference.item.key)
        self._left = set(family(self._left, self._before)) | set(family(self._left, self._after))
        for unit in self._units:
            item = unit.difference.item
            if item.key in self._left:
                unit.statements[:] = filter(is_again, unit.statements)
            elif unit.difference.after is None:
                kept = self._left & {object_of(part) for part in self._users.get(item.key, ())}
                if kept:
                    unit.statements[:] = [later(item, min(kept))]

    def _with_parent(self, difference: Difference) -> bool:
        """Whether the same is said of the parent that a child or partition has it from."""
        if difference.kind not in ("column", "constraint"):
            return False
        sides = [self._before, self._after]
        side, other = sides if difference.after is None else reversed(sides)
        twins = twins_above(difference.item, side)
        return any(twin in side.items and twin not in other.items for twin in twins)

    def _make_again(self, number: int) -> None:
        unit = self._units[number]
        old, new = unit.difference.before, unit.difference.after
        assert old is not None and new is not None
        whole = not unit.statements
        standing = [key for key in self._standing_on(old.key, whole) if key not in self._dropped]
        kept = [key for key in standing if key in self._after.items]
        if full := [key for key in standing if self._before.items[key].kind in _FULL]:
            self._left |= {old.key, *full}
            unit.statements[:] = [again(old, "what holds rows stands on it")]
            return
        gone = [*standing, *([old.key] if whole else [])]
        columns = list(self._defaults_on(gone))
        drops = [
            f"{alter_column(self._before.items[key], self._before)} drop default" for key in columns
        ]
        drops += self._drops(key for key in gone if key not in self._dropped)
        owned = [
            one.key
            for one in (self._after.of("sequence", new.parent) if new.kind == "column" else ())
            if one["owned_by"] == new.name and one.key not in self._before.items
        ]
        keys = closure([*kept, *([new.key, *owned] if whole else [])], self._after)
        restored = self._restored(columns, [old.key, *kept])
        unit.statements[:] = [*drops, *unit.statements, *self._made_of(keys), *restored]
        for key in keys:
            self._absorb(self._made.get(key), number)
            self._made[key] = number
        for unit in self._units if whole else ():
            lost = unit.difference.before if unit.difference.after is None else None
            tied = lost is not None and lost.attributes.get("owned_by") == old.name
            if lost is not None and (tied or belongs(lost, old.key, self._before)):
                unit.statements.clear()

    def _restored(self, columns: Iterable[str], keys: Iterable[str]) -> Iterator[str]:
        """Yield what gives columns their defaults back, and views the rows that they held."""
        for key in columns:
            column = self._after.items.get(key)
            if column is not None and column["default"] is not None:
                yield from set_default(column, self._after)
        for key in keys:
            view, then = self._before.items[key], self._after.items[key]
            if view.kind == "materialized_view" and view["populated"] and not then["populated"]:
                yield from finish("refresh", then, self._after)

    def _standing_on(self, key: str, whole: bool) -> list[str]:
        """Return what has to go before an object can, in the order in which it can."""
        found: dict[str, None] = {}
        seen = {key}

        def visit(at: str) -> None:
            for part in self._users.get(at, ()):
                user = part.split(" ", 1)[1] if part.startswith(("query ", "attach ")) else part
                item = self._before.items.get(user)
                if item is None or user in seen or belongs(item, key, self._before):
                    continue
                if at == key and not whole and item.kind not in _BLOCKING:
                    continue  # PostgreSQL itself makes indexes and constraints again
                seen.add(user)
                visit(user)
                found[user] = None

        visit(key)
        return list(found)

    def _defaults_on(self, keys: Collection[str]) -> Iterator[str]:
        """Yield the columns whose default names one of some objects."""
        for part, needs in self._before.needs.items():
            if part.startswith("default ") and needs & set(keys):
                column = part.replace("default", "column", 1)
                item = self._before.items.get(column)
                lost = column in keys or column in self._dropped
                if item is not None and not lost and not item["generated"]:
                    yield column

    def _create(self) -> None:
        """Spread the steps that make new objects over the differences that tell of them."""
        numbers = dict(self._again)
        for number, unit in enumerate(self._units):
            new = unit.difference.after
            if unit.difference.before is None and new is not None:
                if self._with_parent(unit.difference) or new.key in self._left:
                    continue
                attached = bound_changes(new, self._before, self._after) == "attached"
                along = new.kind == "trigger" or new.attributes.get("form") == "foreign key"
                if attached and along and new.attributes.get("of_partition"):
                    continue  # it comes with its parent's
                numbers |= {
                    key: number
                    for key in closure([new.key], self._after)
                    if key not in self._before.items or key in self._dropped
                }
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
            index = self._before.items.get(f"index {index_of(item)}")
            if index is not None and index["constraint"] is None and index.key not in self._dropped:
                self._units[self._chain[place]].statements.append(f"drop index {index.name}")
            self._units[self._chain[place]].statements += self._run_of(step)
        for key, number in numbers.items():
            self._made.setdefault(key, number)

    def _made_of(self, keys: Iterable[str]) -> Iterator[str]:
        """Yield what makes the objects of some keys, with all that belongs to them."""
        for step in steps(self._after, closure(keys, self._after)):
            yield from self._run_of(step)

    def _run_of(self, step: CatalogStep) -> Iterator[str]:
        yield from step.statements
        if step.node == step.key:
            yield from self._as_born(self._after.items[step.key])

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
            given = {name: default[name] for name in ("granted", "revoked")}
            born = replace(wanted, attributes={**wanted.attributes, **given})
            yield from change_grant(born, wanted, self._after)


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
