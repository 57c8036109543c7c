"""The levels of a statement: of each its relations, and what its rows prove. Pure.

A join that finds no partner fills the columns of one side with NULL. Each such side of
each outer join is a *hole*. A relation lies in the holes of every outer join above it; a
column of it can be trusted only where no hole can be open. A condition that a row must
satisfy can close holes (a row with ``b.x = 1`` has a real `b`) and can prove that an
expression has a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from todo_sql.compiler.proof.nodes import Node, Tree, name_of
from todo_sql.compiler.schema import Schema

Hole = tuple[int, str]
OuterJoin = tuple[frozenset[Hole], Node | None, frozenset[Hole]]
Confined = set[int] | None
Key = tuple[Any, ...]
"""An expression in comparable form: see `QueryLevel.key`."""

RELATION, SUBQUERY, JOIN, FUNCTION, TABLE_FUNCTION, VALUES, CTE = range(7)
GROUP = 9
INNER, LEFT, FULL, RIGHT = range(4)
EXISTS, ALL, ANY, ROW_COMPARE, EXPRESSION, MULTIPLE, ARRAY = "0123456"  # kinds of sublinks
NOT_MATCHED_BY_SOURCE = "1"
SELECT, UPDATE, INSERT, DELETE, MERGE = range(1, 6)


@dataclass(eq=False)
class AnyLevel:
    """A query node with the levels around it; compared by identity."""

    query: Node
    parent: Self | None

    def level(self, up: int) -> Self:
        """Return the level so many levels up."""
        level = self
        for _ in range(up):
            assert level.parent is not None
            level = level.parent
        return level

    def entry(self, index: int) -> Node:
        """Return a range table entry by its 1-based index."""
        found: Node = self.query["rtable"][index - 1]
        return found

    def column(self, node: Node) -> tuple[Self, int, int]:
        """Return the level of a VAR, and which column it is of which range table entry."""
        return self.level(int(node["varlevelsup"])), int(node["varno"]), int(node["varattno"])

    def alias(self, index: int, number: int) -> Node | None:
        """Return the expression that a column of a join, or of what is grouped by, stands for."""
        entry = self.entry(index)
        field = {JOIN: "joinaliasvars", GROUP: "groupexprs"}.get(int(entry["rtekind"]))
        found: Node | None = entry[field][number - 1] if field and number > 0 else None
        return found


@dataclass(eq=False)
class QueryLevel(AnyLevel):
    """One query level under analysis.

    Attributes:
        outputs: Computes the output columns of a subquery within this level.
        holes: Holes by index in the range table; an index that is absent can't be trusted.
        closed: Holes that no row of the result has open.
        known: Expressions proven to have a value in every row of the result.
        ctes: Output columns of this level's WITH queries.
        nullable_parameters: The numbers of the parameters that accept NULL.
        joins: Join nodes by index in the range table.
        conditions: Of each outer join: its own holes, its condition, the holes around it.
        sublink: Whether the columns of the sublink at hand all have values.
        entry_columns: Which output columns of each subquery, function, … have values.
        set_functions: How many set-returning functions stand in the select list.
        null_elements: The numbers of the parameters whose elements may be NULL; None: any.
        rows_known: As `known`, of each row that goes into an aggregate.
        rows_closed: As `closed`, of each row that goes into an aggregate.
        elements: Of each query proved so far, which columns are arrays without NULL inside.
        depths: Of each query proved so far, how deep the arrays of its columns are nested.
    """

    schema: Schema
    nullable_parameters: frozenset[int]
    outputs: Callable[[Node, QueryLevel], list[bool]]
    holes: dict[int, frozenset[Hole]] = field(default_factory=dict)
    closed: set[Hole] = field(default_factory=set)
    known: set[Key] = field(default_factory=set)
    ctes: dict[str, list[bool]] = field(default_factory=dict)
    joins: dict[int, Node] = field(default_factory=dict)
    sublink: bool = False
    conditions: list[OuterJoin] = field(default_factory=list)
    entry_columns: dict[int, list[bool]] = field(default_factory=dict)
    set_functions: int = 0
    null_elements: frozenset[int] | None = None
    rows_known: set[Key] = field(default_factory=set)
    rows_closed: set[Hole] = field(default_factory=set)
    elements: dict[int, list[bool]] = field(default_factory=dict)
    depths: dict[int, list[int]] = field(default_factory=dict)

    def depths_of(self, query: Node | None) -> list[int]:
        """Return how deep the arrays of a query's columns are nested."""
        return self.depths.get(id(query), [])

    def elements_of(self, query: Node | None) -> list[bool]:
        """Return which columns of a query are arrays without NULL among their elements."""
        return self.elements.get(id(query), [])

    @property
    def command(self) -> int:
        """SELECT, UPDATE, INSERT, DELETE or MERGE."""
        return int(self.query["commandType"])

    @property
    def result_relation(self) -> int:
        """The range table index that is written to, or 0."""
        return int(self.query["resultRelation"])

    @property
    def grouping_sets(self) -> bool:
        """Whether grouping sets null the grouped columns."""
        return bool(self.query["groupingSets"])

    @property
    def grouped(self) -> bool:
        """Whether every output row stands for a group that has at least one row."""
        return bool(self.query["groupClause"]) and not self.grouping_sets

    def behind(self, index: int, *, recursive: bool = False) -> Node | None:
        """Return the subquery or WITH query that a range table entry stands for."""
        entry = self.entry(index)
        found: Node | None = None
        if int(entry["rtekind"]) == SUBQUERY:
            found = entry["subquery"]
        elif int(entry["rtekind"]) == CTE:
            cte = with_query(self.level(int(entry["ctelevelsup"])).query, entry)
            if cte is not None and (recursive or cte["cterecursive"] != "true"):
                found = cte["ctequery"]
        return found

    def walk_joins(self, visit: Callable[[Node | None, frozenset[Hole], Confined], None]) -> None:
        """Note the holes of every relation; call `visit` for each condition.

        `visit` gets the condition, the holes in which it stands, and the relations to
        which its facts are confined (None: all).
        """
        if self.result_relation:
            self.holes[self.result_relation] = frozenset()
        found: list[tuple[Node | None, frozenset[Hole], Confined]] = []
        self.conditions.clear()
        if self.query["jointree"]:
            self._walk(self.query["jointree"], self._outermost_holes(), found)
        for condition, holes, confined in found:
            visit(condition, holes, confined)
        # Where an outer join's holes turn out closed it is an inner join: its condition
        # holds, and may close more.
        while closed := [one for one in self.conditions if one[0] <= self.closed]:
            for one in closed:
                self.conditions.remove(one)
                visit(one[1], one[2], None)

    def _outermost_holes(self) -> frozenset[Hole]:
        """Return the hole that MERGE fills with `when not matched by source`."""
        actions = self.query["mergeActionList"] or ()
        by_source = any(action.get("matchKind") == NOT_MATCHED_BY_SOURCE for action in actions)
        return frozenset({(0, "source")}) if by_source else frozenset()

    def _walk(
        self,
        item: Node,
        holes: frozenset[Hole],
        found: list[tuple[Node | None, frozenset[Hole], Confined]],
    ) -> set[int]:
        if item["node"] == "RANGETBLREF":
            index = int(item["rtindex"])
            self.holes[index] = holes
            return {index}
        if item["node"] == "FROMEXPR":
            parts = [self._walk(part, holes, found) for part in item["fromlist"] or ()]
            if item["quals"]:
                found.append((item["quals"], holes, None))
            return set().union(*parts)
        index, kind = int(item["rtindex"]), int(item["jointype"])
        left_holes = holes | {(index, "left")} if kind in (FULL, RIGHT) else holes
        right_holes = holes | {(index, "right")} if kind in (FULL, LEFT) else holes
        left = self._walk(item["larg"], left_holes, found)
        right = self._walk(item["rarg"], right_holes, found)
        self.joins[index] = item
        self.holes[index] = holes
        if kind == INNER:
            found.append((item["quals"], holes, None))
        elif kind == LEFT:
            found.append((item["quals"], right_holes, right))
        elif kind == RIGHT:
            found.append((item["quals"], left_holes, left))
        if kind in (LEFT, RIGHT, FULL):
            self.conditions.append(((left_holes | right_holes) - holes, item["quals"], holes))
        elif kind != INNER:  # no other kind leaves the parser
            self.holes.pop(index)
        return left | right | {index}

    def prove(
        self, keys: set[Key], holes: frozenset[Hole] = frozenset(), confined: Confined = None
    ) -> None:
        """Record that expressions have values wherever none of `holes` is open."""
        for key in keys:
            indexes = relations_of(key)
            if (holes or confined is not None) and not indexes:
                continue  # says nothing about rows where the join found no partner
            if confined is not None and not indexes <= confined:
                continue
            if self.result_relation in indexes and self.command not in (SELECT, DELETE):
                continue  # the condition saw the old row
            self.known.add(key)
            if key[0] == "column":
                self.closed |= self.holes.get(key[1], frozenset()) - holes

    @contextmanager
    def supposing(self, known: set[Key], closed: set[Hole]) -> Iterator[None]:
        """Suppose for a while that these expressions have values, and these holes are closed."""
        before = self.known, self.closed
        self.known, self.closed = known, closed
        try:
            yield
        finally:
            self.known, self.closed = before

    def is_known(self, key: Key | None) -> bool:
        """Whether an expression was proven to have a value, and no hole voids the proof."""
        if key is None or key not in self.known:
            return False
        return all(map(self.is_present, relations_of(key)))

    def is_present(self, index: int) -> bool:
        """Whether a relation's part of the row is real, never filled up by a join."""
        holes = self.holes.get(index)
        return holes is not None and holes <= self.closed

    def key(self, node: Node | None) -> Key | None:
        """Return an expression in comparable form, or None for one that could vary.

        Equal keys have equal values within one row: columns, parameters, constants and
        immutable functions of these.
        """
        if node is None:
            return None
        kind = node["node"]
        if kind == "VAR":
            return self._column_key(node)
        if kind == "PARAM":
            return ("parameter", node["paramid"]) if node["paramkind"] == "0" else None
        if kind == "CONST":
            value = node["constvalue"]
            return ("constant", node["consttype"], tuple(value) if value else None)
        if kind == "RELABELTYPE":
            return self.key(node["arg"])
        if kind in ("OPEXPR", "FUNCEXPR"):
            function = self.schema.called(node)
            if function is None or function.volatility != "i" or function.returns_set:
                return None
            keys = [self.key(argument) for argument in node["args"] or ()]
            return ("call", function.oid, *keys) if None not in keys else None
        return None

    def _column_key(self, node: Node) -> Key | None:
        if node.get("varreturningtype", "0") != "0":
            return None
        up, index, number = int(node["varlevelsup"]), int(node["varno"]), int(node["varattno"])
        if up:
            return ("outer", up, index, number)
        alias = self.alias(index, number)
        if int(self.entry(index)["rtekind"]) == GROUP:
            return None if self.grouping_sets else self.key(alias)
        return self.key(alias) if alias and alias["node"] == "VAR" else ("column", index, number)


