"""How deep an array is nested that an expression makes: PostgreSQL's types do not tell. Pure."""

from __future__ import annotations

import sys

from todo_sql.compiler.proof.levels import CTE, GROUP, JOIN, RELATION, SUBQUERY, VALUES, QueryLevel
from todo_sql.compiler.proof.nodes import Node, name_of, type_of

_EXPRESSION, _ARRAY = "4", "6"
_AS_ITS_ARGUMENT = frozenset(("RELABELTYPE", "COLLATEEXPR", "COERCETODOMAIN", "ARRAYCOERCEEXPR"))
_ARGUMENTS = frozenset(("COALESCEEXPR", "MINMAXEXPR", "NULLIFEXPR"))
_AS_DEEP = frozenset(
    {
        *("array_cat", "array_append", "array_prepend", "array_remove", "array_replace"),
        *("array_reverse", "array_sample", "array_shuffle", "array_sort", "trim_array"),
    }
)


def depth(node: Node | None, scope: QueryLevel) -> int:
    """Return how deep an array is nested; one where nothing tells more.

    Args:
        node: The array.
        scope: Where it stands.
    """
    if node is None:
        return 1
    kind = node["node"]
    if kind in _AS_ITS_ARGUMENT:
        return depth(node["arg"], scope)
    if kind in _ARGUMENTS:
        return _deepest(node["args"], scope)
    match kind:
        case "ARRAYEXPR":
            return int(node["multidims"] == "true") + _deepest(node["elements"], scope)
        case "CONST":
            return _constant(node, scope)
        case "CASEEXPR":
            results = [branch["result"] for branch in node["args"]]
            return _deepest([*results, node["defresult"]], scope)
        case "SUBLINK":
            return _sublink(node, scope)
        case "AGGREF":
            function = scope.schema.functions.get(int(node["aggfnoid"]))
            lists = function is not None and function.name == "array_agg" and function.builtin
            if lists and function is not None and "anyarray" in function.arguments:
                return 1 + depth(node["args"][0]["expr"], scope)
        case "FUNCEXPR" | "OPEXPR":
            oid = node["opfuncid" if kind == "OPEXPR" else "funcid"]
            function = scope.schema.functions.get(int(oid))
            if function is not None and function.builtin and function.name in _AS_DEEP:
                return _deepest(node["args"], scope)
        case "SUBSCRIPTINGREF":
            return depth(node["refexpr"], scope)
        case "FIELDSELECT":
            return _field(node, scope)
        case "VAR":
            return _column(node, scope)
    return 1


def _deepest(nodes: list[Node | None] | None, scope: QueryLevel) -> int:
    return max([1, *(depth(node, scope) for node in nodes or ())])


def _constant(node: Node, scope: QueryLevel) -> int:
    if node["constisnull"] == "true" or not scope.schema.is_array(int(node["consttype"])):
        return 1
    octets = bytes(int(octet) & 0xFF for octet in node["constvalue"] or ())
    return max(1, int.from_bytes(octets[4:8], sys.byteorder))  # after its length


def _sublink(node: Node, scope: QueryLevel) -> int:
    query = node["subselect"]
    if node["subLinkType"] not in (_EXPRESSION, _ARRAY):
        return 1
    if not scope.depths_of(query):
        scope.outputs(query, scope)
    inner = (scope.depths_of(query) or [1])[0]
    if node["subLinkType"] == _EXPRESSION:
        return inner
    return inner + 1 if _is_array(query, scope) else 1


def _is_array(query: Node, scope: QueryLevel) -> bool:
    """Whether the first column of a query is an array."""
    made = query["targetList"][0]["expr"] if query["targetList"] else None
    if made is None or made["node"] != "SUBLINK":
        is_array = made is not None and made["node"] == "ARRAYEXPR"
        return is_array or (made is not None and scope.schema.is_array(type_of(made)))
    return made["subLinkType"] == _ARRAY or _is_array(made["subselect"], scope)


def _field(node: Node, scope: QueryLevel) -> int:
    found = scope.schema.types.get(type_of(node["arg"]))
    column = scope.schema.column(found.relation, int(node["fieldnum"])) if found else None
    return scope.schema.depth(column.type, column.dimensions) if column else 1


def _column(node: Node, scope: QueryLevel) -> int:
    scope = scope.level(int(node["varlevelsup"]))
    index, number = int(node["varno"]), int(node["varattno"])
    if number <= 0:
        return 1
    entry = scope.entry(index)
    found: list[int] = []
    match int(entry["rtekind"]):
        case kind if kind == RELATION:
            column = scope.schema.column(int(entry["relid"]), number)
            return scope.schema.depth(column.type, column.dimensions) if column else 1
        case kind if kind == JOIN:
            return depth(entry["joinaliasvars"][number - 1], scope)
        case kind if kind == GROUP:
            return depth(entry["groupexprs"][number - 1], scope)
        case kind if kind == VALUES:
            return _deepest([row[number - 1] for row in entry["values_lists"]], scope)
        case kind if kind == SUBQUERY and entry["subquery"]:
            found = scope.depths_of(entry["subquery"])
        case kind if kind == CTE:
            home = scope.level(int(entry["ctelevelsup"]))
            for cte in home.query["cteList"] or ():
                if name_of(cte["ctename"]) == name_of(entry["ctename"]):
                    found = home.depths_of(cte["ctequery"])
    return found[number - 1] if number <= len(found) else 1
