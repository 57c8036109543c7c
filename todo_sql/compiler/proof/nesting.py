"""The levels of a statement: each query node with those around and below it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from todo_sql.compiler.proof.levels import CTE, SUBQUERY
from todo_sql.compiler.proof.nodes import Node, Tree, name_of

_UNNEST = frozenset(("2331",))  # unnest(anyarray)


@dataclass(eq=False)
class Level:
    """One query node with the levels around it; compared by identity.

    Attributes:
        subqueries: Those in FROM, by index in the range table.
        ctes: Its WITH queries, by name.
        sublinks: Those in expressions, each with its node.
    """

    query: Node
    parent: Level | None
    subqueries: dict[int, Level] = field(default_factory=dict)
    ctes: dict[str, Level] = field(default_factory=dict)
    sublinks: list[tuple[Node, Level]] = field(default_factory=list)

    def up(self, levels: int) -> Level | None:
        """Return the level so many levels up."""
        level: Level | None = self
        for _ in range(levels):
            level = level.parent if level else None
        return level

    def entry(self, index: int) -> Node:
        """Return a range table entry by its 1-based index."""
        entry: Node = self.query["rtable"][index - 1]
        return entry

    def inner(self, entry: Node, index: int) -> Level | None:
        """Return the level behind a subquery or WITH reference."""
        kind = int(entry["rtekind"])
        if kind == SUBQUERY:
            return self.subqueries.get(index)
        if kind == CTE:
            home = self.up(int(entry["ctelevelsup"]))
            return home.ctes.get(name_of(entry["ctename"])) if home else None
        return None

    @staticmethod
    def is_unnest(call: Node) -> bool:
        """Whether a call takes an array apart."""
        return call["funcid"] in _UNNEST


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
        for sublink in _sublinks(query) if has_sublinks else ():
            level.sublinks.append((sublink, visit(sublink["subselect"], level)))
        return level

    for query in tree.queries:
        visit(query, None)
    return levels


def output(level: Level | None, number: int) -> Node | None:
    """Return the expression of an output column of a level."""
    if level is None:
        return None
    targets = level.query["targetList" if level.query["commandType"] == "1" else "returningList"]
    for target in targets or ():
        if int(target["resno"]) == number:
            found: Node = target["expr"]
            return found
    return None


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


def _sublinks(query: Node) -> Iterator[Node]:
    """Yield the sublinks of one level, not those of its subqueries."""
    stack = [value for value in query.values() if isinstance(value, (dict, list))]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(child for child in item if isinstance(child, (dict, list)))
            continue
        if item["node"] == "SUBLINK":
            yield item
            stack.extend([item["testexpr"]] if item["testexpr"] else [])
        elif item["node"] != "QUERY":
            stack.extend(child for child in item.values() if isinstance(child, (dict, list)))
