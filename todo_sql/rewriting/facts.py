"""What a command of a migration does to tables in use, read from the copy it was tried on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from todo_sql.catalog.column_changes import not_null_name
from todo_sql.catalog.columns import column_definition, column_settings, identity
from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, names, quoted, table_of
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.rehearsal import Rehearsed
from todo_sql.rewriting.single_commands import lowered

_DEFERRABLE = re.compile(r"( DEFERRABLE(?: INITIALLY DEFERRED)?)$")
_NAME = re.compile(r'"(?:[^"]|"")*"|[\w$]+')
# With a precision the values would be rounded, one by one.
_ZONES = ("timestamp without time zone", "timestamp with time zone")
_REINDEX = re.compile(
    r"(reindex\s*(?:\([^)]*\)\s*)?(?:table|index|schema|database))\s+(?!concurrently\b)(.+)",
    re.IGNORECASE | re.DOTALL,
)


def hazards_of(piece: Rehearsed, made: frozenset[str]) -> list[Hazard] | None:
    """Return what a command does, part by part; None: it may stay as it is.

    Args:
        piece: The command.
        made: Keys of what the migration itself made before it: columns, tables.
    """
    found = list(_Effects(piece, made).hazards())
    flags = {f"pg{piece.after.version // 10000}"}
    flags |= {f"from{major}" for major in (16, 17, 18) if piece.after.version >= major * 10000}
    return [replace(one, flags=one.flags | flags) for one in found] or None


class _Effects:
    def __init__(self, piece: Rehearsed, made: frozenset[str]) -> None:
        self.piece, self.made = piece, made
        self.before, self.after = piece.before, piece.after
        self.changes = compare(self.before, self.after)
        self.known = {lock.relation for lock in piece.trace.locks}

    def hazards(self) -> Iterator[Hazard]:
        piece = self.piece
        match piece.statement.kind, piece.subtype:
            case "alter_table_stmt", "AT_AttachPartition" if piece.slow:
                yield from self._attached()
            case "alter_table_stmt", "AT_DropColumn":
                yield from self._dropped_column()
            case "alter_table_stmt", "AT_AlterColumnType" if piece.slow:
                yield from self._type()
            case "alter_table_stmt", "AT_ValidateConstraint":
                yield Hazard("validate", {"statement": piece.statement.text})
            case ("alter_table_stmt" | "index_stmt", _) if piece.slow:
                yield from self._added()
            case "drop_stmt", _:
                yield from self._dropped()
            case "alter_enum_stmt", _ if piece.node.new_val and not piece.node.old_val:
                yield Hazard("enum_value", {"statement": piece.statement.text})
            case "reindex_stmt", _:
                found = _REINDEX.fullmatch(piece.statement.text)
                if found:
                    yield Hazard("reindex", {"head": found[1], "target": found[2]})
            case _ if piece.slow:
                yield Hazard("other", {"statement": piece.statement.text})

    # What is added: columns, then what hangs on them.

    def _added(self) -> Iterator[Hazard]:
        found = [
            *self._columns(),
            *self._not_nulls(),
            *self._keys(),
            *self._indexes(),
            *self._constraints(),
        ]
        rewritten = any(name not in self.piece.trace.emptied for name in self.piece.trace.rewritten)
        explained = any(one.kind.startswith("column_") for one in found)
        if rewritten and not explained:
            found = []
        yield from found or [Hazard("other", {"statement": self.piece.statement.text})]

    def new(self, kind: str) -> Iterator[Item]:
        """Yield the new objects of a kind that belong to tables that were there."""
        for change in self.changes:
            if change.before is None and change.kind == kind and not self._from_above(change.item):
                yield change.item

    def _from_above(self, item: Item) -> bool:
        """Whether a partition has it from its parent, where it is new as well."""
        if item.attributes.get("of_partition") or item.attributes.get("partition_of"):
            return True
        table = self.after.items.get(item.parent or "")
        if table is None or table.kind != "table" or not table["inherits"]:
            return False
        for parent in names(table["inherits"]):
            if item.kind == "column":
                twin = f"column {parent}.{column_name(item)}"
            else:
                twin = f"{item.kind} {item.name.removesuffix(table.name)}{parent}"
            if twin in self.after.items and twin not in self.before.items:
                return True
        return False

    def _columns(self) -> Iterator[Hazard]:
        rewritten = bool(self.piece.trace.rewritten)
        for item in self.new("column"):
            if not (item.parent or "").startswith("table "):
                continue
            bare = _with(item, not_null=None, default=None, identity=None)
            words = {
                **self._of(item),
                "definition": column_definition(item, self.after),
                "bare": column_definition(bare, self.after),
                "default": item["default"] or "null",
            }
            if not rewritten:
                yield Hazard("column", words)
                continue
            kind = self._filled(item, words)
            yield Hazard(kind, words, frozenset({"new"}))
            if kind in ("column_filled", "column_serial", "column_identity") and item["not_null"]:
                yield self._not_null(item, frozenset({"new"}))
                if kind == "column_identity":
                    yield Hazard("column_counts", words, frozenset({"new"}))

    def _filled(self, item: Item, words: dict[str, str]) -> str:
        """Return how a new column gets its values."""
        if item["generated"]:
            return "column_generated"
        sequences = [
            s for s in self.after.of("sequence", item.parent) if s["owned_by"] == item.name
        ]
        if item["identity"]:
            (sequence,) = sequences
            schema, table = _split(table_of(item))
            helper = f"{schema}.{_helper(table, item['name'], 'counter', self.after)}"
            words |= {
                "identity": identity(item, self.after),
                "sequence": sequence.name,
                "helper": helper,
                "type": sequence["type"],
                "default": f"nextval('{helper}'::regclass)",
            }
            return "column_identity"
        if sequences:
            words |= {"sequence": sequences[0].name, "type": sequences[0]["type"]}
            return "column_serial"
        return "column_filled" if item["default"] is not None else "column_generated"

    def _not_nulls(self) -> Iterator[Hazard]:
        for change in self.changes:
            if change.kind != "column" or change.before is None or change.after is None:
                continue
            if "not_null" not in change.changes or change.after["not_null"] != "yes":
                continue
            table = self.after.items[change.after.parent or ""]
            above = [
                f"column {name}.{column_name(change.after)}" for name in names(table["inherits"])
            ]
            if any(d.item.key in above and "not_null" in d.changes for d in self.changes):
                continue
            yield self._not_null(change.after, self._age(change.after))

    def _not_null(self, item: Item, flags: frozenset[str]) -> Hazard:
        _, table = _split(table_of(item))
        words = {
            **self._of(item),
            "name": not_null_name(item, self.after),
            "helper": _helper(table, item["name"], "filled", self.after),
        }
        return Hazard("not_null", words, flags)

    def _keys(self) -> Iterator[Hazard]:
        for item in self.new("constraint"):
            if item["form"] in ("primary key", "unique"):
                index = self.after.items[f"index {_index_name(item)}"]
                deferrable = _DEFERRABLE.search(item["definition"])
                words = {
                    **self._of(item),
                    "form": item["form"],
                    "definition": lowered(item["definition"]),
                    "deferrable": lowered(deferrable[1]) if deferrable else "",
                    **self._index_words(index),
                }
                flags = self._age(item)
                if "WITHOUT OVERLAPS" in item["definition"]:
                    yield Hazard("exclusion", words)
                elif self._is_partitioned(item.parent):
                    if self.after.version >= 180000 and list(self._not_nulls()):
                        yield Hazard("key_partitioned_nullable", words)
                    yield Hazard("key_partitioned", words, flags, self._index_leaves(index, item))
                else:
                    yield Hazard("key", words, flags)
            elif item["form"] == "exclude":
                yield Hazard("exclusion", self._of(item))

    def _constraints(self) -> Iterator[Hazard]:
        for item in self.new("constraint"):
            if item["form"] not in ("check", "foreign key"):
                continue
            words = {**self._of(item), "definition": lowered(item["definition"])}
            flags, lists = self._age(item), {}
            if item["form"] == "foreign key":
                flags |= {"foreign"}
                if self._is_partitioned(item.parent):
                    flags |= set() if self.after.version >= 180000 else {"leafwise"}
                    leaves = self._leaves(table_of(item))
                    lists = {"leaves": [{"leaf": name} for name in leaves]}
            yield Hazard("constraint", words, flags, lists)

    def _indexes(self) -> Iterator[Hazard]:
        for item in self.new("index"):
            if item["constraint"] is None:
                words = {**self._of(item), **self._index_words(item)}
                if self._is_partitioned(item.parent):
                    yield Hazard("index_partitioned", words, frozenset(), self._index_leaves(item))
                else:
                    yield Hazard("index", words)

    def _index_words(self, index: Item) -> dict[str, str]:
        schema, _ = _split(index.name)
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

    def _index_leaves(self, top: Item, key: Item | None = None) -> dict[str, Sequence[Words]]:
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
                    **self._index_words(item),
                    "above": above.name,
                    "leaf": table_of(item),
                    "form": key["form"] if key else "",
                }
                if self._is_partitioned(item.parent):
                    mids.append(words)
                    waiting.append(item)
                else:
                    leaves.append(words)
        return {"mids": mids, "leaves": leaves, "deepest": list(reversed(mids))}

    # Changes of what is there.

    def _type(self) -> Iterator[Hazard]:
        piece = self.piece
        for change in self.changes:
            if change.kind != "column" or "type" not in change.changes:
                continue
            old, new = change.before, change.after
            assert old is not None and new is not None
            if self._is_below(new):
                continue
            words = {**self._of(new), "type": new["type"], "former": old["type"]}
            built = {index for index, _ in piece.trace.built}
            named = re.compile(rf"(?<![\w$\"]){re.escape(column_name(new))}(?![\w$\"])")
            indexes = [
                item
                for item in self.after.of("index", new.parent)
                if _plain(item.name) in built
                and named.search(item["definition"].partition(" USING ")[2])
            ]
            words["statement"] = piece.statement.text
            if any(item["constraint"] for item in indexes) or self._is_partitioned(new.parent):
                yield Hazard("shadow", words)
                return
            lists: dict[str, Sequence[Words]] = {"indexes": [self._index_again(i) for i in indexes]}
            flags = {"indexed"} if indexes else set()
            if any(not _NAME.fullmatch(name) for item in indexes for name in item["columns"]):
                flags.add("expressions")
            if piece.trace.rewritten:
                at_utc = re.search(r"at time zone '(utc|etc/utc|zulu)'", piece.statement.text, re.I)
                types = (old["type"], new["type"])
                kind = "type_zone" if types == _ZONES and at_utc else "shadow"
                yield Hazard(
                    kind, words | {"statement": piece.statement.text}, frozenset(flags), lists
                )
                return
            checks = [
                item
                for item in self.after.of("constraint", new.parent)
                if item["form"] == "check" and new["name"] in (item["columns"] or ())
            ]
            if checks and piece.trace.scanned:
                flags.add("checked")
            lists["checks"] = [
                {
                    "check": quoted(item["name"]),
                    "definition": lowered(item["definition"]),
                    "former_definition": lowered(self.before.items[item.key]["definition"]),
                }
                for item in checks
                if "checked" in flags
            ]
            yield Hazard("type", words, frozenset(flags), lists)

    def _index_again(self, index: Item) -> dict[str, str]:
        """Return the words of an index that is dropped and made again, for both ways."""
        was = self._index_words(self.before.items[index.key])
        return self._index_words(index) | {"former_concurrently_if": was["concurrently_if"]}

    def _is_below(self, column: Item) -> bool:
        table = self.after.items[column.parent or ""]
        return any(
            f"column {name}.{column_name(column)}" in self.after.items
            for name in names(table.attributes.get("inherits"))
        )

    # What goes.

    def _dropped_column(self) -> Iterator[Hazard]:
        for change in self.changes:
            if change.kind != "column" or change.after is not None or change.before is None:
                continue
            item = change.before
            if self._was_below(item) or not (item.parent or "").startswith("table "):
                continue
            settings = list(column_settings(item, self.before))
            indexes = [
                self._index_words(index)
                for index in self.before.of("index", item.parent)
                if index.key not in self.after.items
                and index["constraint"] is None
                and not self._was_partitioned(item.parent)
            ]
            needed = item["not_null"] == "yes" and item["default"] is None and not item["identity"]
            keyed = any(
                one["form"] == "primary key" and item["name"] in (one["columns"] or ())
                for one in self.before.of("constraint", item.parent)
            )
            flags = {"needed"} if needed and not keyed else set()
            words = {
                **self._of(item),
                "statement": self.piece.statement.text,
                "again": "; ".join(settings),
                "name": not_null_name(item, self.before),
            }
            if item["not_null_name"]:
                flags.add("named")
            yield Hazard("drop_column", words, frozenset(flags), {"indexes": indexes})

    def _dropped(self) -> Iterator[Hazard]:
        gone = [c.before for c in self.changes if c.after is None and c.before is not None]
        tables = [item for item in gone if item.kind == "table" and item.key not in self.made]
        for table in tables:
            keys = [
                {"owner": table_of(item), "key": quoted(item["name"])}
                for item in self.before.of("constraint")
                if item["form"] == "foreign key"
                and item.key not in self.after.items
                and not item["of_partition"]
                and (item["references"] == table.name) != (table_of(item) == table.name)
            ]
            words = {"table": table.name, "statement": f"drop table {table.name}"}
            yield Hazard("drop_table", words, frozenset(), {"keys": keys})
        for item in gone:
            plain = item.kind == "index" and not (item["constraint"] or item["partition_of"])
            known = plain and (item.parent or "") not in self.made
            if known and not self.piece.node.concurrent and not self._was_partitioned(item.parent):
                yield Hazard("drop_index", self._index_words(item))

    # Partitions.

    def _attached(self) -> Iterator[Hazard]:
        yield Hazard("other", {"statement": self.piece.statement.text})

    # Words.

    def _of(self, item: Item) -> dict[str, str]:
        table = table_of(item)
        words = {"table": table, "relation": _split(table)[1], "schema": _split(table)[0]}
        if item.kind == "column":
            words |= {"column": column_name(item), "column_type": item["type"]}
        elif "name" in item.attributes:
            words["name"] = quoted(item["name"])
        return words

    def _age(self, item: Item) -> frozenset[str]:
        """Return `new` where no older release can know what an object is about."""
        columns = [item["name"]] if item.kind == "column" else item.attributes.get("columns") or ()
        keys = {f"column {table_of(item)}.{quoted(name)}" for name in columns}
        made = self.made | {one.key for one in self.new("column")}
        fresh = item.parent in made or any(key in made for key in keys)
        return frozenset({"new"} if fresh else ())

    def _is_partitioned(self, key: str | None) -> bool:
        table = self.after.items.get(key or "")
        return table is not None and bool(table.attributes.get("partition_by"))

    def _was_partitioned(self, key: str | None) -> bool:
        table = self.before.items.get(key or "")
        return table is not None and bool(table.attributes.get("partition_by"))

    def _was_below(self, column: Item) -> bool:
        table = self.before.items[column.parent or ""]
        return any(
            f"column {name}.{column_name(column)}" in self.before.items
            for name in names(table.attributes.get("inherits"))
        )

    def _leaves(self, table: str) -> list[str]:
        found = []
        for item in self.after.of("table"):
            if table in names(item["inherits"]) and item["partition_bound"]:
                below = self._leaves(item.name) if item["partition_by"] else [item.name]
                found += below
        return found


def _with(item: Item, **attributes: Any) -> Item:
    return replace(item, attributes={**item.attributes, **attributes})


def _split(name: str) -> tuple[str, str]:
    """Return schema and name of a qualified name, quoted as they are."""
    found = re.fullmatch(r'("(?:[^"]|"")*"|[^".]+)\.(.+)', name)
    assert found is not None
    return found[1], found[2]


def _plain(name: str) -> str:
    """Return a qualified name without quotes."""
    return ".".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part for part in _split(name)
    )


def _index_name(constraint: Item) -> str:
    return f"{_split(table_of(constraint))[0]}.{quoted(constraint['name'])}"


def _helper(table: str, column: str, what: str, snapshot: Snapshot) -> str:
    """Return a name for a helper that nothing has yet."""
    bare = table.strip('"').replace('""', '"')
    taken = {item.attributes.get("name") for item in snapshot.items.values()}
    taken |= {item.name.rsplit(".", 1)[-1].strip('"') for item in snapshot.items.values()}
    number = ""
    while True:
        tail = f"_{what}{number}"
        stem = f"{bare}_{column}".encode()[: 63 - len(tail)].decode(errors="ignore")
        if stem + tail not in taken:
            return quoted(stem + tail)
        number = f"{int(number or 1) + 1}"


def lost(changes: Sequence[Difference]) -> bool:
    """Whether a change loses what tables hold."""
    return any(
        c.after is None and c.kind in ("table", "column", "materialized_view") for c in changes
    )


def keys_made(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """Return the keys of what is there after a command and was not before it."""
    return frozenset(after.items.keys() - before.items.keys())
