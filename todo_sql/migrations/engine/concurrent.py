"""Concurrent index work and detached partitions: what became of it, and what it left behind.

`create index concurrently` and its kin commit in several steps. One that fails or dies
leaves an INVALID index; the catalog tells. Only what the ledger says that we began is
ever dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

from todo_sql.catalog.names import dotted, relation_name
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine.settings import OURS
from todo_sql.migrations.files.rerun import detached_partition, is_rerunnable
from todo_sql.queries.own import bound
from todo_sql.sql import grammar
from todo_sql.sql.grammar import Statement
from todo_sql.sql.walking import enum, strings
from todo_sql.wire.flight import FlightCommand


class Fate(StrEnum):
    """What became of a statement that was begun."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Index:
    """An index as the catalog has it; the builder is the process that works on it now."""

    name: str
    valid: bool
    partitioned: bool
    definition: str
    builder: int | None


def _built(statement: Statement) -> Any | None:
    """Return the parse tree of ``create index concurrently``, or None."""
    if statement.kind == "index_stmt" and statement.node.index_stmt.concurrent:
        return statement.node.index_stmt
    return None


def _dropped(statement: Statement) -> str | None:
    """Return the quoted name of the index that ``drop index concurrently`` names, or None."""
    if statement.kind != "drop_stmt" or not statement.node.drop_stmt.concurrent:
        return None
    return dotted(*strings(statement.node.drop_stmt.objects[0].list.items))


@dataclass
class Catalog:
    """Looks into the catalog; what a name means there, the file's session says."""

    link: MigrationLink
    before: Sequence[FlightCommand]

    def index_of(self, statement: Statement) -> Index | None:
        """Return the index that a ``create index concurrently`` would make, if it is there."""
        node = _built(statement)
        if node is None or not node.idxname:
            return None
        table = self._oid(relation_name(node.relation))
        return next(iter(self._indexes(kind="named", name=node.idxname, about=table)), None)

    def matches(self, statement: Statement, index: Index) -> bool | None:
        """Tell whether an index is what a statement would make; None: it cannot be told.

        An index of the same definition is made on an empty likeness of the table, in a
        transaction that is rolled back.
        """
        again = grammar.parse(statement.text)[0]
        if again.unseen:
            return None
        node = again.node
        table = relation_name(node.index_stmt.relation)
        likeness = "_todo_sql_likeness"
        node.index_stmt.concurrent = False
        node.index_stmt.if_not_exists = False
        node.index_stmt.relation.schemaname = "pg_temp"
        node.index_stmt.relation.relname = likeness
        node.index_stmt.relation.inh = True
        made = (
            f"create temporary table {likeness} (like {table}) on commit drop",
            grammar.deparse(node),
        )
        asked = FlightCommand(
            "select pg_catalog.pg_get_indexdef(i.indexrelid), "
            f"i.indrelid = pg_catalog.to_regclass('pg_temp.{likeness}') "
            "from pg_catalog.pg_index as i where i.indexrelid = "
            "pg_catalog.to_regclass('pg_temp.' || pg_catalog.quote_ident($1))",
            (node.index_stmt.idxname,),
        )
        opening = [FlightCommand("begin read write"), *self.before, *map(FlightCommand, made)]
        try:
            answers = self.link.fly([*opening, OURS, asked, FlightCommand("rollback")])
        except psycopg.Error:
            self.link.roll_back()
            return None
        definition = answers[-2].rows[0][0] if answers[-2].rows else None
        if definition is None:
            return None
        same_table = self._rows(
            "select 1 from pg_catalog.pg_index as i where i.indexrelid = pg_catalog.to_regclass($1)"
            " and i.indrelid = $2::pg_catalog.oid",
            index.name,
            self._oid(table),
        )
        return bool(same_table) and _essence(definition) == _essence(index.definition)

    def fate(self, statement: Statement) -> Fate:
        """Find out what became of a statement that was begun, and nothing more is known of."""
        if (node := _built(statement)) is not None:
            index = self.index_of(statement)
            if index is None or not index.valid:
                return Fate.NOT_DONE if node.idxname else Fate.UNKNOWN
            return Fate.DONE if self.matches(statement, index) else Fate.UNKNOWN
        if (dropped := _dropped(statement)) is not None:
            return Fate.NOT_DONE if self._oid(dropped) else Fate.DONE
        if names := detached_partition(statement):
            return Fate.DONE if self._detach_state(*names) is None else Fate.NOT_DONE
        return Fate.NOT_DONE if is_rerunnable(statement) else Fate.UNKNOWN

    def leftovers(self, statement: Statement) -> Iterator[Index]:
        """Yield the INVALID indexes that a statement left behind, had it been begun by us."""
        index = self.index_of(statement)
        if index is not None and not index.valid and not index.partitioned:
            yield index
        if statement.kind == "reindex_stmt":
            node = statement.node.reindex_stmt
            table = self._oid(relation_name(node.relation)) if node.relation.relname else None
            yield from self._indexes(kind=enum(node, "kind"), name=node.name, about=table)

    def pending_detach(self, statement: Statement) -> str | None:
        """Return the statement that ends a detach which was begun, or None."""
        names = detached_partition(statement)
        if names is None or self._detach_state(*names) != "t":
            return None
        parent, child = map(relation_name, names)
        return f"alter table {parent} detach partition {child} finalize"

    def _detach_state(self, parent: Any, child: Any) -> str | None:
        rows = self._rows(
            "select h.inhdetachpending from pg_catalog.pg_inherits as h "
            "where h.inhparent = $1::pg_catalog.oid and h.inhrelid = $2::pg_catalog.oid",
            *(self._oid(relation_name(one)) for one in (parent, child)),
        )
        return rows[0][0] if rows else None

    def _indexes(self, **arguments: str | None) -> list[Index]:
        sql, parameters = bound(__package__, "indexes", **arguments)
        return [
            Index(str(name), valid == "t", part == "t", str(text), int(pid) if pid else None)
            for name, valid, part, text, pid in self._rows(sql, *parameters)
        ]

    def _oid(self, name: str) -> str | None:
        """Return what the file means by a name, along its own search path; None: nothing."""
        found = FlightCommand("select pg_catalog.to_regclass($1)::pg_catalog.oid", (name,))
        return self.link.fly([*self.before, found])[-1].rows[0][0]

    def _rows(self, sql: str, *parameters: str | None) -> list[tuple[str | None, ...]]:
        return self.link.fly([OURS, FlightCommand(sql, parameters)])[-1].rows


def _essence(definition: str) -> str:
    """Return the part of an index's definition that does not name index and table."""
    unique = "unique " if definition.startswith("CREATE UNIQUE") else ""
    return unique + re.split(r" USING ", definition, maxsplit=1)[1]
