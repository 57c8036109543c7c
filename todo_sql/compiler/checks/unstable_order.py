"""C115 and C116: rows cut off by LIMIT, or paged, whose order isn't settled.

An order is settled when the sort keys, with what the conditions hold constant, determine
a unique key of every table in FROM. Where that can't be seen (a subquery, a function, a
partial unique index that may hold for the rows asked for), nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from todo_sql.compiler.checks.equalities import Equalities, TableInFrom, Term
from todo_sql.compiler.prepare import PreparedQuery
from todo_sql.compiler.proof.levels import SELECT, Level
from todo_sql.compiler.proof.nodes import Node, plain_order, returned
from todo_sql.compiler.schema import Schema
from todo_sql.errors import Finding
from todo_sql.queries.named import Cardinality, NamedQuery

_SKIP_LOCKED = "1"
_WITH_TIES = "1"


def find(
    query: NamedQuery, answer: PreparedQuery, equalities: Equalities, schema: Schema
) -> list[Finding]:
    """Return the findings of one variant; `equalities` are of its tree, perhaps without order."""
    node = equalities.tree.main
    if node is None or node["commandType"] != str(SELECT) or not node["limitCount"]:
        return []
    no_limit = node["limitCount"].get("constisnull") == "true"
    if no_limit or node["setOperations"] or node["hasAggs"] == "true":
        return []
    paged = query.cardinality is Cardinality.PAGE
    if not paged and _needs_no_order(node):
        return []
    keys: Sequence[Node | None] | None = plain_order(answer.tree)
    if keys is None:
        equalities = Equalities(answer.parse(), schema)
        whole = equalities.levels[0].query
        keys = [_by_reference(whole, key) for key in whole["sortClause"] or ()]
    settled = _settled(keys, equalities)
    if settled is None or settled:
        return []
    fix = "end `order by` with a unique key, such as the primary key"
    if paged:
        message = f"the order of `{query.name}` doesn't end with a unique key"
        cause = "rows that are equal in every key can be skipped between pages, or come twice"
        return [Finding("C116", "error", message, query.place(), cause, fix)]
    message = f"`limit` cuts `{query.name}` off in an order that isn't settled"
    cause = "rows that are equal in every sort key come in any order"
    cause = cause if keys else "there is no `order by`"
    return [Finding("C115", "warning", message, query.place(), cause, fix)]


def _needs_no_order(query: Node) -> bool:
    """Whether rows are all the same, taken from a queue, or with those equal to the last."""
    return (
        all(one["expr"]["node"] in ("CONST", "PARAM") for one in returned(query["targetList"]))
        or any(mark["waitPolicy"] == _SKIP_LOCKED for mark in query["rowMarks"] or ())
        or bool(query["limitOption"] == _WITH_TIES and not query["limitOffset"])
    )


def _settled(keys: Sequence[Node | None], equalities: Equalities) -> bool | None:
    """Whether the order leaves no two rows equal; None: can't be seen."""
    level = equalities.levels[0]
    sources = equalities.sources
    if not sources:
        return None if sources is None else True
    known = _sorted_terms(keys, level, equalities)
    if known is None:
        return None
    clause = level.query["groupClause"] or level.query["distinctClause"]
    if clause:
        grouped = _sorted_terms(
            [_by_reference(level.query, key) for key in clause], level, equalities
        )
        return None if grouped is None else grouped <= known | equalities.fixed
    if not _unsettled(sources, set(known), partial=False):
        return True
    return None if not _unsettled(sources, known, partial=True) else False


def _unsettled(
    sources: Sequence[TableInFrom], known: set[Term], *, partial: bool
) -> list[TableInFrom]:
    """Return the tables of which no unique key is known, one by one through their joins.

    Args:
        partial: Whether keys count that are unique among some rows only.
    """
    left = list(sources)
    while news := [
        source
        for source in left
        if any(key <= known for key in [*source.keys, *(source.partial if partial else ())])
    ]:
        for source in news:
            left.remove(source)
            known |= source.equal
    return left


def _sorted_terms(
    keys: Sequence[Node | None], level: Level, equalities: Equalities
) -> set[Term] | None:
    """Return the columns sorted by; None if there is an expression among them."""
    found: set[Term] = set()
    for key in keys:
        term = equalities.term(key, level)
        if term is None:
            return None
        found.add(equalities.find(term))
    return found


def _by_reference(query: Node, key: Node) -> Node | None:
    targets, number = query["targetList"] or (), key["tleSortGroupRef"]
    return next((one["expr"] for one in targets if one["ressortgroupref"] == number), None)
