"""What a command does to what is there: another type, another name, or nothing left. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from todo_sql.catalog.columns import not_null_name
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, quoted, table_of
from todo_sql.review.linting.tree import enum
from todo_sql.rewriting.piece_view import plain
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.shadow import Shadows
from todo_sql.rewriting.single_commands import lowered

_NAME = re.compile(r'"(?:[^"]|"")*"|[\w$]+')
# With a precision the values would be rounded, one by one.
_ZONES = ("timestamp without time zone", "timestamp with time zone")


def _type(column: Item) -> str:
    collation = column["collation"]
    return f"{column['type']} collate {collation}" if collation else str(column["type"])


class Alterations(Shadows):
    """Finds what a command changes or drops."""

    def type_changed(self) -> Iterator[Hazard]:
        """Yield another type of a column."""
        piece = self.piece
        for change in self.changes:
            if change.kind != "column" or not {"type", "collation"} & change.changes.keys():
                continue
            old, new = change.before, change.after
            assert old is not None and new is not None
            if self.is_below(new):
                continue
            words = {**self.of(new), "type": _type(new), "former": _type(old)}
            built = {index for index, _ in piece.trace.built}
            named = re.compile(rf"(?<![\w$\"]){re.escape(column_name(new))}(?![\w$\"])")
            indexes = [
                item
                for item in self.after.of("index", new.parent)
                if plain(item.name) in built
                and named.search(item["definition"].partition(" USING ")[2])
            ]
            words["statement"] = piece.statement.text
            unique = any(item["constraint"] or item["unique"] for item in indexes)
            if unique or self.is_partitioned(new.parent):  # without it rows come twice meanwhile
                yield self.shadow(new.parent)
                return
            lists: dict[str, Sequence[Words]] = {"indexes": [self._index_again(i) for i in indexes]}
            flags: set[str] = {"indexed"} if indexes else set()
            if any(not _NAME.fullmatch(name) for item in indexes for name in item["columns"]):
                flags.add("expressions")
            if piece.trace.rewritten:
                at_utc = re.search(r"at time zone '(utc|etc/utc|zulu)'", piece.statement.text, re.I)
                types = (old["type"], new["type"])
                if types == _ZONES and at_utc:
                    yield Hazard("type_zone", words, frozenset(flags), lists)
                else:
                    yield self.shadow(new.parent)
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
        was = self.index_words(self.before.items[index.key])
        return self.index_words(index) | {"former_concurrently_if": was["concurrently_if"]}

    def dropped_column(self) -> Iterator[Hazard]:
        """Yield a column that goes."""
        for change in self.changes:
            if change.kind != "column" or change.after is not None or change.before is None:
                continue
            item = change.before
            if self.was_below(item) or not (item.parent or "").startswith("table "):
                continue
            indexes = [
                self.index_words(index)
                for index in self.before.of("index", item.parent)
                if index.key not in self.after.items
                and index["constraint"] is None
                and not self.was_partitioned(item.parent)
            ]
            needed = item["not_null"] == "yes" and item["default"] is None and not item["identity"]
            keyed = any(
                one["form"] == "primary key" and item["name"] in (one["columns"] or ())
                for one in self.before.of("constraint", item.parent)
            )
            flags = {"needed"} if needed and not keyed else set()
            words = {
                **self.of(item),
                "statement": self.piece.statement.text,
                "name": not_null_name(item, self.before),
            }
            if item["not_null_name"]:
                flags.add("named")
            yield Hazard("drop_column", words, frozenset(flags), {"indexes": indexes})

    def dropped(self) -> Iterator[Hazard]:
        """Yield tables and indexes that go; with more than those, such as a schema, none."""
        if enum(self.piece.node, "remove_type") not in ("OBJECT_TABLE", "OBJECT_INDEX"):
            return
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
            cascade = " cascade" * (enum(self.piece.node, "behavior") == "DROP_CASCADE")
            words = {"table": table.name, "statement": f"drop table {table.name}{cascade}"}
            yield Hazard("drop_table", words, frozenset(), {"keys": keys})
        for item in gone:
            plain = item.kind == "index" and not (item["constraint"] or item["partition_of"])
            known = plain and (item.parent or "") not in self.made
            if known and not self.piece.node.concurrent and not self.was_partitioned(item.parent):
                yield Hazard("drop_index", self.index_words(item))
