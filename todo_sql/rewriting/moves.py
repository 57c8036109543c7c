"""What a command does to names, partitions, rows and storage of tables in use. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from todo_sql.catalog.columns import above
from todo_sql.catalog.ddl import create, give
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import (
    column_name,
    dotted,
    index_name,
    quoted,
    relation_name,
    split_name,
    table_of,
)
from todo_sql.catalog.names import plain as unquoted
from todo_sql.migrations.files.batched import NotBatched, batched
from todo_sql.migrations.files.directives import BatchBy
from todo_sql.review.linting.tree import enum, of_type, relation
from todo_sql.rewriting.piece_view import NAME, PieceView, helper, plain, table_named
from todo_sql.rewriting.recipe import Hazard, Words
from todo_sql.rewriting.single_commands import lowered


class Moves(PieceView):
    """Finds what a command renames, attaches, writes or stores otherwise."""

    # Names.

    def renamed_relation(self) -> Iterator[Hazard]:
        """Yield another name of a table, or of a column of one."""
        node = self.piece.node
        kind = enum(node, "rename_type")
        if kind == "OBJECT_TABLE":
            yield from self._renamed_table()
        elif kind == "OBJECT_COLUMN" and enum(node, "relation_type") == "OBJECT_TABLE":
            yield from self._renamed_column()

    def _renamed_table(self) -> Iterator[Hazard]:
        for old, new in self.piece.trace.renamed:
            was, now = table_named(self.before, old), table_named(self.after, new)
            if was is None or now is None or was["form"] == "foreign":
                continue
            view = _view(was.name, f"select * from {now.name}", self._rights(was.name, was))
            words = {
                "table": was.name,
                "to": now.name,
                "bare": split_name(was.name)[1],
                "to_bare": split_name(now.name)[1],
                "view": view,
            }
            yield Hazard("rename_table", words)

    def _renamed_column(self) -> Iterator[Hazard]:
        changes = self.piece.trace.change.renamed
        if len(changes) != 1:
            return
        ((old, new),) = changes
        found = (one for one in self.gone("column") if one["name"] == old["name"])
        column = next((one for one in found if above(one, self.before) is None), None)
        if column is None or column.parent in self.made:
            return
        item = self.after.items.get(column.parent or "")
        if item is None or item.kind != "table" or item["form"] == "foreign":
            return
        schema, bare = split_name(item.name)
        stand_in = helper(bare, "", "", self.after)
        columns = [column_name(one) for one in self.after.of("column", item.key)]
        listed = ", ".join([*columns, f"{quoted(new['name'])} as {quoted(old['name'])}"])
        renamed = self.after.items[f"column {item.name}.{quoted(new['name'])}"]
        rights = self._rights(item.name, item, renamed)
        view = _view(item.name, f"select {listed} from {schema}.{stand_in}", rights)
        words = {
            "table": item.name,
            "bare": bare,
            "from": quoted(old["name"]),
            "to": quoted(new["name"]),
            "stand_in": stand_in,
            "stand_in_name": f"{schema}.{stand_in}",
            "view": view,
        }
        lists = {"triggers": list(self._firing(item.key, quoted(old["name"])))}
        yield Hazard("rename_column", words, frozenset(), lists)

    def _firing(self, table: str, column: str) -> Iterator[Words]:
        """Yield the functions of triggers that say the old name of a column: no view hides it."""
        says = re.compile(rf"\b(new|old)\s*\.\s*{re.escape(column)}(?![\w$])", re.IGNORECASE)
        triggers = [item["definition"] for item in self.after.of("trigger", table)]
        for function in self.after.of("function"):
            called = re.compile(rf"(?<![\w$.]){re.escape(function.name.partition('(')[0])}\(")
            found = says.search(function["definition"] or "")
            if found and any(called.search(text) for text in triggers):
                yield {"function": function.name, "says": found[0]}

    def _rights(self, name: str, table: Item, renamed: Item | None = None) -> list[str]:
        """Return what gives a view of a table's name the privileges of the table."""
        found = []
        snapshot = self.before if table.key in self.before.items else self.after
        if table["owner"] != "current_user":
            found.append(f"alter view {name} owner to {quoted(table['owner'])};")
        columns = [(column, snapshot) for column in snapshot.of("column", table.key)]
        columns += [(renamed, self.after)] if renamed else []
        for owner, where in ((table, snapshot), *columns):
            for item in where.of("grant", owner.key):
                if item["target"] == owner.key:
                    found += [f"{text};" for text in create(item, where)]
        return found

    # Partitions.

    def attached(self) -> Iterator[Hazard]:
        """Yield a table that becomes a partition."""
        command = getattr(self.piece.command, "def").partition_cmd
        child = table_named(self.after, relation(command.name))
        parent = table_named(self.after, relation(self.piece.node.relation))
        rule = self.piece.rules.get(child.name) if child else None
        if child is None or parent is None or rule is None:
            yield Hazard("other", {"statement": self.piece.statement.text})
            return
        table = self.renamed.get(plain(child.name))
        former = dotted(*table.split(".", 1)) if table else child.name
        words = {
            "statement": self.piece.statement.text,
            "child": child.name,
            "former": former,
            "former_bare": split_name(former)[1],
            "parent": parent.name,
            "rule": lowered(rule),
            "helper": helper(split_name(former)[1], "", "bound", self.after),
        }
        flags = frozenset[str]()
        for name, other in self.piece.rules.items():
            if name != child.name:
                flags = frozenset({"default"})
                words |= {
                    "default": name,
                    "default_rule": lowered(other),
                    "default_helper": helper(split_name(name)[1], "", "bound", self.after),
                }
        if parent.key in self.made:
            yield Hazard("attach_former", words, flags)
            return
        lists: dict[str, list[Words]] = {"indexes": [], "keys": [], "references": []}
        for item in (change.item for change in self.changes if change.before is None):
            if item.parent != child.key:
                continue
            if item.kind == "index" and item["constraint"] is None:
                lists["indexes"].append(self.index_words(item))
            elif item.kind == "constraint" and item["form"] in ("primary key", "unique"):
                index = self.after.items[f"index {index_name(item)}"]
                lists["keys"].append({**self.index_words(index), "form": item["form"]})
            elif item.kind == "constraint" and item["form"] == "foreign key":
                lists["references"].append(self.defined(item))
        yield Hazard("attach", words, flags, lists)

    # Rows and storage.

    def refreshed(self) -> Iterator[Hazard]:
        """Yield a materialized view that is filled anew."""
        view = table_named(self.after, relation(self.piece.node.relation), "materialized_view")
        if view is None or self.piece.node.skip_data:
            return
        schema, bare = split_name(view.name)
        indexes = list(self.after.of("index", view.key))
        words = {"view": view.name, "schema": schema, "bare": bare}
        if any(
            one["unique"] and one["predicate"] is None and all(map(NAME.fullmatch, one["columns"]))
            for one in indexes
        ):
            yield Hazard("refresh", words)
            return
        standing = [part for part, needs in self.after.needs.items() if view.key in needs]
        if any(part.startswith("query ") and part != f"query {view.key}" for part in standing):
            yield Hazard("refresh_blocked", words)
            return
        fresh = helper(bare, "", "fresh", self.after)
        made = create(view, self.after)[0].removesuffix("with no data") + "with data"
        made = made.replace(
            f"create materialized view {view.name}", f"create materialized view {schema}.{fresh}", 1
        )
        keys = [view.key, *(column.key for column in self.after.of("column", view.key))]
        parts = [one for key in keys for one in self.after.parts(key)]
        rights = [*give(view)]
        for part in parts:
            rights += create(part, self.after) if part.kind in ("grant", "comment") else ()
        said = "\n".join(f"{text};" for text in rights)
        words |= {"fresh": fresh, "create": made, "rights": said}
        beside = f"{schema}.{fresh}"
        again = [self.index_beside(index, view.name, beside, "fresh") for index in indexes]
        yield Hazard("refresh_swap", words, frozenset(), {"indexes": again})

    def clustered(self) -> Iterator[Hazard]:
        """Yield a table whose rows are put in the order of an index."""
        for _, item in self.altered("index", "clustered"):
            if item["clustered"]:
                yield Hazard("cluster", {"table": table_of(item), "name": quoted(item["name"])})
                return
        yield Hazard("cluster_again", {"statement": self.piece.statement.text})

    def vacuumed(self) -> Iterator[Hazard]:
        """Yield a table that is packed."""
        tables = [one.vacuum_relation.relation for one in self.piece.node.rels]
        listed = ", ".join(relation_name(table) for table in tables)
        yield Hazard("vacuum_full", {"tables": f" {listed}" if listed else ""})

    def written(self) -> Iterator[Hazard]:
        """Yield a statement that writes many rows of a table in use."""
        piece = self.piece
        node = piece.node
        named = node.relation
        if piece.statement.kind == "insert_stmt":
            found = of_type(node.select_stmt, "RangeVar")
            sources = [one for one in found if relation(one) != relation(named)]
            if len(sources) != 1:
                return
            (named,) = sources
        item = table_named(self.after, relation(named))
        if item is None or item.key in self.made or item.key not in self.before.items:
            return
        key = self.batch_key(item.key)
        if not key or _by_key(piece.statement.text, key):
            return
        table = relation_name(named)
        schema = named.schemaname or None
        primary = any(one["form"] == "primary key" for one in self.after.of("constraint", item.key))
        by = tuple(map(unquoted, key))
        try:
            batched(piece.statement, BatchBy(named.relname, schema, () if primary else by))
        except NotBatched:
            return
        batch = table if primary else f"{table} by {', '.join(key)}"
        yield Hazard("rows", {"statement": piece.statement.text, "batch": batch, "table": table})


def _view(name: str, query: str, rights: Sequence[str]) -> str:
    made = f"create view {name} with (security_invoker = true) as {query};"
    return "\n".join([made, *rights])


def _by_key(text: str, key: Sequence[str]) -> bool:
    """Whether a statement names the one row that it writes: every column of the key, equal."""
    where = re.split(r"\bwhere\b", text, flags=re.IGNORECASE)[-1]
    return all(
        re.search(rf"(?<![\w$\"]){re.escape(name)}(?![\w$\"])\s*(=|in\b)\s*[('\d$]", where, re.I)
        for name in key
    ) and bool(re.search(r"\bwhere\b", text, re.IGNORECASE))
