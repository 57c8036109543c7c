"""A catalog by table, as its documents tell it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from todo_sql.catalog.item import Item
from todo_sql.catalog.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class TableView:
    """One table with all that belongs to it.

    Attributes:
        name: Without ``public``.
        partitions: The tables that are its partitions, by name.
        grants: By role, the privileges: on the table, then on columns.
    """

    item: Item
    name: str
    comment: str | None
    columns: tuple[Item, ...]
    constraints: tuple[Item, ...]
    indexes: tuple[Item, ...]
    policies: tuple[Item, ...]
    triggers: tuple[Item, ...]
    grants: Mapping[str, tuple[str, ...]]
    partitions: tuple[str, ...]
    comments: Mapping[str, str]

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the columns of the primary key."""
        for item in self.constraints:
            if item["form"] == "primary key":
                return tuple(item["columns"])
        return ()

    @property
    def foreign_keys(self) -> tuple[Item, ...]:
        """The foreign keys."""
        return tuple(item for item in self.constraints if item["form"] == "foreign key")

    @property
    def foreign_columns(self) -> set[str]:
        """The names of the columns that refer to another table."""
        return {name for key in self.foreign_keys for name in key["columns"]}


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
    return [
        _table(item, snapshot, comments)
        for item in snapshot.of("table")
        if not item["partition_bound"]
    ]


def _table(item: Item, snapshot: Snapshot, comments: Mapping[str, str]) -> TableView:
    return TableView(
        item,
        short(item.name),
        comments.get(item.key),
        tuple(snapshot.of("column", item.key)),
        tuple(snapshot.of("constraint", item.key)),
        tuple(snapshot.of("index", item.key)),
        tuple(snapshot.of("policy", item.key)),
        tuple(snapshot.of("trigger", item.key)),
        _grants(item, snapshot),
        tuple(
            short(part.name)
            for part in snapshot.of("table")
            if part["partition_bound"] and part["inherits"] == item.name
        ),
        comments,
    )


def _grants(table: Item, snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    columns: dict[tuple[str, str], list[str]] = {}
    for item in snapshot.of("grant"):
        if not item["granted"]:
            continue
        if item.parent == table.key:
            found.setdefault(item["grantee"], []).extend(item["granted"].split(", "))
        elif (item.parent or "").startswith(f"column {table.name}."):
            owner = snapshot.items[item.parent or ""]
            for privilege in item["granted"].split(", "):
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


def views(snapshot: Snapshot) -> list[Any]:
    """Return views and materialized views."""
    return [*snapshot.of("view"), *snapshot.of("materialized_view")]
