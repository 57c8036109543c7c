"""How deep an array is nested that an expression makes: PostgreSQL's types do not tell. Pure."""

from __future__ import annotations

import sys

from todo_sql.compiler.proof.levels import ARRAY, EXPRESSION, RELATION, VALUES, QueryLevel
from todo_sql.compiler.proof.nodes import Node, octets, type_of

_AS_ITS_ARGUMENT = frozenset(("RELABELTYPE", "COLLATEEXPR", "COERCETODOMAIN", "ARRAYCOERCEEXPR"))
_ARGUMENTS = frozenset(("COALESCEEXPR", "MINMAXEXPR", "NULLIFEXPR"))
_AS_DEEP = frozenset(
    {
        *("array_cat", "array_append", "array_prepend", "array_remove", "array_replace"),
        *("array_reverse", "array_sample", "array_shuffle", "array_sort", "trim_array"),
    }
)


def depth(node: Node | None, scope: QueryLevel) -> int:
    """Return how deep an array is nested; one where nothing tells more."""
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
            if node["constisnull"] == "true":
                return 1
            is_array = scope.schema.is_array(int(node["consttype"]))
            # The number of dimensions stands behind the length.
            return max(1, int.from_bytes(octets(node)[4:8], sys.byteorder)) if is_array else 1
        case "CASEEXPR":
            results = [branch["result"] for branch in node["args"]]
            return _deepest([*results, node["defresult"]], scope)
        case "SUBLINK":
            return _sublink(node, scope)
        case "AGGREF" | "FUNCEXPR" | "OPEXPR":
            function = scope.schema.called(node)
            if function is None or not function.builtin:
                return 1
            if function.name in _AS_DEEP:
                return _deepest(node["args"], scope)
            if function.name == "array_agg" and "anyarray" in function.arguments:
                return 1 + depth(node["args"][0]["expr"], scope)
        case "SUBSCRIPTINGREF":
            return depth(node["refexpr"], scope)
        case "FIELDSELECT":
            return _field(node, scope)
        case "VAR":
            return _column(node, scope)
    return 1


def _deepest(nodes: list[Node | None] | None, scope: QueryLevel) -> int:
    return max([1, *(depth(node, scope) for node in nodes or ())])


def _sublink(node: Node, scope: QueryLevel) -> int:
    query = node["subselect"]
    if node["subLinkType"] not in (EXPRESSION, ARRAY):
        return 1
    if not scope.depths_of(query):
        scope.outputs(query, scope)
    inner = (scope.depths_of(query) or [1])[0]
    if node["subLinkType"] == EXPRESSION:
        return inner
    return inner + 1 if _is_array(query, scope) else 1


def _is_array(query: Node, scope: QueryLevel) -> bool:
    """Whether the first column of a query is an array."""
    made = query["targetList"][0]["expr"] if query["targetList"] else None
    if made is None:
        return False
    if made["node"] != "SUBLINK":
        return made["node"] == "ARRAYEXPR" or scope.schema.is_array(type_of(made))
    return made["subLinkType"] == ARRAY or _is_array(made["subselect"], scope)


def _field(node: Node, scope: QueryLevel) -> int:
    found = scope.schema.types.get(type_of(node["arg"]))
    column = scope.schema.column(found.relation, int(node["fieldnum"])) if found else None
    return scope.schema.depth(column.type, column.dimensions) if column else 1


def _column(node: Node, scope: QueryLevel) -> int:
    scope, index, number = scope.column(node)
    if number <= 0:
        return 1
    if alias := scope.alias(index, number):
        return depth(alias, scope)
    entry = scope.entry(index)
    if int(entry["rtekind"]) == RELATION:
        column = scope.schema.column(int(entry["relid"]), number)
        return scope.schema.depth(column.type, column.dimensions) if column else 1
    if int(entry["rtekind"]) == VALUES:
        return _deepest([row[number - 1] for row in entry["values_lists"]], scope)
    found = scope.depths_of(scope.behind(index, recursive=True))
    return found[number - 1] if number <= len(found) else 1
