"""What a command does to what is there: another type, another name, or nothing left. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from todo_sql.catalog.columns import above, not_null_name
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, quoted, table_of
from todo_sql.review.linting.tree import enum
from todo_sql.rewriting.piece_view import NAME, is_partitioned, plain
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.shadow import Shadows
from todo_sql.rewriting.single_commands import lowered

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
        for old, new in self.altered("column", "type", "collation"):
            if above(new, self.after):
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
            if unique or is_partitioned(self.after, new.parent):
                # Without it rows come twice meanwhile.
                yield self.shadow(new.parent)
                return
            # An index is dropped and made again, for both ways.
            former = [self.index_words(self.before.items[index.key]) for index in indexes]
            lists: dict[str, Sequence[Words]] = {
                "indexes": [
                    self.index_words(now) | {"former_concurrently_if": was["concurrently_if"]}
                    for now, was in zip(indexes, former, strict=True)
                ]
            }
            flags: set[str] = {"indexed"} if indexes else set()
            if any(not NAME.fullmatch(name) for item in indexes for name in item["columns"]):
                flags.add("expressions")
            if piece.trace.rewritten:
                at_utc = re.search(r"at time zone '(utc|etc/utc|zulu)'", piece.statement.text, re.I)
                if (old["type"], new["type"]) == _ZONES and at_utc:
                    yield Hazard("type_zone", words, frozenset(flags), lists)
                else:
                    yield self.shadow(new.parent)
                return
            lists["checks"] = self._checks_of(new) if piece.trace.scanned else []
            if lists["checks"]:
                flags.add("checked")
            yield Hazard("type", words, frozenset(flags), lists)

    def _checks_of(self, column: Item) -> list[Words]:
        """Return the checks that name a column, for both ways."""
        return [
            {
                "check": quoted(item["name"]),
                "definition": lowered(item["definition"]),
                "former_definition": lowered(self.before.items[item.key]["definition"]),
            }
            for item in self.after.of("constraint", column.parent)
            if item["form"] == "check" and column["name"] in (item["columns"] or ())
        ]

    def dropped_column(self) -> Iterator[Hazard]:
        """Yield a column that goes."""
        for item in self.gone("column"):
            if above(item, self.before) or not (item.parent or "").startswith("table "):
                continue
            indexes = [
                self.index_words(index)
                for index in self.before.of("index", item.parent)
                if index.key not in self.after.items
                and index["constraint"] is None
                and not is_partitioned(self.before, item.parent)
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
        for table in self.gone("table"):
            if table.key in self.made:
                continue
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
        for item in self.gone("index"):
            part = item["constraint"] or item["partition_of"] or (item.parent or "") in self.made
            divided = is_partitioned(self.before, item.parent)
            if not (part or divided or self.piece.node.concurrent):
                yield Hazard("drop_index", self.index_words(item))
