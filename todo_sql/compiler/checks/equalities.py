"""Which columns and parameters are equal in every row of a statement. Pure.

Equalities that every row must meet (WHERE, ON) are collected over all levels of a query;
a column of a subquery or WITH query stands for the column that it hands out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

from todo_sql.compiler.proof import levels
from todo_sql.compiler.proof.levels import Level, levels_of, output
from todo_sql.compiler.proof.nodes import Node, Tree
from todo_sql.compiler.schema import Relation, Schema

Term = tuple[Hashable, ...]
_BINARY = frozenset(("RELABELTYPE", "COERCEVIAIO", "COLLATEEXPR"))


@dataclass(eq=False)
class TableInFrom:
    """A table in FROM.

    Attributes:
        keys: Of each unique key the columns that the conditions leave open.
        partial: Likewise of each key that is unique among some rows, perhaps those asked for.
        equal: The classes in which its columns are equal to something else.
    """

    keys: list[set[Term]]
    partial: list[set[Term]]
    equal: set[Term]


class Equalities:
    """Classes of equal terms: columns as (level, index, number), parameters, constants."""

    def __init__(self, tree: Tree, schema: Schema) -> None:
        self.tree = tree
        self.schema = schema
        self.levels = levels_of(tree)
        self._parent: dict[Term, Term] = {}
        for level in self.levels:
            for left, right in _equalities(level.query, schema):
                one, other = self.term(left, level), self.term(right, level)
                if one is not None and other is not None:
                    self._union(one, other)
            inserts = level.query["commandType"] == str(levels.INSERT)
            for target in (level.query["targetList"] or ()) if inserts else ():
                term = self.term(target["expr"], level)
                if term is not None:
                    table = int(level.query["resultRelation"])
                    self._union((id(level), table, int(target["resno"])), term)

    def tables(self) -> Iterator[tuple[Level, int, Relation]]:
        """Yield every use of a table: its level, range table index and relation."""
        for level in self.levels:
            for index, entry in enumerate(level.query["rtable"] or (), start=1):
                if int(entry["rtekind"]) == levels.RELATION:
                    relation = self.schema.relations.get(int(entry["relid"]))
                    if relation is not None:
                        yield level, index, relation

    @cached_property
    def _terms(self) -> set[Term]:
        """All that is equal to something."""
        return {*self._parent, *self._parent.values()}

    @cached_property
    def fixed(self) -> set[Term]:
        """The classes that hold a parameter or a constant, or a column of a level around."""
        outermost = id(self.levels[0])
        return self.given | {self.find(term) for term in self._terms if term[0] != outermost}

    @cached_property
    def given(self) -> set[Term]:
        """The classes that hold a parameter or a constant."""
        kinds = ("parameter", "constant", "call")
        return {self.find(term) for term in self._terms if term[0] in kinds}

    def by_key(self, level: Level, index: int, relation: Relation) -> bool:
        """Whether each column of some unique key of a table equals something."""
        return any(
            all((id(level), index, number) in self._terms for number in key)
            for key in relation.unique
        )

    @cached_property
    def sources(self) -> list[TableInFrom] | None:
        """The tables in FROM of the outermost level; None where there is something else."""
        level = self.levels[0]
        found = []
        for index in joined(level.query["jointree"]):
            entry, place = level.entry(index), (id(level), index)
            kind = int(entry["rtekind"])
            known = self.schema.relations if kind == levels.RELATION else {}
            relation = known.get(int(entry.get("relid") or 0))
            if relation is not None and relation.is_table:
                keys, partial = (
                    [{self.find((*place, one)) for one in key} - self.fixed for key in unique]
                    for unique in (relation.unique, relation.partly_unique)
                )
                found.append(TableInFrom(keys, partial, self._classes.get(place, set())))
            elif kind not in (levels.JOIN, levels.GROUP):
                return None
        return found

    @cached_property
    def _classes(self) -> dict[tuple[Hashable, ...], set[Term]]:
        classes: dict[tuple[Hashable, ...], set[Term]] = {}
        for term in self._terms:
            classes.setdefault(term[:2], set()).add(self.find(term))
        return classes

    def find(self, term: Term) -> Term:
        """Return the representative of a term's class."""
        while (above := self._parent.get(term, term)) != term:
            term = above
        return term

    def term(self, node: Node | None, level: Level | None) -> Term | None:
        """Return what an expression stands for, or None for one that isn't a plain value."""
        while node is not None and node["node"] in _BINARY:
            node = node["arg"]
        if node is None or level is None:
            return None
        if node["node"] == "PARAM" and node["paramkind"] == "0":
            return ("parameter", int(node["paramid"]))
        if node["node"] == "CONST":
            return ("constant", node["consttype"], str(node["constvalue"]))
        if node["node"] == "SUBLINK" and node["subLinkType"] == levels.EXPRESSION:
            inner = next((one for one in self.levels if one.query is node["subselect"]), None)
            return self.term(output(inner, 1), inner) if inner else None
        if node["node"] == "FUNCEXPR":
            arguments = node["args"] or []
            if any(argument["node"] != "CONST" for argument in arguments):
                return None
            return ("call", node["funcid"], *[str(one["constvalue"]) for one in arguments])
        if node["node"] == "NULLIFEXPR":
            return self.term(node["args"][0], level)
        if node["node"] != "VAR":
            return None
        home, index, number = level.column(node)
        if alias := home.alias(index, number):
            return self.term(alias, home)
        inner = home.inner(index)
        if inner is not None and not inner.query["setOperations"]:
            found = self.term(output(inner, number), inner)
            if found is not None:
                return found
        return (id(home), index, number)

    def _union(self, one: Term, other: Term) -> None:
        one, other = self.find(one), self.find(other)
        if one != other:
            self._parent[one] = other


def joined(tree: Node | None) -> list[int]:
    """Return what a jointree joins, as indexes of the range table."""
    return [int(one["rtindex"]) for one in _items(tree) if one["node"] == "RANGETBLREF"]


def _items(item: Node | None) -> Iterator[Node]:
    """Yield what a jointree is made of: lists, joins, and what they join."""
    if item is not None:
        yield item
        for part in item.get("fromlist") or (item.get("larg"), item.get("rarg")):
            yield from _items(part)


def _equalities(query: Node, schema: Schema) -> Iterator[tuple[Node, Node]]:
    conditions = [item["quals"] for item in _items(query["jointree"]) if item.get("quals")]
    if query.get("mergeJoinCondition"):
        conditions.append(query["mergeJoinCondition"])
    while conditions:
        condition = conditions.pop()
        if condition["node"] == "BOOLEXPR" and condition["boolop"] == "and":
            conditions += condition["args"]
        elif condition["node"] == "OPEXPR" and schema.operators.get(int(condition["opno"])) == "=":
            left, right = condition["args"]
            yield left, right
        elif condition["node"] == "SUBLINK" and condition["subLinkType"] == levels.ANY:
            test = condition["testexpr"]
            inner = condition["subselect"]["targetList"]
            if test and test["node"] == "OPEXPR" and inner:
                yield test["args"][0], {**condition, "subLinkType": levels.EXPRESSION}
