"""C115 and C116: rows cut off by LIMIT, or paged, whose order isn't settled.

An order is settled when the sort keys, with what the conditions hold constant, determine
a unique key of every table in FROM. Where that can't be seen (a subquery, a function),
nothing is said.
"""

from __future__ import annotations

from todo_sql.compiler.checks.equalities import Equalities, Level, Term
from todo_sql.compiler.nodes import Node
from todo_sql.compiler.prepare import Prepared
from todo_sql.compiler.schema import Schema
from todo_sql.compiler.scope import (
    CTE,
    FUNCTION,
    GROUP,
    JOIN,
    RELATION,
    SELECT,
    SUBQUERY,
    TABLE_FUNCTION,
)
from todo_sql.errors import Finding
from todo_sql.queries.named import Cardinality, NamedQuery

_UNSEEN = frozenset((SUBQUERY, FUNCTION, TABLE_FUNCTION, CTE))


def find(query: NamedQuery, answer: Prepared, schema: Schema) -> list[Finding]:
    """Return the findings of one variant."""
    if ":limitCount {" not in answer.tree.replace("\n", " "):
        return []
    tree = answer.parse()
    node = tree.main
    if node is None or node["commandType"] != str(SELECT) or not node["limitCount"]:
        return []
    if _is_null(node["limitCount"]) or node["setOperations"] or node["hasAggs"] == "true":
        return []
    paged = query.cardinality is Cardinality.PAGE
    equalities = Equalities(tree, schema)
    level = equalities.levels[0]
    settled = _settled(level, equalities, schema)
    if settled is None or settled:
        return []
    if paged:
        message, cause = (
            f"the order of `{query.name}` doesn't end with a unique key",
            "rows that are equal in every key can be skipped between pages, or come twice",
        )
    else:
        message, cause = (
            f"`limit` cuts `{query.name}` off in an order that isn't settled",
            "rows that are equal in every sort key come in any order"
            if node["sortClause"]
            else "there is no `order by`",
        )
    return [
        Finding(
            "C116" if paged else "C115",
            "error" if paged else "warning",
            message,
            query.place(),
            cause,
            "end `order by` with a unique key, such as the primary key",
        )
    ]


def _is_null(count: Node) -> bool:
    return bool(count["node"] == "CONST" and count["constisnull"] == "true")


def _settled(level: Level, equalities: Equalities, schema: Schema) -> bool | None:
    """Whether the order leaves no two rows equal; None: can't be seen."""
    query = level.query
    indexes = _read(query["jointree"])
    tables = []
    for index in indexes:
        entry = level.entry(index)
        kind = int(entry["rtekind"])
        if kind in _UNSEEN or kind not in (RELATION, JOIN, GROUP):
            return None
        if kind == RELATION:
            relation = schema.relations.get(int(entry["relid"]))
            if relation is None or not relation.is_table:
                return None
            tables.append((index, relation))
    if not tables:
        return True
    known = _sorted_terms(level, equalities)
    if known is None:
        return None
    if query["groupClause"] or query["distinctClause"]:
        clause = query["groupClause"] or query["distinctClause"]
        keys = [equalities.term(_by_reference(query, key), level) for key in clause]
        return (
            None
            if None in keys
            else all(_is_known(key, known, equalities) for key in keys if key is not None)
        )
    settled: set[int] = set()
    while True:
        news = {
            index
            for index, relation in tables
            if index not in settled
            and any(
                all(_is_known((id(level), index, number), known, equalities) for number in unique)
                for unique in relation.unique
            )
        }
        if not news:
            return len(settled) == len(tables)
        settled |= news
        known |= {
            equalities.find((id(level), index, number))
            for index, relation in tables
            if index in news
            for number in relation.columns
        }


def _sorted_terms(level: Level, equalities: Equalities) -> set[Term] | None:
    """Return the columns sorted by; None if there is an expression among them."""
    found: set[Term] = set()
    for key in level.query["sortClause"] or ():
        term = equalities.term(_by_reference(level.query, key), level)
        if term is None:
            return None
        found.add(equalities.find(term))
    return found


def _is_known(term: Term, known: set[Term], equalities: Equalities) -> bool:
    root = equalities.find(term)
    return root in known or root in equalities.fixed


def _by_reference(query: Node, key: Node) -> Node | None:
    for target in query["targetList"] or ():
        if target["ressortgroupref"] == key["tleSortGroupRef"]:
            found: Node = target["expr"]
            return found
    return None


def _read(item: Node) -> list[int]:
    if item["node"] == "RANGETBLREF":
        return [int(item["rtindex"])]
    if item["node"] == "FROMEXPR":
        return [index for part in item["fromlist"] or () for index in _read(part)]
    return [*_read(item["larg"]), *_read(item["rarg"])]
