"""Which tables a statement names, and whose rows it may change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

from psycopg import Connection

from todo_sql.catalog.read import rows
from todo_sql.review.linting.tree import of_type, qualified, relation, strings
from todo_sql.review.table_shape import TableShape
from todo_sql.sql.grammar import Statement

WRITES = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "copy_stmt")

_WRITING_LOCKS = ("RowExclusiveLock", "AccessExclusiveLock")
_IN_BLOCKS = {"insert", "update", "delete", "merge", "copy", "truncate"}


def written(
    connection: Connection[Any],
    statement: Statement,
    taken: Set[tuple[int, str]],
    relations: Mapping[int, Mapping[str, Any]],
    shape: TableShape,
) -> frozenset[int]:
    """Return the tables whose rows a statement may have changed, were there any.

    On an empty copy no trigger fires and no loop turns: what they might write to is counted in.

    Args:
        connection: To the copy, on which it ran.
        taken: The locks that it took, by oid.
        relations: Those that there are, by oid.
    """
    everything = frozenset(oid for oid, row in relations.items() if row["kind"] in "rp")
    named: set[int]
    if statement.kind == "call_stmt":
        return everything
    if statement.kind == "do_stmt":
        words = set(re.findall(r"\w+", statement.text.lower()))
        if words & {"execute", "perform", "call"}:
            return everything
        bare = {oid: str(relations[oid]["name"]).partition(".")[2].lower() for oid in everything}
        named = {oid for oid, name in bare.items() if name in words}
        if not words & _IN_BLOCKS:
            return frozenset()
    elif statement.kind in ("select_stmt", "truncate_stmt", *WRITES):
        calls = {strings(node.funcname)[-1] for node in of_type(statement.node, "FuncCall")}
        if calls and rows(connection, "foreign_functions", names=sorted(calls)):
            return everything
        named = {oid for oid, mode in taken if mode in _WRITING_LOCKS and oid in everything}
        if statement.kind in WRITES:
            names = set(named_relations(statement))
            named |= {oid for oid in everything if relations[oid]["name"] in names}
    else:
        return frozenset()
    if named and named & {row["oid"] for row in rows(connection, "triggered")}:
        return everything
    return frozenset(shape.linked(named))


def named_relations(statement: Statement) -> tuple[str, ...]:
    """Return the qualified names of the relations that a statement names."""
    named = [relation(node) for node in of_type(statement.node, "RangeVar")]
    # What is dropped stands as a list of words.
    lists = (node.list for node in of_type(statement.node, "Node") if node.HasField("list"))
    named += [qualified(words.items) for words in lists]
    return tuple(name for name in named if name)
