"""A catalog by table, as its documents tell it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import listed
from todo_sql.catalog.snapshot import Snapshot


class TableView:
    """One table with all that belongs to it.

    Attributes:
        name: Without ``public``.
        columns: As its constraints, indexes, policies and triggers: the items, in order.
        primary_key: The names of its columns.
        foreign_columns: The names of the columns that refer to another table.
        grants: By role, the privileges: on the table, then on columns.
        partitions: The tables that are its partitions, by name.
        comments: Of all objects, by key.
    """

    def __init__(self, item: Item, snapshot: Snapshot, comments: Mapping[str, str]) -> None:
        def parts(kind: str) -> list[Item]:
            return list(snapshot.of(kind, item.key))

        self.item, self.comments = item, comments
        self.name, self.comment = short(item.name), comments.get(item.key)
        self.columns, self.constraints, self.indexes = map(parts, ("column", "constraint", "index"))
        self.policies, self.triggers = map(parts, ("policy", "trigger"))
        keys = [one for one in self.constraints if one["form"] == "primary key"]
        self.primary_key: list[str] = keys[0]["columns"] if keys else []
        self.foreign_keys = [one for one in self.constraints if one["form"] == "foreign key"]
        self.foreign_columns = {name for key in self.foreign_keys for name in key["columns"]}
        self.grants = _grants(item, snapshot)
        self.partitions = [
            short(part.name)
            for part in snapshot.of("table")
            if part["partition_bound"] and part["inherits"] == item.name
        ]


@dataclass(frozen=True, slots=True)
class ListedMigration:
    """One migration, as a document lists it.

    Attributes:
        why: The prose of its first comment.
        irreversible: Why it cannot be undone, or None where it can.
    """

    version: str
    description: str
    why: str
    transactional: bool
    irreversible: str | None


def short(name: str) -> str:
    """Return a name, or every name in a definition, without ``public.``."""
    return name.replace("public.", "")


def flat(text: str | None) -> str:
    """Return an expression on one line."""
    return "" if text is None else " ".join(short(text).split())


def tables(snapshot: Snapshot) -> list[TableView]:
    """Return the tables that are no partitions, by name."""
    comments = {item.parent: str(item["comment"]) for item in snapshot.of("comment") if item.parent}
    every = (item for item in snapshot.of("table") if not item["partition_bound"])
    return [TableView(item, snapshot, comments) for item in every]


def _grants(table: Item, snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    columns: dict[tuple[str, str], list[str]] = {}
    for item in snapshot.of("grant"):
        if not item["granted"]:
            continue
        if item.parent == table.key:
            found.setdefault(item["grantee"], []).extend(listed(item["granted"]))
        elif (item.parent or "").startswith(f"column {table.name}."):
            owner = snapshot.items[item.parent or ""]
            for privilege in listed(item["granted"]):
                columns.setdefault((item["grantee"], privilege), []).append(owner["name"])
    for (role, privilege), names in sorted(columns.items()):
        in_order = [c["name"] for c in snapshot.of("column", table.key) if c["name"] in names]
        found.setdefault(role, []).append(f"{privilege} ({', '.join(in_order)})")
    return {role: tuple(found[role]) for role in sorted(found)}


def column_default(column: Item) -> str:
    """Return how a column gets its value when none is given."""
    if column["identity"]:
        return f"identity, {column['identity']}"
    if column["generated"]:
        return f"generated, {column['generated']}: {short(column['default'])}"
    return "" if column["default"] is None else short(str(column["default"]))


def functions(snapshot: Snapshot) -> list[tuple[Item, str | None]]:
    """Return the functions with their comments."""
    comments = {item.parent: item["comment"] for item in snapshot.of("comment")}
    return [(item, comments.get(item.key)) for item in snapshot.of("function")]
