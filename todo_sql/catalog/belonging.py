"""What belongs to the objects of a catalog, stands on them, or bears their names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, index_name, names, table_of
from todo_sql.catalog.snapshot import Snapshot

# The parts that `Snapshot.needs` speaks of, and what they are parts of.
_PARTS = {"default ": "column ", "query ": "", "attach ": "", "owned ": ""}


def closure(keys: Iterable[str], snapshot: Snapshot) -> list[str]:
    """Return some keys with those of all that belongs to their objects."""
    found = list(dict.fromkeys(keys))
    for key in found:
        found += [item.key for item in snapshot.parts(key) if item.key not in found]
    return found


def relation_of(item: Item) -> str | None:
    """Return the name that an object shares with no other relation or type."""
    if item.kind in ("table", "view", "materialized_view", "sequence", "index", "type", "domain"):
        return item.name
    return index_of(item)


def object_of(part: str) -> str:
    """Return the key of the object that a part belongs to."""
    for prefix, kind in _PARTS.items():
        if part.startswith(prefix):
            return part.replace(prefix, kind, 1)
    return part


def users_of(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return by key what stands on it."""
    users: dict[str, list[str]] = {}
    for part, needs in snapshot.needs.items():
        for need in needs:
            users.setdefault(need, []).append(part)
    return users


def belongs(item: Item, key: str, snapshot: Snapshot) -> bool:
    """Whether an item is one of the object of a key, or of something that is."""
    above = snapshot.items.get(item.parent or "")
    return item.parent == key or (above is not None and belongs(above, key, snapshot))


def twins_above(item: Item, snapshot: Snapshot) -> list[str]:
    """Return the keys of what an item of a child or a partition is in the tables above it."""
    table = snapshot.items.get(item.parent or "")
    if table is None or table.kind != "table":
        return []
    if item.kind == "column":
        return [f"column {name}.{column_name(item)}" for name in names(table["inherits"])]
    stem = f"{item.kind} {item.name.removesuffix(table.name)}"
    return [f"{stem}{name}" for name in names(table["inherits"])]


def inheriting(column: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield the tables that inherit a column, and their columns."""
    parent = table_of(column)
    for table in snapshot.of("table") if parent in snapshot.parents else ():
        if parent in names(table["inherits"]):
            yield table.key
            yield f"column {table.name}.{column_name(column)}"


def family(keys: Iterable[str], snapshot: Snapshot) -> list[str]:
    """Return some objects with all that belongs to them, and the tables that inherit from them."""
    found = closure((key for key in keys if key in snapshot.items), snapshot)
    for key in found:  # grows
        name = key.removeprefix("table ")
        heirs = [one.key for one in snapshot.of("table") if name in names(one["inherits"])]
        found += [new for new in closure(heirs, snapshot) if new not in found]
    return found


def index_of(item: Item) -> str | None:
    """Return the qualified name of the index behind an item, if it is a constraint with one."""
    if item.kind != "constraint" or item["form"] not in ("primary key", "unique", "exclude"):
        return None
    return index_name(item)
