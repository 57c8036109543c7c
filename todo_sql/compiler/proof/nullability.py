"""Which output columns of a query never are NULL: claimed only with proof. Pure.

The proof runs over PostgreSQL's own analysed tree, so that names, overloads, operators
and views are what the server will run, not what we guess. A wrong claim is a bug of the
first order, a missed one of the second: whatever isn't understood counts as nullable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from todo_sql.compiler.proof import conditions, functions, levels, one_row
from todo_sql.compiler.proof.arrays import all_values, depth
from todo_sql.compiler.proof.expressions import never_null, set_element
from todo_sql.compiler.proof.levels import Confined, Hole, QueryLevel
from todo_sql.compiler.proof.nodes import Node, name_of, returned, type_of, walk
from todo_sql.compiler.proof.sides import Side, Sides, side
from todo_sql.compiler.schema import Schema

UNION, INTERSECT, EXCEPT = "123"
_FIRST_USER_OID = 16384


class Claims(NamedTuple):
    """What is proved of each output column of a statement.

    Attributes:
        columns: Whether it never is NULL.
        elements: Whether it is an array that never holds NULL.
        sides: Where it comes from, in each arm of a union; nothing unless it was asked for.
        depths: How deep it is nested if it is an array.
    """

    columns: list[bool]
    elements: list[bool]
    sides: Sequence[list[Side]] = ()
    depths: Sequence[int] = ()


def prove_all(
    queries: list[Node],
    schema: Schema,
    nullable_parameters: frozenset[int] = frozenset(),
    null_elements: frozenset[int] | None = None,
    *,
    sides: bool = False,
) -> Claims:
    """Return what is proved of each output column, and of the elements of one that is an array.

    Args:
        queries: The rewritten trees of one statement.
        nullable_parameters: The numbers of the parameters for which a caller may send NULL.
        null_elements: Of those that are arrays, for whose elements; None: for all.
        sides: Whether to tell from which side of a join each column comes.
    """
    main = [query for query in queries if query["canSetTag"] == "true"]
    if len(main) != 1:
        return Claims([], [])
    prover = _Prover(schema, nullable_parameters, null_elements, {} if sides else None)
    columns = prover.outputs(main[0], None)
    key = id(main[0])
    elements = prover.elements.get(key) or [False] * len(columns)
    found = (prover.sides or {}).get(key, [])
    return Claims(columns, elements, found, prover.depths.get(key, []))


@dataclass
class _Prover:
    schema: Schema
    nullable_parameters: frozenset[int]
    null_elements: frozenset[int] | None
    sides: Sides | None
    elements: dict[int, list[bool]] = field(default_factory=dict)
    depths: dict[int, list[int]] = field(default_factory=dict)

    def outputs(self, query: Node, parent: QueryLevel | None) -> list[bool]:
        """Return the output columns of a query node."""
        if query["node"] != "QUERY" or query["commandType"] == "6":
            return []
        scope = QueryLevel(
            query,
            parent,
            self.schema,
            self.nullable_parameters,
            self.outputs,
            null_elements=self.null_elements,
            elements=self.elements,
            depths=self.depths,
        )
        for cte in query["cteList"] or ():
            self._with(cte, scope)
        if operation := query["setOperations"]:
            found = self._set_operation(operation, scope)
            if self.sides is not None:
                self.sides[id(query)] = self._arms(operation, scope)
            self.depths[id(query)] = self._deepest(operation, scope)
            return found
        self._read_conditions(scope)
        for index, entry in enumerate(query["rtable"] or (), start=1):
            scope.entry_columns[index] = self._entry(entry, scope)
        targets = query["targetList" if scope.command == levels.SELECT else "returningList"] or []
        if query["hasTargetSRFs"] == "true":
            scope.set_functions = sum(
                node.get("funcretset") == "true" or node.get("opretset") == "true"
                for target in targets
                for node in walk(target)
            )
        columns = [one["expr"] for one in returned(targets)]
        self.elements[id(query)] = [all_values(one, scope, never_null) for one in columns]
        self.depths[id(query)] = [depth(one, scope) for one in columns]
        if (sides := self.sides) is not None:
            sides[id(query)] = [[side(one, scope, sides) for one in columns]]
        return [never_null(one, scope) for one in columns]

    def _deepest(self, node: Node, scope: QueryLevel) -> list[int]:
        """Return how deep the arrays of a set operation's columns are nested."""
        if node["node"] == "RANGETBLREF":
            return scope.depths_of(scope.entry(int(node["rtindex"]))["subquery"])
        arms = (self._deepest(node[arm], scope) for arm in ("larg", "rarg"))
        return [max(pair) for pair in zip(*arms, strict=False)]

    def _arms(self, node: Node, scope: QueryLevel) -> list[list[Side]]:
        """Return the sides of the arms that rows of a set operation come from."""
        if node["node"] == "RANGETBLREF":
            query = scope.entry(int(node["rtindex"]))["subquery"]
            return (self.sides or {}).get(id(query), [])
        arms = self._arms(node["larg"], scope)
        if node["op"] == UNION:
            arms = arms + self._arms(node["rarg"], scope)
        sure = [oid < _FIRST_USER_OID for oid in _column_types(node)]
        cast = Side(frozenset(), frozenset(), solid=False, plain=False)  # a user's may give NULL
        return [
            [one if good else cast for one, good in zip(arm, sure, strict=False)] for arm in arms
        ]

    def _read_conditions(self, scope: QueryLevel) -> None:
        def visit(condition: Node | None, holes: frozenset[Hole], confined: Confined) -> None:
            scope.prove(conditions.if_true(condition, scope), holes, confined)

        scope.walk_joins(visit)
        scope.closed.update(one_row.sides(scope))
        scope.rows_known, scope.rows_closed = set(scope.known), set(scope.closed)
        query = scope.query
        one_group = not query["groupClause"] and (query["hasAggs"] == "true" or query["havingQual"])
        if one_group or scope.grouping_sets:  # a row may come out though none went in
            scope.known.clear()
            scope.closed.clear()
        if not scope.grouping_sets:
            scope.prove(conditions.if_true(query["havingQual"], scope))

    def _with(self, cte: Node, scope: QueryLevel) -> None:
        name = name_of(cte["ctename"])
        if cte["cterecursive"] != "true":
            scope.ctes[name] = self.outputs(cte["ctequery"], scope)
            return
        # What holds of the first rows, and of each next row if it holds of the one before.
        claims = [True] * len(cte["ctecolnames"] or ())
        while True:
            scope.ctes[name] = claims
            found = self.outputs(cte["ctequery"], scope)
            agreed = [one and other for one, other in zip(claims, found, strict=False)]
            if agreed == claims:
                return
            claims = agreed

    def _set_operation(self, node: Node, scope: QueryLevel) -> list[bool]:
        if node["node"] == "RANGETBLREF":
            return self._entry(scope.entry(int(node["rtindex"])), scope)
        left, right = (self._arm(node, side, scope) for side in ("larg", "rarg"))
        pairs = zip(left, right, strict=False)
        if node["op"] == UNION:
            return [one and other for one, other in pairs]
        if node["op"] == INTERSECT:
            return [one or other for one, other in pairs]
        return left if node["op"] == EXCEPT else [False for _ in left]

    def _arm(self, node: Node, side: str, scope: QueryLevel) -> list[bool]:
        """Return an arm's columns; one that a user's cast converts can't be trusted."""
        arm = node[side]
        columns = self._set_operation(arm, scope)
        wanted = _column_types(node)
        if arm["node"] == "RANGETBLREF":
            subquery = scope.entry(int(arm["rtindex"]))["subquery"]
            types = [type_of(target["expr"]) for target in returned(subquery["targetList"])]
        else:
            types = _column_types(arm)
        return [
            column and (found == want or (max(found, want) < _FIRST_USER_OID))
            for column, found, want in zip(columns, types, wanted, strict=False)
        ]

    def _entry(self, entry: Node, scope: QueryLevel) -> list[bool]:
        """Return the columns of a range table entry that isn't a table or a join."""
        kind = int(entry["rtekind"])
        if kind == levels.SUBQUERY and entry["subquery"]:
            return self.outputs(entry["subquery"], scope)
        if kind == levels.CTE:
            home = scope.level(int(entry["ctelevelsup"]))
            return home.ctes.get(name_of(entry["ctename"])) or []
        if kind == levels.VALUES:
            return [
                all(never_null(value, scope) for value in column)
                for column in zip(*entry["values_lists"], strict=False)
            ]
        if kind == levels.FUNCTION:
            return self._function(entry, scope)
        return []

    def _function(self, entry: Node, scope: QueryLevel) -> list[bool]:
        columns: list[bool] = []
        several = len(entry["functions"]) > 1  # ROWS FROM fills up the shorter ones
        for function in entry["functions"]:
            width = int(function["funccolcount"])
            found = [] if several else self._function_columns(function["funcexpr"], width, scope)
            columns += found or [False] * width
        if entry["funcordinality"] == "true":
            columns.append(True)
        return columns

    def _function_columns(self, call: Node, width: int, scope: QueryLevel) -> list[bool]:
        if call["node"] != "FUNCEXPR" or call["funcretset"] != "true":
            return [never_null(call, scope)] if width == 1 else []
        function = self.schema.functions.get(int(call["funcid"]))
        if function is None:
            return []
        if width == 1:
            return [set_element(call, function, scope)]
        known = functions.SET_COLUMNS_NEVER_NULL.get(function.name, ())
        return list(known) if function.builtin else []


def _column_types(operation: Node) -> list[int]:
    """Return the OIDs of the types of a set operation's columns; there may be none."""
    return [int(oid) for oid in (operation["colTypes"] or ())[1:]]
