"""C125, C126: statements that no call can make, and what outlives a call on its connection."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.compiler.proof.nodes import Node, Tree
from todo_sql.compiler.schema import Schema
from todo_sql.errors import Finding
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.wire.residue import impossible, kept

_LOCKS = frozenset(
    f"pg_{try_}advisory_lock{shared}" for try_ in ("", "try_") for shared in ("", "_shared")
)


def refused(query: NamedQuery, variant: Variant) -> list[Finding]:
    """Return what stands in the way of any call of a query."""
    found = impossible(variant.sql)
    if found is None:
        return []
    what, cause, fix = found
    message = f"`{query.name}` cannot be called: `{what}`"
    return [Finding("C125", "error", message, query.place(), cause, fix)]


def find(query: NamedQuery, variant: Variant, tree: Tree, schema: Schema) -> Iterator[Finding]:
    """Yield what of a query would reach the connection's next user."""
    cause = "the next caller could meet it, so the session is made new behind each call, and what "
    cause += "the call wanted to keep is lost"
    for what, instead in {**kept(variant.sql), **dict(_called(tree, schema))}.items():
        message = f"`{query.name}` leaves something on a pooled connection: `{what}`"
        yield Finding("C126", "warning", message, query.place(), cause, instead)


def _called(tree: Tree, schema: Schema) -> Iterator[tuple[str, str]]:
    for node in tree.of("FUNCEXPR"):
        function = schema.called(node)
        if function is None or not function.builtin:
            continue
        if function.name in _LOCKS:
            transactional = function.name.replace("lock", "xact_lock", 1)
            yield function.name, f"use {transactional}, which ends with the transaction"
        elif function.name == "set_config" and _is_false(node["args"][2]):
            yield "set_config(…, false)", "pass true: until the end of the transaction"


def _is_false(node: Node) -> bool:
    return node["node"] == "CONST" and not any(map(int, node["constvalue"] or ["1"]))
