"""What a table needs that is made anew beside the one in use, and takes its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from todo_sql.catalog.belonging import belongs, object_of
from todo_sql.catalog.columns import not_null_name
from todo_sql.catalog.ddl import create, set_index
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, index_name, literal, quoted, split_name, table_of
from todo_sql.catalog.names import plain as unquoted
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.rewriting.piece_view import PieceView, changed, helper
from todo_sql.rewriting.recipe import Hazard, Words

_KEYS = ("primary key", "unique", "exclude")
_USERS = ("view", "materialized_view", "function", "rule", "policy", "trigger")
_LATER = ("grant", "comment", "policy", "trigger", "statistics", "security_label")


class Shadows(PieceView):
    """Finds what a command makes anew of a whole table."""

    def shadow(self, key: str | None) -> Hazard:
        """Return what makes the table of a key anew in the shape that it has after the command."""
        words = {"statement": self.piece.statement.text}
        table = self.after.items.get(key or "")
        known = table is not None and table.kind == "table" and table.key in self.before.items
        if table is None or not known or self._obstacles(table):
            return Hazard("shadow_refused", words)
        return self._shadow(table)

    def _obstacles(self, table: Item) -> bool:
        """Whether something stands on the table that would have to move, too."""
        shape = ("inherits", "partition_by", "partition_bound", "of_type", "force_row_security")
        if any(table[name] for name in shape) or table["form"] != "plain":
            return True
        if all(column["identity"] == "always" for column in self.after.of("column", table.key)):
            return True
        if table.name in self.after.parents or not self._key(table):
            return True
        if any(
            item["all_tables"] or item["schemas"] or table.name in (item["tables"] or "")
            for item in self.after.of("publication")
        ):
            return True
        for item in self.after.of("constraint"):
            itself = item["references"] == table.name and table_of(item) == table.name
            if item["form"] == "foreign key" and (itself or item["of_partition"]):
                return True
        return self._is_used(table) or any(self.after.of("rule", table.key))

    def _is_used(self, table: Item) -> bool:
        own = {table.key, *(part.key for part in self.after.parts(table.key))}
        own |= {part.key for key in own for part in self.after.parts(key)}
        for part, needs in self.after.needs.items():
            user = self.after.items.get(object_of(part))
            if user and user.kind in _USERS and user.key not in own and not own.isdisjoint(needs):
                return True
        return False

    def _key(self, table: Item) -> list[str]:
        """Return the columns of a key by which a row is found on both sides."""
        for item in self.before.of("constraint", table.key):
            if item["form"] == "primary key" and "DEFERRABLE" not in item["definition"]:
                found = self.after.items.get(item.key)
                return [quoted(name) for name in item["columns"]] if found else []
        return []

    def _shadow(self, table: Item) -> Hazard:
        schema, bare = split_name(table.name)
        after = self.after
        name = f"{schema}.{helper(bare, '', 'shadow', after)}"
        mirror = f"{schema}.{helper(bare, '', 'mirror', after)}"
        keys = self._key(table)
        columns = [c for c in after.of("column", table.key) if not c["generated"]]
        using = self.piece.trace.using
        listed = ", ".join(column_name(column) for column in columns)
        values = ", ".join(using.get(c["name"], column_name(c)) for c in columns)
        settable = [column for column in columns if column["identity"] != "always"]
        free = [column_name(column) for column in settable]
        wanted = ", ".join(using.get(c["name"], column_name(c)) for c in settable)
        others = [column for column in free if column not in keys]
        renewed = ", ".join(f"{column} = excluded.{column}" for column in others)
        words = {
            "table": table.name,
            "bare": bare,
            "schema": schema,
            "shadow": name,
            "shadow_bare": split_name(name)[1],
            "mirror": mirror,
            # By name it comes before `RI_ConstraintTrigger…`, which fires in that order.
            "first": helper("0_" + unquoted(bare), "", "mirror", after),
            "assigned": f"({', '.join(free)}) = (select {wanted} from (select new.*) as written)",
            "cleared": helper(bare, "", "cleared", after),
            "key": ", ".join(keys),
            "old_key": ", ".join(f"old.{key}" for key in keys),
            "columns": listed,
            "values": values,
            "renew": f"do update set {renewed}" if renewed else "do nothing",
            "create": self._create(table, name),
            "statement": self.piece.statement.text,
        }
        return Hazard("shadow", words, frozenset(), self._lists(table, name))

    def _create(self, table: Item, name: str) -> str:
        """Return what makes the table under another name, without keys, indexes and rights."""
        items = {}
        made = replace(table, name=name)
        apart = set()
        for part in self.after.parts(table.key):
            if part.kind == "column":
                moved = replace(part, name=f"{name}.{column_name(part)}", parent=made.key)
                if part["not_null"] and self.after.version >= 180000:
                    moved = changed(moved, not_null_name=not_null_name(part, self.after))
                items[moved.key] = moved
            elif part.kind == "constraint":
                moved = replace(part, name=f"{quoted(part['name'])} on {name}", parent=made.key)
                items[moved.key] = moved
                if part["form"] in _KEYS:
                    apart.add(moved.key)
            elif part.kind == "sequence":
                owned = f"{name}.{part['owned_by'].rsplit('.', 1)[-1]}"
                moved = replace(changed(part, owned_by=owned), parent=made.key)
                if part["identity"]:
                    moved = replace(moved, name=self._counter(part))
                items[moved.key] = moved
        snapshot: Snapshot = replace(self.after, items={made.key: made, **items})
        return ";\n".join(create(made, snapshot, apart))

    def _lists(self, table: Item, name: str) -> dict[str, list[Words]]:
        """Return what hangs on a table, for one that is made under another name."""
        own = list(self.after.of("constraint", table.key))
        others = [one for one in self.after.of("constraint") if one["references"] == table.name]
        sequences = [
            (item, item["owned_by"].removeprefix(f"{table.name}."))
            for item in self.after.of("sequence", table.key)
            if item["owned_by"]
        ]
        return {
            "keys": [
                {**self.defined(item), "helper": self._beside(index_name(item))}
                for item in own
                if item["form"] in _KEYS
            ],
            "indexes": [
                self.index_beside(index, table.name, name, "shadow")
                for index in self.after.of("index", table.key)
                if index["constraint"] is None
            ],
            "outgoing": [self.defined(item) for item in own if item["form"] == "foreign key"],
            "incoming": [
                self._reference(item, table) for item in others if item["form"] == "foreign key"
            ],
            "sequences": [
                {"sequence": item.name, "owner": f"{name}.{column}"}
                for item, column in sequences
                if not item["identity"]
            ],
            "identities": [
                {
                    "sequence": literal(item.name),
                    "column": column,
                    "column_literal": literal(unquoted(column)),
                    "shadow_literal": literal(name),
                    "name": split_name(item.name)[1],
                    "shadow_sequence": self._counter(item),
                }
                for item, column in sequences
                if item["identity"]
            ],
            "later": [{"text": f"{text};"} for text in self._later(table)],
        }

    def _beside(self, name: str) -> str:
        """Return a name for what stands beside an object until it takes its place."""
        return helper(split_name(name)[1], "", "shadow", self.after)

    def _reference(self, item: Item, table: Item) -> Words:
        words = self.defined(item)
        before, _, rest = words["definition"].partition(f"references {table.name}")
        return {
            "child": table_of(item),
            "name": words["name"],
            "helper": helper(words["name"], "", "shadow", self.after),
            "before": before,
            "rest": rest,
        }

    def _counter(self, item: Item) -> str:
        """Return the sequence that the second table's identity gets: named in its definition."""
        return f"{split_name(item.name)[0]}.{self._beside(item.name)}"

    def _later(self, table: Item) -> Iterator[str]:
        """Yield what the table has besides rows, keys and indexes, under its own name."""
        for kind in _LATER:
            for item in self.after.of(kind):
                if belongs(item, table.key, self.after):
                    yield from create(item, self.after)
        for index in self.after.of("index", table.key):
            for name in ("clustered", "replica_identity"):
                yield from set_index(name, None, index) if index[name] else ()
