"""What a condition proves: the expressions that have a value where it holds. Pure.

Three questions of the same tree: what follows from its being true, from its being false,
and from its not being true (false or NULL). An operator or function is *strict* if any
NULL among its arguments makes it NULL: then its having a value proves each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from todo_sql.compiler.proof.levels import ANY, Key, QueryLevel
from todo_sql.compiler.proof.nodes import Node

IS_NULL, IS_NOT_NULL = "0", "1"
IS_TRUE, IS_NOT_TRUE, IS_FALSE, IS_NOT_FALSE, IS_UNKNOWN, IS_NOT_UNKNOWN = "012345"


Facts = Callable[[Node | None, QueryLevel], set[Key]]


def if_true(node: Node | list[Node] | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is true."""
    if node is None:
        return set()
    if isinstance(node, list):
        return set().union(*(if_true(part, scope) for part in node))
    match node["node"]:
        case "BOOLEXPR":
            return _of_arms(node, "and", if_true, if_false, scope)
        case "NULLTEST":
            return _of_tested(node, IS_NOT_NULL, scope)
        case "BOOLEANTEST":
            facts = {IS_TRUE: if_true, IS_FALSE: if_false, IS_NOT_UNKNOWN: of_value}
            found = facts.get(node["booltesttype"])
            return found(node["arg"], scope) if found else set()
        case "SCALARARRAYOPEXPR":
            array = of_value(node["args"][1], scope)
            if node["useOr"] == "true" and _strict(node, scope):
                return array | of_value(node["args"][0], scope)
            return array  # `x <> all ('{}')` is true for a NULL x
        case "SUBLINK":
            return if_true(node["testexpr"], scope) if node["subLinkType"] == ANY else set()
        case "ROWCOMPAREEXPR":  # later pairs may not have been looked at
            return of_value(node["largs"][0], scope) | of_value(node["rargs"][0], scope)
    return of_value(node, scope)


def if_false(node: Node | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is false."""
    if node is None:
        return set()
    match node["node"]:
        case "BOOLEXPR":
            return _of_arms(node, "or", if_false, if_true, scope)
        case "NULLTEST":
            return _of_tested(node, IS_NULL, scope)
        case "BOOLEANTEST":
            return of_value(node["arg"], scope) if node["booltesttype"] == IS_UNKNOWN else set()
        case "DISTINCTEXPR":
            for one, other in permutations(node["args"]):
                if one["node"] == "CONST" and one["constisnull"] == "false":
                    return of_value(other, scope)
            return set()
        case "SCALARARRAYOPEXPR":
            return of_value(node["args"][1], scope)
        case "SUBLINK" | "ROWCOMPAREEXPR":
            return set()
    return of_value(node, scope)


def _of_arms(node: Node, every: str, facts: Facts, opposite: Facts, scope: QueryLevel) -> set[Key]:
    """Return the facts of AND, OR, NOT; `every` is the one whose arms all are as the whole is."""
    if node["boolop"] == "not":
        return opposite(node["args"][0], scope)
    found = [facts(arm, scope) for arm in node["args"]]
    return set().union(*found) if node["boolop"] == every else set.intersection(*found)


def _of_tested(node: Node, test: str, scope: QueryLevel) -> set[Key]:
    is_it = node["nulltesttype"] == test and node["argisrow"] == "false"
    return of_value(node["arg"], scope) if is_it else set()


def if_not_true(node: Node | None, scope: QueryLevel) -> set[Key]:
    """Return what has a value where a condition is false or NULL."""
    if node is None:
        return set()
    if node["node"] == "NULLTEST":  # never NULL itself
        return if_false(node, scope)
    if node["node"] == "BOOLEXPR" and node["boolop"] == "or":
        return set().union(*(if_not_true(arm, scope) for arm in node["args"]))
    if node["node"] == "BOOLEXPR" and node["boolop"] == "not":
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
    match node["node"]:
        case "OPEXPR" | "FUNCEXPR" if _strict(node, scope):
            for argument in node["args"] or ():
                found |= of_value(argument, scope)
        case "NULLIFEXPR":
            found |= of_value(node["args"][0], scope)
        case "RELABELTYPE" | "COLLATEEXPR" | "ARRAYCOERCEEXPR" | "FIELDSELECT":
            found |= of_value(node["arg"], scope)
        case "COERCEVIAIO":
            result = scope.schema.types.get(int(node["resulttype"]))
            if result is not None and result.schema == "pg_catalog":
                found |= of_value(node["arg"], scope)
        case "BOOLEXPR" if node["boolop"] == "not":
            found |= of_value(node["args"][0], scope)
        case "SUBSCRIPTINGREF" if not node["refassgnexpr"]:
            container = scope.schema.types.get(int(node["refcontainertype"]))
            if container is not None and (container.element or container.name == "jsonb"):
                found |= of_value(node["refexpr"], scope)
    return found


def _strict(node: Node, scope: QueryLevel) -> bool:
    function = scope.schema.called(node)
    return function is not None and function.strict and not function.returns_set
