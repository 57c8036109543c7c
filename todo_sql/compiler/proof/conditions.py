"""What a condition proves: the expressions that have a value where it holds. Pure.

Three questions of the same tree: what follows from its being true, from its being false,
and from its not being true (false or NULL). An operator or function is *strict* if any
NULL among its arguments makes it NULL: then its having a value proves each of them.
"""

from __future__ import annotations

from todo_sql.compiler.proof.levels import Key, QueryLevel
from todo_sql.compiler.proof.nodes import Node

IS_NULL, IS_NOT_NULL = "0", "1"
IS_TRUE, IS_NOT_TRUE, IS_FALSE, IS_NOT_FALSE, IS_UNKNOWN, IS_NOT_UNKNOWN = "012345"
ANY_SUBLINK = "2"


def if_true(node: Node | list[Node] | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is true."""
    if node is None:
        return set()
    if isinstance(node, list):
        return set().union(*(if_true(part, scope) for part in node))
    kind = node["node"]
    if kind == "BOOLEXPR":
        arms = node["args"]
        if node["boolop"] == "and":
            return set().union(*(if_true(arm, scope) for arm in arms))
        if node["boolop"] == "or":
            return set.intersection(*(if_true(arm, scope) for arm in arms))
        return if_false(arms[0], scope)
    if kind == "NULLTEST":
        if node["nulltesttype"] == IS_NOT_NULL and node["argisrow"] == "false":
            return of_value(node["arg"], scope)
        return set()
    if kind == "BOOLEANTEST":
        test = node["booltesttype"]
        if test == IS_TRUE:
            return if_true(node["arg"], scope)
        if test == IS_FALSE:
            return if_false(node["arg"], scope)
        return of_value(node["arg"], scope) if test == IS_NOT_UNKNOWN else set()
    if kind == "SCALARARRAYOPEXPR":
        array = of_value(node["args"][1], scope)
        if node["useOr"] == "true" and _strict(node["opfuncid"], scope):
            return array | of_value(node["args"][0], scope)
        return array  # `x <> all ('{}')` is true for a NULL x
    if kind == "SUBLINK":
        return if_true(node["testexpr"], scope) if node["subLinkType"] == ANY_SUBLINK else set()
    if kind == "ROWCOMPAREEXPR":  # later pairs may not have been looked at
        return of_value(node["largs"][0], scope) | of_value(node["rargs"][0], scope)
    return of_value(node, scope)


def if_false(node: Node | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is false."""
    if node is None:
        return set()
    kind = node["node"]
    if kind == "BOOLEXPR":
        arms = node["args"]
        if node["boolop"] == "or":
            return set().union(*(if_false(arm, scope) for arm in arms))
        if node["boolop"] == "and":
            return set.intersection(*(if_false(arm, scope) for arm in arms))
        return if_true(arms[0], scope)
    if kind == "NULLTEST":
        if node["nulltesttype"] == IS_NULL and node["argisrow"] == "false":
            return of_value(node["arg"], scope)
        return set()
    if kind == "BOOLEANTEST":
        return of_value(node["arg"], scope) if node["booltesttype"] == IS_UNKNOWN else set()
    if kind == "DISTINCTEXPR":
        left, right = node["args"]
        for one, other in ((left, right), (right, left)):
            if one["node"] == "CONST" and one["constisnull"] == "false":
                return of_value(other, scope)
        return set()
    if kind == "SCALARARRAYOPEXPR":
        return of_value(node["args"][1], scope)
    if kind in ("SUBLINK", "ROWCOMPAREEXPR"):
        return set()
    return of_value(node, scope)


def if_not_true(node: Node | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is false or NULL."""
    if node is None:
        return set()
    kind = node["node"]
    if kind == "NULLTEST":  # never NULL itself
        return if_false(node, scope)
    if kind == "BOOLEXPR" and node["boolop"] == "or":
        return set().union(*(if_not_true(arm, scope) for arm in node["args"]))
    if kind == "BOOLEXPR" and node["boolop"] == "not":
        argument = node["args"][0]
        return if_true(argument, scope) if argument["node"] == "NULLTEST" else set()
    return set()


def of_value(node: Node | None, scope: QueryLevel) -> set[Key]:
    """Return what must have a value where an expression has one, itself included."""
    if node is None:
        return set()
    found: set[Key] = set()
    key = scope.key(node)
    if key is not None:
        found.add(key)
    kind = node["node"]
    if kind in ("OPEXPR", "FUNCEXPR"):
        oid = node["opfuncid" if kind == "OPEXPR" else "funcid"]
        if _strict(oid, scope):
            for argument in node["args"] or ():
                found |= of_value(argument, scope)
    elif kind == "NULLIFEXPR":
        found |= of_value(node["args"][0], scope)
    elif kind in ("RELABELTYPE", "COLLATEEXPR", "ARRAYCOERCEEXPR", "FIELDSELECT"):
        found |= of_value(node["arg"], scope)
    elif kind == "COERCEVIAIO":
        result = scope.schema.types.get(int(node["resulttype"]))
        if result is not None and result.schema == "pg_catalog":
            found |= of_value(node["arg"], scope)
    elif kind == "BOOLEXPR" and node["boolop"] == "not":
        found |= of_value(node["args"][0], scope)
    elif kind == "SUBSCRIPTINGREF" and not node["refassgnexpr"]:
        container = scope.schema.types.get(int(node["refcontainertype"]))
        if container is not None and (container.element or container.name == "jsonb"):
            found |= of_value(node["refexpr"], scope)
    return found


def _strict(oid: str, scope: QueryLevel) -> bool:
    function = scope.schema.functions.get(int(oid))
    return function is not None and function.strict and not function.returns_set
