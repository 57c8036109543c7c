"""What is in an array: whether NULL can be, and how deep it is nested. Pure.

That there is no NULL is claimed only with proof. How deep it is PostgreSQL's types do not tell.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from todo_sql.compiler.proof import conditions
from todo_sql.compiler.proof.levels import ARRAY, EXPRESSION, RELATION, VALUES, QueryLevel
from todo_sql.compiler.proof.nodes import Node, octets, type_of

_AS_ITS_ARGUMENT = frozenset(("RELABELTYPE", "COLLATEEXPR", "COERCETODOMAIN"))
_ARGUMENTS = frozenset(("COALESCEEXPR", "MINMAXEXPR", "NULLIFEXPR"))
_AS_DEEP = frozenset(
    {
        *("array_cat", "array_append", "array_prepend", "array_remove", "array_replace"),
        *("array_reverse", "array_sample", "array_shuffle", "array_sort", "trim_array"),
    }
)

Value = Callable[[Node | None, QueryLevel], bool]


def all_values(node: Node | None, scope: QueryLevel, never_null: Value) -> bool:
    """Whether no element of an array is NULL, at any depth; a NULL array has no elements."""

    def good(part: Node | None) -> bool:
        return all_values(part, scope, never_null)

    if node is None:
        return False
    kind = node["node"]
    if kind in _AS_ITS_ARGUMENT:
        return good(node["arg"])
    match kind:
        case "CONST":
            return node["constisnull"] == "true" or _constant(node)
        case "ARRAYEXPR":
            if node["multidims"] == "true":
                return all(good(one) for one in node["elements"] or ())
            return all(never_null(one, scope) for one in node["elements"] or ())
        case "COALESCEEXPR":
            return all(good(one) for one in node["args"])
        case "CASEEXPR":
            results = [branch["result"] for branch in node["args"]]
            return all(good(one) for one in (*results, node["defresult"]) if one is not None)
        case "SUBLINK":
            query = node["subselect"]
            if node["subLinkType"] == ARRAY:
                return scope.outputs(query, scope)[:1] == [True] and not _may_be_array(query, scope)
            if node["subLinkType"] == EXPRESSION:
                scope.outputs(query, scope)
                return scope.elements_of(query)[:1] == [True]
        case "AGGREF":
            return _aggregate(node, scope, never_null)
        case "FUNCEXPR" | "OPEXPR":
            return _call(node, scope, never_null)
        case "PARAM":
            known = scope.null_elements
            return (
                node["paramkind"] == "0" and known is not None and int(node["paramid"]) not in known
            )
        case "VAR":
            return _column_holds_values(node, scope, never_null)
    return False


def _constant(node: Node) -> bool:
    """Whether a constant array says that it holds no NULL: its header has no bitmap."""
    return len(octets(node)) >= 12 and not any(octets(node)[8:12])


def _may_be_array(query: Node, scope: QueryLevel) -> bool:
    """Whether a query's only column may be an array, whose elements come out flat."""
    targets = query["targetList"]
    found = scope.schema.types.get(type_of(targets[0]["expr"])) if targets else None
    return found is None or found.element != 0 or found.kind == "d"


def _aggregate(node: Node, scope: QueryLevel, never_null: Value) -> bool:
    function = scope.schema.called(node)
    if function is None or not function.builtin or function.name != "array_agg":
        return False
    if node["agglevelsup"] != "0" or scope.grouping_sets or "anynonarray" not in function.arguments:
        return False
    with scope.supposing(set(scope.rows_known), set(scope.rows_closed)):
        if node["aggfilter"]:
            scope.prove(conditions.if_true(node["aggfilter"], scope))
        return never_null(node["args"][0]["expr"], scope)


def _call(node: Node, scope: QueryLevel, never_null: Value) -> bool:
    function = scope.schema.called(node)
    if function is None or not function.builtin:
        return False

    def good(part: Node) -> bool:
        return all_values(part, scope, never_null)

    match function.name, node["args"] or []:
        case "string_to_array", arguments:
            return len(arguments) == 2  # else some text stands for NULL
        case "regexp_split_to_array", _:
            return True
        case "array_cat", arguments:
            return all(map(good, arguments))
        case "array_append", [array, element]:
            return good(array) and never_null(element, scope)
        case "array_prepend", [element, array]:
            return never_null(element, scope) and good(array)
        case "array_remove", [array, what]:
            return good(array) or (what["node"] == "CONST" and what["constisnull"] == "true")
    return False


def _column_holds_values(node: Node, scope: QueryLevel, never_null: Value) -> bool:
    scope, index, number = scope.column(node)
    if node.get("varreturningtype", "0") != "0" or number <= 0:
        return False
    if alias := scope.alias(index, number):
        return all_values(alias, scope, never_null)
    claims = scope.elements_of(scope.behind(index))
    return number <= len(claims) and claims[number - 1]


def depth(node: Node | None, scope: QueryLevel) -> int:
    """Return how deep an array is nested; one where nothing tells more."""
    if node is None:
        return 1
    kind = node["node"]
    if kind in _AS_ITS_ARGUMENT or kind == "ARRAYCOERCEEXPR":
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
            return _column_depth(node, scope)
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


def _column_depth(node: Node, scope: QueryLevel) -> int:
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
