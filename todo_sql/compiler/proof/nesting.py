"""The levels of a statement: each query node with those around and below it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from todo_sql.compiler.proof.levels import CTE, SUBQUERY, AnyLevel
from todo_sql.compiler.proof.nodes import Node, Tree, name_of


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
