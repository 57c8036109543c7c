"""From which side of an outer join a column comes: the proof behind nested models. Pure.

A hole (see `levels`) is the side of an outer join that may be missing. Columns that all lie
in one hole go missing together, and one of them that is NULL only then tells when.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from todo_sql.compiler.proof import conditions
from todo_sql.compiler.proof.expressions import never_null
from todo_sql.compiler.proof.levels import Hole, QueryLevel
from todo_sql.compiler.proof.nodes import Node

Open = frozenset[tuple[int, Hole]]
"""Holes of any level of a statement, each with the identity of its query."""

_NONE: Open = frozenset()
_GATHERS = ("AGGREF", "WINDOWFUNC")


class Side(NamedTuple):
    """Where an output column comes from.

    Attributes:
        holes: Those in which all that it is made of lies; None: it is made of no table.
        nulls: Holes each of which makes it NULL where it is open.
        solid: Whether it has a value where none of `holes` is open.
        plain: Whether it always has one.
    """

    holes: Open | None
    nulls: Open
    solid: bool
    plain: bool


class _Of(NamedTuple):
    """The holes that one column of a relation lies in, and whether it has a value otherwise."""

    holes: Open
    solid: bool | None


Sides = dict[int, list[list[Side]]]
"""Of each query proved so far: for each of its arms the side of each column."""


def side(node: Node, scope: QueryLevel, known: Sides) -> Side:
    """Return where an output column of a query comes from; `known` are the queries in it."""
    plain = never_null(node, scope)
    columns = [] if scope.grouping_sets else list(_columns(node))
    if None in columns:  # of many rows, whichever they are
        columns = []
    found = [one for column in columns if (one := _holes(column, scope, known)) is not None]
    if scope.grouping_sets or len(found) < len(columns):
        return Side(_NONE, _NONE, plain, plain)
    if not found:
        return Side(None, _NONE, plain, plain)
    holes = frozenset.intersection(*(one.holes for one in found))
    nulls = _NONE
    for key in conditions.of_value(node, scope):
        if key[0] == "column":
            nulls |= _of_column(key[1], key[2], scope, known).holes
    if not holes:
        return Side(holes, nulls, plain, plain)
    if len(found) == 1 and found[0].solid is not None and _is_plain(node):
        return Side(holes, nulls, found[0].solid, plain)
    return Side(holes, nulls, plain or _with(holes, node, scope), plain)


def _is_plain(node: Node) -> bool:
    while node["node"] in ("RELABELTYPE", "COLLATEEXPR"):
        node = node["arg"]
    return bool(node["node"] == "VAR")


def _with(holes: Open, node: Node, scope: QueryLevel) -> bool:
    """Whether an expression has a value where none of some holes is open."""
    own = {hole for query, hole in holes if query == id(scope.query)}
    with scope.supposing(set(scope.known), scope.closed | own):
        for theirs, condition, around in scope.conditions:
            if theirs <= scope.closed:
                scope.prove(conditions.if_true(condition, scope), around)
        return never_null(node, scope)


def _columns(node: Node) -> Iterator[Node | None]:
    """Yield the columns of this level, or of one around it, that an expression is made of.

    None stands for what is made of many rows.
    """
    stack: list[tuple[Any, int]] = [(node, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, list):
            stack.extend((one, depth) for one in item)
        elif isinstance(item, dict):
            if item["node"] == "VAR":
                if int(item["varlevelsup"]) >= depth:
                    yield {**item, "varlevelsup": str(int(item["varlevelsup"]) - depth)}
                continue
            if item["node"] in _GATHERS and not depth:
                yield None
            depth += item["node"] == "QUERY"
            stack.extend((one, depth) for one in item.values() if isinstance(one, dict | list))


def _holes(column: Node | None, scope: QueryLevel, known: Sides) -> _Of | None:
    """Return the holes of a column; None if nothing is known of it."""
    if column is None or column.get("varreturningtype", "0") != "0":
        return None
    scope, index, number = scope.column(column)
    inner = scope.alias(index, number)
    if inner is not None:
        found = [_holes(one, scope, known) for one in _columns(inner)]
        real = [one for one in found if one is not None]
        if not real or len(real) < len(found):
            return None
        if len(real) == 1 and _is_plain(inner):
            return real[0]
        return _Of(frozenset.intersection(*(one.holes for one in real)), None)
    return _of_column(index, number, scope, known)


def _of_column(index: int, number: int, scope: QueryLevel, known: Sides) -> _Of:
    """Return the holes of a column of a relation, with those of the query behind it."""
    own = scope.holes.get(index, frozenset())
    implied = set(own - scope.closed)
    for _ in scope.conditions:  # where `b` is missing, nothing joined by a column of it is there
        for theirs, condition, _around in scope.conditions:
            if theirs and theirs <= own | implied:
                for key in conditions.if_true(condition, scope):
                    if key[0] == "column":
                        implied |= scope.holes.get(key[1], frozenset()) - scope.closed
    outer = frozenset((id(scope.query), hole) for hole in implied)
    arms = known.get(id(scope.behind(index)), [])
    if len(arms) == 1 and 0 < number <= len(arms[0]):
        behind = arms[0][number - 1]
        if behind.nulls and behind.nulls == behind.holes:
            return _Of(outer | behind.nulls, behind.solid)
    column = {"varno": str(index), "varattno": str(number), "varlevelsup": "0"}
    return _Of(outer, _with(outer, {"node": "VAR", **column}, scope))
