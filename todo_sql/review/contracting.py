"""What a contract file takes away that a named query still reads. Pure.

What is not certain counts as read: a column without a table's name before it, in a query that
names the table. A name that the pending migrations give anew is not gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from todo_sql.errors import Finding
from todo_sql.migrations.files.migration import Migration
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import variants
from todo_sql.review.linting.tree import enum, of_type, qualified, relation, shown, strings
from todo_sql.sql.grammar import GrammarError, Statement, parse

_MOST_VARIANTS = 16
_RELATIONS = ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW")


@dataclass(frozen=True, slots=True)
class Gone:
    """A relation, or a column of one, that a statement takes away."""

    table: str
    column: str | None = None

    def __str__(self) -> str:
        return shown(self.table) + (f".{self.column}" if self.column else "")


def taken_from_queries(
    migrations: Iterable[Migration], queries: Mapping[str, NamedQuery]
) -> list[Finding]:
    """Return what contract files among pending migrations take away from queries.

    Args:
        migrations: What is pending, in order.
        queries: The named queries.
    """
    gone: dict[Gone, tuple[Migration, Statement]] = {}
    for migration in migrations:
        waived = "M218" in migration.forward.directives.allow
        for statement in migration.forward.statements:
            for given in _given(statement):
                gone.pop(given, None)
            if migration.forward.directives.contracts and not waived:
                gone |= dict.fromkeys(_taken(statement), (migration, statement))
    found = []
    for one, (migration, statement) in gone.items():
        for name, query in queries.items():
            if _reads(query, one):
                source = migration.forward.source
                line = statement.text.split("\n", 1)[0].rstrip()
                place = source.place(statement.start, statement.start + len(line))
                found.append(
                    Finding(
                        "M218",
                        "error",
                        f"{one} is taken away, and the query {name} reads it",
                        place,
                        cause=f"the query stands at {query.place()}; nothing was changed",
                        fix="change the query and release that first; where the query is not in "
                        "use any more, delete it, or say `-- allow: M218 reason`",
                    )
                )
    return found


def _taken(statement: Statement) -> Iterator[Gone]:
    if statement.kind == "drop_stmt":
        node = statement.node.drop_stmt
        if enum(node, "remove_type") in _RELATIONS:
            for one in node.objects:
                yield Gone(qualified(one.list.items))
    elif statement.kind == "alter_table_stmt":
        node = statement.node.alter_table_stmt
        for one in node.cmds:
            if enum(one.alter_table_cmd, "subtype") == "AT_DropColumn":
                yield Gone(relation(node.relation), one.alter_table_cmd.name)
    elif statement.kind == "rename_stmt":
        node = statement.node.rename_stmt
        kind = enum(node, "rename_type")
        if kind == "OBJECT_COLUMN":
            yield Gone(relation(node.relation), node.subname)
        elif kind in _RELATIONS:
            yield Gone(relation(node.relation))


def _given(statement: Statement) -> Iterator[Gone]:
    """Yield the names that a statement gives."""
    node: Any = statement.root
    match statement.kind:
        case "create_stmt":
            yield Gone(relation(node.relation))
        case "view_stmt":
            yield Gone(relation(node.view))
        case "create_table_as_stmt":
            yield Gone(relation(node.into.rel))
        case "alter_table_stmt":
            for one in node.cmds:
                if enum(one.alter_table_cmd, "subtype") == "AT_AddColumn":
                    column = getattr(one.alter_table_cmd, "def").column_def.colname
                    yield Gone(relation(node.relation), column)
        case "rename_stmt":
            kind, schema = enum(node, "rename_type"), relation(node.relation).split(".", 1)[0]
            if kind == "OBJECT_COLUMN":
                yield Gone(relation(node.relation), node.newname)
            elif kind in _RELATIONS:
                yield Gone(f"{schema}.{node.newname}")


def _reads(query: NamedQuery, gone: Gone) -> bool:
    word = re.escape(gone.table.split(".", 1)[1])
    for variant in islice(variants(query), _MOST_VARIANTS):
        if not re.search(rf"(?<!\w){word}(?!\w)", variant.sql, re.IGNORECASE):
            continue
        try:
            if any(_names(statement, gone) for statement in parse(variant.sql)):
                return True
        except GrammarError:  # `check` tells of it
            continue
    return False


def _names(statement: Statement, gone: Gone) -> bool:
    schema, table = gone.table.split(".", 1)
    named = [
        one
        for one in of_type(statement.node, "RangeVar")
        if one.relname == table and one.schemaname in ("", schema)
    ]
    if not named:
        return False
    if gone.column is None:
        return True
    aliases = {one.alias.aliasname or one.relname for one in named}
    for one in of_type(statement.node, "ColumnRef"):
        *before, last = [_part(field) for field in one.fields]
        if last in (gone.column, "*") and (not before or before[-1] in aliases):
            return True
    written = _written(statement, table)
    return gone.column in written


def _part(field: Any) -> str:
    return "*" if field.HasField("a_star") else str(field.string.sval)


def _written(statement: Statement, table: str) -> set[str]:
    """Return the columns of a table that INSERT and UPDATE name as their targets, and its joins."""
    found = {
        target.res_target.name
        for kind, fields in (
            ("InsertStmt", ("cols",)),
            ("UpdateStmt", ("target_list",)),
        )
        for node in of_type(statement.node, kind)
        if node.relation.relname == table
        for field in fields
        for target in getattr(node, field)
    }
    for join in of_type(statement.node, "JoinExpr"):
        found |= set(strings(join.using_clause))
    return found
