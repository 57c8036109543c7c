"""Whether a query returns one row whatever its tables hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.compiler.proof.levels import CTE, SELECT, SUBQUERY, Hole, QueryLevel, with_query
from todo_sql.compiler.proof.nodes import Node

_COUNTED = ("groupClause", "groupingSets", "havingQual", "limitCount", "limitOffset")


def exactly_one_row(query: Node, around: QueryLevel | None) -> bool:
    """Whether a query returns one row whatever its tables hold; `around` is the level around it."""
    if query["commandType"] != str(SELECT) or query["hasTargetSRFs"] == "true":
        return False
    if any(query[clause] for clause in (*_COUNTED, "setOperations")):
        return False
    if query["hasAggs"] == "true":
        return True
    tree = query["jointree"]
    return not tree["quals"] and all(
        _one_row_source(item, query, around) for item in tree["fromlist"] or ()
    )


def sides(scope: QueryLevel) -> Iterator[Hole]:
    """Yield the sides of outer joins that every row finds: one row, joined on true.

    As in ``left join lateral (select count(*) as n from …) as x on true``.
    """
    for index, join in scope.joins.items():
        if _is_true(join["quals"]):
            for side, item in (("left", join["larg"]), ("right", join["rarg"])):
                if _is_one_row(item, scope):
                    yield index, side


def _is_true(condition: Node | None) -> bool:
    return (
        condition is not None
        and condition["node"] == "CONST"
        and condition["constisnull"] == "false"
        and condition["constvalue"][0] == "1"
    )


def _is_one_row(item: Node, scope: QueryLevel) -> bool:
    if item["node"] == "RANGETBLREF":
        entry = scope.entry(int(item["rtindex"]))
        if int(entry["rtekind"]) == SUBQUERY and entry["subquery"]:
            return exactly_one_row(entry["subquery"], scope)
    return _one_row_source(item, scope.query, scope.parent)


def _one_row_source(item: Node, query: Node, around: QueryLevel | None) -> bool:
    """Whether something in FROM is one row: a subquery or WITH query of one."""
    if item["node"] != "RANGETBLREF":
        return False
    entry = query["rtable"][int(item["rtindex"]) - 1]
    kind = int(entry["rtekind"])
    if kind == SUBQUERY and entry["subquery"]:
        return around is not None and exactly_one_row(entry["subquery"], None)
    if kind != CTE:
        return False
    up, holder = int(entry["ctelevelsup"]), query
    if up:
        if around is None:
            return False
        holder = around.level(up - 1).query
    cte = with_query(holder, entry)
    if cte is None or cte["cterecursive"] == "true":
        return False
    return exactly_one_row(cte["ctequery"], None)
