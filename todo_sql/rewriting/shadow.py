"""What a table needs that is made anew beside the one in use, and takes its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from todo_sql.catalog.columns import not_null_name
from todo_sql.catalog.ddl import create
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, index_name, literal, quoted, split_name, table_of
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.rewriting.piece_view import PieceView, changed, helper
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.single_commands import lowered

_KEYS = ("primary key", "unique", "exclude")
_LATER = ("grant", "comment", "policy", "trigger", "statistics", "security_label")


class Shadows(PieceView):
    """Finds what a command makes anew of a whole table."""

    def shadow(self, key: str | None) -> Hazard:
        """Return what makes the table of a key anew in the shape that it has after the command."""
        words = {"statement": self.piece.statement.text}
        table = self.after.items.get(key or "")
        if table is None or table.kind != "table" or table.key not in self.before.items:
            return Hazard("shadow_refused", words)
        if self._obstacles(table):
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
        for item in self.after.of("publication"):
            if item["all_tables"] or table.name in (item["tables"] or "") or item["schemas"]:
                return True
        for item in self.after.of("constraint"):
            itself = item["references"] == table.name and table_of(item) == table.name
            if item["form"] == "foreign key" and (itself or item["of_partition"]):
                return True
        own = {part.key for part in self.after.parts(table.key)}
        own |= {part.key for key in own for part in self.after.parts(key)}
        for part, needs in self.after.needs.items():
            kind, _, name = part.partition(" ")
            user = name if kind in ("query", "attach", "default", "owned") else part
            stands = self.after.items.get(user)
            touches = any(key == table.key or key in own for key in needs)
            if not touches or stands is None or stands.key in own or stands.key == table.key:
                continue
            kinds = ("view", "materialized_view", "function", "rule", "policy", "trigger")
            if stands.kind in kinds:
                return True
        return any(self.after.of("rule", table.key))

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
        free = [column_name(c) for c in columns if c["identity"] != "always"]
        wanted = ", ".join(
            using.get(c["name"], column_name(c)) for c in columns if c["identity"] != "always"
        )
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
            "first": helper("0_" + bare.strip(chr(34)), "", "mirror", after),
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
        lists: dict[str, list[Words]] = {
            "keys": list(self._keys_of(table)),
            "indexes": list(self._indexes_of(table, name)),
            "outgoing": list(self._outgoing(table)),
            "incoming": list(self._incoming(table)),
            "sequences": list(self._sequences(table, name)),
            "identities": list(self._identities(table, name)),
            "later": [{"text": f"{text};"} for text in self._later(table)],
        }
        return Hazard("shadow", words, frozenset(), lists)

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

    def _keys_of(self, table: Item) -> Iterator[Words]:
        for item in self.after.of("constraint", table.key):
            if item["form"] in _KEYS:
                name = helper(split_name(index_name(item))[1], "", "shadow", self.after)
                yield {
                    "name": quoted(item["name"]),
                    "helper": name,
                    "definition": lowered(item["definition"]),
                }

    def _indexes_of(self, table: Item, name: str) -> Iterator[Words]:
        for index in self.after.of("index", table.key):
            if index["constraint"] is None:
                words = self.index_words(index)
                made = helper(split_name(index.name)[1], "", "shadow", self.after)
                concurrently = words["concurrently"].replace(
                    f" {words['name']} on {table.name} ", f" {made} on {name} ", 1
                )
                yield {"name": words["name"], "helper": made, "concurrently": concurrently}

    def _outgoing(self, table: Item) -> Iterator[Words]:
        for item in self.after.of("constraint", table.key):
            if item["form"] == "foreign key":
                yield {"name": quoted(item["name"]), "definition": lowered(item["definition"])}

    def _incoming(self, table: Item) -> Iterator[Words]:
        for item in self.after.of("constraint"):
            if item["form"] == "foreign key" and item["references"] == table.name:
                definition = lowered(item["definition"])
                yield {
                    "child": table_of(item),
                    "name": quoted(item["name"]),
                    "helper": helper(quoted(item["name"]), "", "shadow", self.after),
                    "before": definition.partition(f"references {table.name}")[0],
                    "rest": definition.partition(f"references {table.name}")[2],
                }

    def _sequences(self, table: Item, name: str) -> Iterator[Words]:
        for item in self.after.of("sequence", table.key):
            if not item["identity"] and item["owned_by"]:
                column = item["owned_by"].removeprefix(f"{table.name}.")
                yield {"sequence": item.name, "owner": f"{name}.{column}"}

    def _identities(self, table: Item, name: str) -> Iterator[Words]:
        for item in self.after.of("sequence", table.key):
            if item["identity"]:
                column = item["owned_by"].removeprefix(f"{table.name}.")
                yield {
                    "sequence": literal(item.name),
                    "column": column,
                    "column_literal": literal(column.strip('"').replace('""', '"')),
                    "shadow_literal": literal(name),
                    "name": split_name(item.name)[1],
                    "shadow_sequence": self._counter(item),
                }

    def _counter(self, item: Item) -> str:
        """Return the sequence that the second table's identity gets: named in its definition."""
        schema, _ = split_name(item.name)
        return f"{schema}.{helper(split_name(item.name)[1], '', 'shadow', self.after)}"

    def _later(self, table: Item) -> Iterator[str]:
        """Yield what the table has besides rows, keys and indexes, under its own name."""
        for kind in _LATER:
            for item in self.after.of(kind):
                if item.parent is not None and self._is_of(item, table):
                    yield from create(item, self.after)
        for index in self.after.of("index", table.key):
            if index["clustered"]:
                yield f"alter table {table.name} cluster on {quoted(index['name'])}"
            if index["replica_identity"]:
                name = quoted(index["name"])
                yield f"alter table {table.name} replica identity using index {name}"

    def _is_of(self, item: Item, table: Item) -> bool:
        parent = item.parent
        while parent:
            if parent == table.key:
                return True
            above = self.after.items.get(parent)
            parent = above.parent if above else None
        return False