def with_query(query: Node, entry: Node) -> Node | None:
    """Return the WITH query of a level that a range table entry names."""
    name = name_of(entry["ctename"])
    ctes: list[Node] = query["cteList"] or []
    return next((cte for cte in ctes if name_of(cte["ctename"]) == name), None)


def relations_of(key: Key) -> set[int]:
    """Return the range table indexes of this level that a key mentions."""
    if key[0] == "column":
        return {key[1]}
    if key[0] == "call":
        return set().union(*(relations_of(part) for part in key[2:] if isinstance(part, tuple)))
    return set()


@dataclass(eq=False)
class Level(AnyLevel):
    """One query node with the levels around and below it.

    Attributes:
        subqueries: Those in FROM, by index in the range table.
        ctes: Its WITH queries, by name.
        sublinks: Those in expressions, each with its node.
    """

    subqueries: dict[int, Level] = field(default_factory=dict)
    ctes: dict[str, Level] = field(default_factory=dict)
    sublinks: list[tuple[Node, Level]] = field(default_factory=list)

    def inner(self, index: int) -> Level | None:
        """Return the level behind a subquery or WITH reference."""
        entry = self.entry(index)
        if int(entry["rtekind"]) == SUBQUERY:
            return self.subqueries.get(index)
        if int(entry["rtekind"]) == CTE:
            return self.level(int(entry["ctelevelsup"])).ctes.get(name_of(entry["ctename"]))
        return None


