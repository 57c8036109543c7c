"""What each object of a catalog stands on, from PostgreSQL's own notes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import names

CLASSES = {
    "schema": "pg_namespace",
    "extension": "pg_extension",
    "type": "pg_type",
    "domain": "pg_type",
    "function": "pg_proc",
    "constraint": "pg_constraint",
    "statistics": "pg_statistic_ext",
    "trigger": "pg_trigger",
    "rule": "pg_rewrite",
    "policy": "pg_policy",
    "event_trigger": "pg_event_trigger",
    "publication": "pg_publication",
}
"""The catalog that holds a kind of object; those left out stand in pg_class."""

# Parts that have no name of their own stand for what they are parts of.
_WHOLE = {
    "pg_amop": ("pg_opclass", "pg_opfamily"),
    "pg_amproc": ("pg_opclass", "pg_opfamily"),
    "pg_publication_rel": ("pg_publication",),
    "pg_publication_namespace": ("pg_publication",),
    "pg_ts_config_map": ("pg_ts_config",),
}

Id = tuple[str, int, int]


def resolve(
    known: Iterable[tuple[Item, Mapping[str, Any]]], rows: Sequence[Mapping[str, Any]]
) -> dict[str, frozenset[str]]:
    """Return by key, also of parts, the keys of what must be there before.

    Args:
        known: The items with their places in PostgreSQL's catalogs.
        rows: What `pg_depend` says.
    """
    keys: dict[Id, str] = {}
    items: dict[str, Item] = {}
    for item, place in known:
        items[item.key] = item
        if "oid" in place:
            kind = place.get("class") or CLASSES.get(item.kind, "pg_class")
            keys[kind, place["oid"], place.get("attnum", 0)] = item.key
        if place.get("default_oid"):
            keys["pg_attrdef", place["default_oid"], 0] = f"default {item.name}"
    whole: dict[Id, Id] = {}
    for row in sorted(rows, key=lambda row: "eia".find(row["type"])):
        a, b = (row["class"], row["oid"], 0), (row["needs_class"], row["needs_oid"], 0)
        if a in keys or row["type"] not in "eia":
            continue
        if a[0] == "pg_rewrite":
            if row["type"] == "i" and b in keys:
                keys[a] = f"query {keys[b]}"
        elif b[0] in _WHOLE.get(a[0], (b[0],) if row["type"] in "ei" else ()):
            whole.setdefault(a, b)

    def key_of(kind: str, oid: int, attnum: int) -> str | None:
        at: Id | None = (kind, oid, 0)
        found = keys.get((kind, oid, attnum))
        for _ in range(8):
            if found or at is None:
                break
            found, at = keys.get(at), whole.get(at)
        return found

    needs: dict[str, set[str]] = {}
    for row in rows:
        a_key = key_of(row["class"], row["oid"], row["attnum"])
        b_key = key_of(row["needs_class"], row["needs_oid"], row["needs_attnum"])
        if row["type"] in "PS":
            if a_key and b_key and a_key.startswith("trigger "):
                needs.setdefault(a_key, set()).add(b_key)
        elif a_key and b_key and not _later(items.get(a_key), items.get(b_key), row["type"]):
            needs.setdefault(a_key, set()).add(b_key)
            table = items[b_key].parent if b_key.startswith("column ") else None
            if table is not None and not _later(items.get(a_key), items.get(table), row["type"]):
                needs[a_key].add(table)
    for item in items.values():
        for part, targets in _parts(item, items):
            needs.setdefault(part, set()).update(targets)
    return {key: frozenset(targets - {key}) for key, targets in needs.items()}


def _later(a: Item | None, b: Item | None, kind: str) -> bool:
    """Whether a statement of its own makes `a` stand on `b`, after both are there."""
    if a is None or b is None:
        return False
    if a.kind == "sequence" and b.kind in ("column", "table"):
        return kind in "ai"
    return a.kind == b.kind == "table" and bool(a["partition_bound"])


def _parts(item: Item, items: Mapping[str, Item]) -> Iterable[tuple[str, Sequence[str]]]:
    """Yield the statements that bind two objects, and what they need."""
    if item.kind == "sequence" and item["owned_by"] and not item["identity"]:
        yield f"owned {item.key}", [item.key, f"column {item['owned_by']}"]
    elif item.kind == "table" and item["partition_bound"]:
        yield f"attach {item.key}", [item.key, f"table {item['inherits']}"]
    elif item.kind == "table":
        yield item.key, [f"table {name}" for name in names(item["inherits"])]
    elif item.kind == "index" and item["partition_of"]:
        yield (
            f"attach {item.key}",
            [item.key, f"index {item['partition_of']}", f"attach {item.parent}"],
        )
    elif item.kind == "constraint" and item["partition_of"]:  # made first, then taken over
        yield f"constraint {item['partition_of']}", [item.key]
    elif item.kind in ("view", "materialized_view"):
        yield f"query {item.key}", [item.key]
