"""What a command adds to a table in use: columns, and what hangs on them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from todo_sql.catalog.belonging import twins_above
from todo_sql.catalog.columns import column_definition, identity, not_null_name, sequence_options
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import index_name, literal, split_name, table_of
from todo_sql.rewriting.piece_view import changed, helper, is_partitioned, plain
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.shadow import Shadows
from todo_sql.rewriting.single_commands import lowered

_DEFERRABLE = re.compile(r"( DEFERRABLE(?: INITIALLY DEFERRED)?)$")


class Additions(Shadows):
    """Finds what a command adds."""

    def added(self) -> Iterator[Hazard]:
        """Yield the columns, then what hangs on them."""
        found = [*self._columns(), *self.not_nulls(), *self._keys()]
        found += [*self._indexes(), *self._constraints()]
        whole = [one for one in found if one.kind.startswith("shadow")]
        if whole:
            yield whole[0]
            return
        trace = self.piece.trace
        rewritten = [name for name in trace.rewritten if name not in trace.emptied]
        if rewritten and not any(one.kind.startswith("column_") for one in found):
            tables = (item for item in self.after.of("table") if plain(item.name) in rewritten)
            yield self.shadow(next((item.key for item in tables), None))
            return
        yield from found or [Hazard("other", {"statement": self.piece.statement.text})]

    def _columns(self) -> Iterator[Hazard]:
        rewritten = bool(self.piece.trace.rewritten)
        for item in self.new("column"):
            if not (item.parent or "").startswith("table "):
                continue
            bare = changed(item, not_null=None, default=None, identity=None)
            words = {
                **self.of(item),
                "definition": column_definition(item, self.after),
                "bare": column_definition(bare, self.after),
                "default": item["default"] or "null",
            }
            if not rewritten:
                counted = item["default"] is not None or item["generated"] or item["identity"]
                kind = "column_required" if item["not_null"] and not counted else "column"
                yield Hazard(kind, words)
                continue
            kind = self._filled(item, words)
            if kind == "column_generated":
                yield self.shadow(item.parent)
                return
            if not self.batch_key(item.parent):
                yield Hazard("column_unkeyed", words)
                continue
            yield Hazard(kind, words, frozenset({"new"}))
            if kind in ("column_filled", "column_serial", "column_identity") and item["not_null"]:
                yield self.not_null(item, frozenset({"new"}))
                if kind == "column_identity":
                    yield Hazard("column_counts", words, frozenset({"new"}))

    def _filled(self, item: Item, words: dict[str, str]) -> str:
        """Return how a new column gets its values."""
        if item["generated"]:
            return "column_generated"
        owned = self.after.of("sequence", item.parent)
        sequence = next((one for one in owned if one["owned_by"] == item.name), None)
        if sequence is None:
            return "column_filled" if item["default"] is not None else "column_generated"
        options = f"as {sequence['type']} {sequence_options(sequence)}".strip()
        words |= {"sequence": sequence.name, "options": options}
        if not item["identity"]:
            return "column_serial"
        schema, table = split_name(table_of(item))
        counter = f"{schema}.{helper(table, item['name'], 'counter', self.after)}"
        words |= {
            "identity": identity(item, self.after),
            "helper": counter,
            "helper_literal": literal(counter),
            "sequence_literal": literal(sequence.name),
            "default": f"nextval({literal(counter)}::regclass)",
        }
        return "column_identity"

    def not_nulls(self) -> Iterator[Hazard]:
        """Yield the columns that may no longer be null."""
        columns = [item for _, item in self.altered("column", "not_null")]
        keys = {item.key for item in columns}
        for item in columns:
            if item["not_null"] == "yes" and keys.isdisjoint(twins_above(item, self.after)):
                yield self.not_null(item, self.age(item))

    def not_null(self, item: Item, flags: frozenset[str]) -> Hazard:
        """Return that a column may no longer be null."""
        _, table = split_name(table_of(item))
        words = {
            **self.of(item),
            "name": not_null_name(item, self.after),
            "helper": helper(table, item["name"], "filled", self.after),
        }
        return Hazard("not_null", words, flags)

    def _keys(self) -> Iterator[Hazard]:
        for item in self.new("constraint"):
            keyed = item["form"] in ("primary key", "unique")
            if item["form"] == "exclude" or (keyed and "WITHOUT OVERLAPS" in item["definition"]):
                yield self.shadow(item.parent)
            elif keyed:
                index = self.after.items[f"index {index_name(item)}"]
                deferrable = _DEFERRABLE.search(item["definition"])
                words = {
                    **self.of(item),
                    "form": item["form"],
                    "definition": lowered(item["definition"]),
                    "deferrable": lowered(deferrable[1]) if deferrable else "",
                    **self.index_words(index),
                }
                flags = self.age(item)
                if not is_partitioned(self.after, item.parent):
                    yield Hazard("key", words, flags)
                    continue
                if self.after.version >= 180000 and list(self.not_nulls()):
                    yield Hazard("key_partitioned_nullable", words)
                yield Hazard("key_partitioned", words, flags, self.index_leaves(index, item))

    def _constraints(self) -> Iterator[Hazard]:
        for item in self.new("constraint"):
            if item["form"] not in ("check", "foreign key"):
                continue
            words = {**self.of(item), "definition": lowered(item["definition"])}
            flags = self.age(item)
            lists: dict[str, Sequence[Words]] = {}
            if item["form"] == "foreign key":
                flags |= {"foreign"}
                if is_partitioned(self.after, item.parent):
                    flags |= set() if self.after.version >= 180000 else {"leafwise"}
                    lists = {"leaves": [{"leaf": name} for name in self.leaves(table_of(item))]}
            yield Hazard("constraint", words, flags, lists)

    def _indexes(self) -> Iterator[Hazard]:
        for item in self.new("index"):
            if item["constraint"] is None:
                words = {**self.of(item), **self.index_words(item)}
                if is_partitioned(self.after, item.parent):
                    yield Hazard("index_partitioned", words, frozenset(), self.index_leaves(item))
                else:
                    yield Hazard("index", words)