@lru_cache(maxsize=4)  # asked by what describes a statement, then by what checks it
def levels_of(tree: Tree) -> list[Level]:
    """Return every level of a statement, an outer one before those that it holds."""
    levels: list[Level] = []
    has_sublinks = any(True for _ in tree.of("SUBLINK"))

    def visit(query: Node, parent: Level | None) -> Level:
        level = Level(query, parent)
        levels.append(level)
        for cte in query["cteList"] or ():
            level.ctes[name_of(cte["ctename"])] = visit(cte["ctequery"], level)
        for index, entry in enumerate(query["rtable"] or (), start=1):
            if entry["rtekind"] == str(SUBQUERY) and entry["subquery"]:
                level.subqueries[index] = visit(entry["subquery"], level)
        for node in own_nodes(query) if has_sublinks else ():
            if node["node"] == "SUBLINK":
                level.sublinks.append((node, visit(node["subselect"], level)))
        return level

    for query in tree.queries:
        visit(query, None)
    return levels


def output(level: Level | None, number: int) -> Node | None:
    """Return the expression of an output column of a level."""
    if level is None:
        return None
    targets = level.query["targetList" if level.query["commandType"] == "1" else "returningList"]
    return next((one["expr"] for one in targets or () if int(one["resno"]) == number), None)


def own_nodes(query: Node) -> Iterator[Node]:
    """Yield the nodes of one level, not those of its subqueries."""
    stack: list[Any] = list(query.values())
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict) and item["node"] != "QUERY":
            yield item
            stack.extend(item.values())
