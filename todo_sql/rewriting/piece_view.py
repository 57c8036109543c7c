"""What one command did to the catalog of a copy, in the words of recipes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from todo_sql.catalog.belonging import twins_above
from todo_sql.catalog.diff import compare
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, names, quoted, split_name, table_of
from todo_sql.catalog.names import plain as unquoted
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.rewriting.recipe import Words
from todo_sql.rewriting.rehearsal import Rehearsed
from todo_sql.rewriting.single_commands import lowered


class PieceView:
    """A command with what it changed.

    Args:
        piece: The command.
        made: Keys of what the migration itself made before it: columns, tables.
        renamed: By the qualified name of a table now, the one that it had before the migration.
    """

    def __init__(self, piece: Rehearsed, made: frozenset[str], renamed: Mapping[str, str]) -> None:
        self.piece, self.made, self.renamed = piece, made, renamed
        self.before, self.after = piece.before, piece.after
        self.changes = compare(self.before, self.after)

    def new(self, kind: str) -> Iterator[Item]:
        """Yield the new objects of a kind that belong to tables that were there."""
        for change in self.changes:
            if change.before is None and change.kind == kind and not self._from_above(change.item):
                yield change.item

    def gone(self, kind: str) -> Iterator[Item]:
        """Yield the objects of a kind that are no more."""
        for change in self.changes:
            if change.before is not None and change.after is None and change.kind == kind:
                yield change.before

    def altered(self, kind: str, *attributes: str) -> Iterator[tuple[Item, Item]]:
        """Yield the objects of a kind with another value of an attribute, before and after."""
        for change in self.changes:
            if change.kind == kind and not change.changes.keys().isdisjoint(attributes):
                assert change.before is not None and change.after is not None
                yield change.before, change.after

    def _from_above(self, item: Item) -> bool:
        """Whether a partition has it from its parent, where it is new as well."""
        if item.attributes.get("of_partition") or item.attributes.get("partition_of"):
            return True
        twins = twins_above(item, self.after)
        return any(twin in self.after.items and twin not in self.before.items for twin in twins)

    def index_words(self, index: Item) -> dict[str, str]:
        """Return the words of an index, with the statements that make it."""
        schema, _ = split_name(index.name)
        made = lowered(index["definition"])
        if index["tablespace"]:
            space = f" tablespace {quoted(index['tablespace'])}"
            head, where, tail = made.partition(" where ") if index["predicate"] else (made, "", "")
            made = f"{head}{space}{where}{tail}"
        word = "create unique index " if made.startswith("create unique") else "create index "
        rest = made.removeprefix(word)
        return {
            "name": quoted(index["name"]),
            "index": index.name,
            "schema": schema,
            "create": made,
            "create_if": f"{word}if not exists {rest}",
            "concurrently": f"{word}concurrently {rest}",
            "concurrently_if": f"{word}concurrently if not exists {rest}",
        }

    def index_beside(self, index: Item, table: str, beside: str, what: str) -> dict[str, str]:
        """Return the words of an index for one that is made on a table beside its own."""
        words = self.index_words(index)
        name = helper(split_name(index.name)[1], "", what, self.after)
        here, there = f" {words['name']} on {table} ", f" {name} on {beside} "
        made = {key: words[key].replace(here, there, 1) for key in ("create", "concurrently")}
        return {**words, **made, "helper": name}

    def index_leaves(self, top: Item, key: Item | None = None) -> dict[str, Sequence[Words]]:
        """Return the indexes of the partitions: of those that are divided again, and of leaves."""
        mids: list[Words] = []
        leaves: list[Words] = []
        waiting = [top]
        while waiting:
            above = waiting.pop(0)
            for item in self.after.of("index"):
                if item["partition_of"] != above.name:
                    continue
                words = {
                    **self.index_words(item),
                    "above": above.name,
                    "leaf": table_of(item),
                    "form": key["form"] if key else "",
                }
                if is_partitioned(self.after, item.parent):
                    mids.append(words)
                    waiting.append(item)
                else:
                    leaves.append(words)
        return {"mids": mids, "leaves": leaves, "deepest": list(reversed(mids))}

    def of(self, item: Item) -> dict[str, str]:
        """Return the words of an object."""
        table = table_of(item)
        words = {"table": table, "relation": split_name(table)[1], "schema": split_name(table)[0]}
        if item.kind == "column":
            words |= {"column": column_name(item), "column_type": item["type"]}
        elif "name" in item.attributes:
            words["name"] = quoted(item["name"])
        return words

    def defined(self, constraint: Item) -> dict[str, str]:
        """Return the name and the definition of a constraint."""
        return {"name": quoted(constraint["name"]), "definition": lowered(constraint["definition"])}

    def age(self, item: Item) -> frozenset[str]:
        """Return `new` where no older release can know what an object is about."""
        columns = [item["name"]] if item.kind == "column" else item.attributes.get("columns") or ()
        keys = {f"column {table_of(item)}.{quoted(name)}" for name in columns}
        made = self.made | {one.key for one in self.new("column")}
        fresh = item.parent in made or any(key in made for key in keys)
        return frozenset({"new"} if fresh else ())

    def leaves(self, table: str) -> list[str]:
        """Return the partitions of a table that hold rows."""
        found = []
        for item in self.after.of("table"):
            if table in names(item["inherits"]) and item["partition_bound"]:
                found += self.leaves(item.name) if item["partition_by"] else [item.name]
        return found

    def batch_key(self, key: str | None) -> list[str]:
        """Return the columns of a key by which a table can be walked through, if it has one."""
        found = []
        for item in self.after.of("constraint", key):
            columns = [quoted(name) for name in item["columns"] or ()]
            table = (key or "").removeprefix("table ")
            filled = all(
                self.after.items[f"column {table}.{name}"]["not_null"] == "yes" for name in columns
            )
            new = any(f"column {table}.{name}" not in self.before.items for name in columns)
            if item["form"] in ("primary key", "unique") and filled and not new:
                found.append((item["form"] != "primary key", columns))
        return min(found, default=(False, []))[1]


NAME = re.compile(r'"(?:[^"]|"")*"|[\w$]+')
"""A name, of a column say, as statements write it: no expression."""


def changed(item: Item, **attributes: Any) -> Item:
    """Return an object with other attributes."""
    return replace(item, attributes={**item.attributes, **attributes})


def plain(name: str) -> str:
    """Return a qualified name without quotes."""
    return ".".join(map(unquoted, split_name(name)))


def is_partitioned(snapshot: Snapshot, key: str | None) -> bool:
    """Whether the table of a key is partitioned."""
    table = snapshot.items.get(key or "")
    return table is not None and bool(table.attributes.get("partition_by"))


def table_named(snapshot: Snapshot, name: str, kind: str = "table") -> Item | None:
    """Return the table, or the view of a kind, that a plain qualified name means."""
    return next((item for item in snapshot.of(kind) if plain(item.name) == name), None)


def helper(table: str, column: str, what: str, snapshot: Snapshot) -> str:
    """Return a name for a helper that nothing has yet, and that of no other is cut off to."""
    bare = unquoted(table)
    taken = {item.attributes.get("name") for item in snapshot.items.values()}
    taken |= {item.name.rsplit(".", 1)[-1].strip('"') for item in snapshot.items.values()}
    whole = "_".join(part for part in (bare, column) if part)
    number = ""
    while True:
        tail = f"_{what}{number}"
        if len(whole.encode()) + len(tail) > 63:
            tail = f"_{sha256(whole.encode()).hexdigest()[:6]}{tail}"
        stem = whole.encode()[: 63 - len(tail)].decode(errors="ignore")
        if stem + tail not in taken:
            return quoted(stem + tail)
        number = f"{int(number or 1) + 1}"
