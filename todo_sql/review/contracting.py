"""What a contract file takes away that a named query still reads. Pure.

What is not certain counts as read: a column without a table's name before it, in a query that
names the table. A name that the pending migrations give anew is not gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from todo_sql.errors import Finding
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import variants
from todo_sql.review.linting.schema_model import placed, schema_of
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
    """Return what contract files among pending migrations, in order, take away from queries."""
    gone: dict[Gone, tuple[Script, Statement]] = {}
    for script in (migration.forward for migration in migrations):
        counts = script.directives.contracts and "M218" not in script.directives.allow
        for statement in script.statements:
            taken, given = _moved(statement)
            for one in given:
                gone.pop(one, None)
            if counts:
                gone |= dict.fromkeys(taken, (script, statement))
    return [
        Finding.error(
            "M218",
            f"{one} is taken away, and the query {name} reads it",
            script.place_of(statement),
            cause=f"the query stands at {query.place()}; nothing was changed",
            fix="change the query and release that first; where the query is not in use any more, "
            "delete it, or say `-- allow: M218 reason`",
        )
        for one, (script, statement) in gone.items()
        for name, query in queries.items()
        if _reads(query, one)
    ]


def _moved(statement: Statement) -> tuple[list[Gone], list[Gone]]:
    """Return what a statement takes away, and the names that it gives."""
    node: Any = statement.root
    taken, given = [], []
    match statement.kind:
        case "create_stmt":
            given.append(Gone(relation(node.relation)))
        case "view_stmt":
            given.append(Gone(relation(node.view)))
        case "create_table_as_stmt":
            given.append(Gone(relation(node.into.rel)))
        case "drop_stmt" if enum(node, "remove_type") in _RELATIONS:
            taken += [Gone(qualified(one.list.items)) for one in node.objects]
        case "alter_table_stmt":
            table = relation(node.relation)
            for change in (one.alter_table_cmd for one in node.cmds):
                if enum(change, "subtype") == "AT_DropColumn":
                    taken.append(Gone(table, change.name))
                elif enum(change, "subtype") == "AT_AddColumn":
                    given.append(Gone(table, getattr(change, "def").column_def.colname))
        case "rename_stmt":
            table, kind = relation(node.relation), enum(node, "rename_type")
            if kind == "OBJECT_COLUMN":
                taken.append(Gone(table, node.subname))
                given.append(Gone(table, node.newname))
            elif kind in _RELATIONS:
                taken.append(Gone(table))
                given.append(Gone(placed(schema_of(table), node.newname)))
    return taken, given


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
        *before, last = ["*" if f.HasField("a_star") else f.string.sval for f in one.fields]
        if last in (gone.column, "*") and (not before or before[-1] in aliases):
            return True
    return any(
        gone.column == target.res_target.name
        for kind, field in (("InsertStmt", "cols"), ("UpdateStmt", "target_list"))
        for node in of_type(statement.node, kind)
        if node.relation.relname == table
        for target in getattr(node, field)
    ) or any(
        gone.column in strings(join.using_clause) for join in of_type(statement.node, "JoinExpr")
    )
