"""Whether an expression can be NULL: True only with proof. Pure."""

from __future__ import annotations

from collections.abc import Callable

from todo_sql.compiler.proof import conditions, functions, levels
from todo_sql.compiler.proof.arrays import all_values
from todo_sql.compiler.proof.levels import Key, QueryLevel
from todo_sql.compiler.proof.nodes import Node, octets
from todo_sql.compiler.proof.one_row import exactly_one_row
from todo_sql.compiler.schema import Function

NEW, OLD = "2", "1"
CURRENT_SCHEMA = "14"
JSON_OBJECT, JSON_ARRAY = "12"
_NEVER_NULL = {
    *("NULLTEST", "BOOLEANTEST", "DISTINCTEXPR", "ARRAYEXPR", "ROWEXPR"),
    *("GROUPINGFUNC", "NEXTVALUEEXPR", "MERGESUPPORTFUNC"),
}
_AS_ITS_ARGUMENT = {
    *("RELABELTYPE", "COLLATEEXPR", "ARRAYCOERCEEXPR", "CONVERTROWTYPEEXPR"),
    *("COERCETODOMAIN", "NAMEDARGEXPR"),
}
# Bits of WindowClause.frameOptions (src/include/nodes/parsenodes.h).
_NONDEFAULT, _START_UNBOUNDED, _END_UNBOUNDED = 0x1, 0x20, 0x100
_START_CURRENT, _END_CURRENT, _EXCLUSION = 0x200, 0x400, 0x8000 | 0x10000 | 0x20000


def never_null(node: Node | None, scope: QueryLevel) -> bool:
    """Whether an expression has a value in every row that its query returns."""
    if node is None:
        return False
    if scope.grouping_sets and _may_be_grouped(node, scope.query):
        return False  # whatever equals a grouping expression is NULL in a subtotal
    if scope.is_known(scope.key(node)):
        return True
    kind = node["node"]
    if kind in _NEVER_NULL:
        return True
    if kind in _AS_ITS_ARGUMENT:
        return never_null(node["arg"], scope)
    rule = _RULES.get(kind)
    return rule(node, scope) if rule else False


def _may_be_grouped(node: Node, query: Node) -> bool:
    """Whether an expression may equal one that is grouped by, in whole or in part."""
    if query.get("hasGroupRTE") == "true":  # PostgreSQL 18: those are columns of their own
        return False
    if node["node"] == "COALESCEEXPR":
        references = {clause["tleSortGroupRef"] for clause in query["groupClause"] or ()}
        return any(
            target["expr"]["node"] in ("COALESCEEXPR", "CONST")
            for target in query["targetList"] or ()
            if target["ressortgroupref"] in references
        )
    return node["node"] not in ("AGGREF", "GROUPINGFUNC", "CONST")


def _all(nodes: list[Node] | None, scope: QueryLevel) -> bool:
    return all(never_null(node, scope) for node in nodes or ())


def _any(nodes: list[Node] | None, scope: QueryLevel) -> bool:
    return any(never_null(node, scope) for node in nodes or ())


def _coalesce(node: Node, scope: QueryLevel) -> bool:
    def with_side(index: int, side: str) -> bool:
        with scope.supposing(scope.known, scope.closed | {(index, side)}):
            return _any(node["args"], scope)

    # A row of a FULL JOIN has one of its sides: then it is enough if each has a good argument.
    return _any(node["args"], scope) or any(
        with_side(index, "left") and with_side(index, "right")
        for index, join in scope.joins.items()
        if int(join["jointype"]) == levels.FULL
    )


def _parameter(node: Node, scope: QueryLevel) -> bool:
    if node["paramkind"] == "2":  # a column of the sublink at hand
        return scope.sublink
    return node["paramkind"] == "0" and int(node["paramid"]) not in scope.nullable_parameters


def _column(node: Node, scope: QueryLevel) -> bool:
    scope, index, number = scope.column(node)
    if scope.grouping_sets:
        return False
    returning = node.get("varreturningtype", "0")
    if returning == OLD and scope.command in (levels.INSERT, levels.MERGE):
        return False
    if returning == NEW and scope.command not in (levels.INSERT, levels.UPDATE):
        return False
    if returning != "0":
        return base_column(index, number, scope)
    kind = int(scope.entry(index)["rtekind"])
    if not scope.is_present(index):
        return kind == levels.GROUP and never_null(scope.alias(index, number), scope)
    if ("column", index, number) in scope.known:
        return True
    return (_join_column if kind == levels.JOIN else base_column)(index, number, scope)


def base_column(index: int, number: int, scope: QueryLevel) -> bool:
    """Whether a column of a range table entry has a value in each of the entry's own rows."""
    entry = scope.entry(index)
    kind = int(entry["rtekind"])
    if kind == levels.RELATION:
        relation = scope.schema.relations.get(int(entry["relid"]))
        if relation is None or not relation.is_table:
            return False
        if number <= 0:
            return True
        column = relation.columns.get(number)
        return column is not None and column.not_null
    if number <= 0:
        return False
    columns = scope.entry_columns.get(index, [])
    return number <= len(columns) and columns[number - 1]


def _join_column(index: int, number: int, scope: QueryLevel) -> bool:
    alias, join = scope.alias(index, number), scope.joins.get(index)
    if never_null(alias, scope):
        return True
    full = join is not None and int(join["jointype"]) == levels.FULL
    if not full or alias is None or alias["node"] != "COALESCEEXPR":
        return False
    # USING of a FULL JOIN: one side is always real, so each must be good on its own.
    with scope.supposing(scope.known, scope.closed | {(index, "left"), (index, "right")}):
        return _all(alias["args"], scope)


def _call(node: Node, scope: QueryLevel) -> bool:
    function = scope.schema.called(node)
    if function is None:
        return False
    arguments = node["args"] or []
    if node["funcretset"] == "true":  # several at once: the shorter ones are filled up
        return scope.set_functions == 1 and set_element(node, function, scope)
    if node["funcvariadic"] == "false":
        if functions.always_a_value(function):
            return True
        if functions.needs_first_only(function):
            return never_null(arguments[0], scope)
    elif functions.always_a_value(function):
        return _all(arguments, scope)
    if functions.never_null_function(function):
        return _all(arguments, scope)
    return (
        function.builtin
        and function.name in ("date_part", "extract")
        and _text_constant(arguments[0]) in functions.MONOTONIC_FIELDS
        and function.arguments[1] in functions.PLAIN
        and never_null(arguments[1], scope)
    )


def set_element(node: Node, function: Function, scope: QueryLevel) -> bool:
    """Whether every row of a set-returning function of one column has a value."""
    if not function.builtin:
        return False
    if function.name == "unnest" and len(node["args"]) == 1:
        return _holds_values(node["args"][0], scope)
    return function.name in functions.SETS_NEVER_NULL


def _holds_values(array: Node, scope: QueryLevel) -> bool:
    while array["node"] == "ARRAYCOERCEEXPR":
        array = array["arg"]
    return all_values(array, scope, never_null)


def _operator(node: Node, scope: QueryLevel) -> bool:
    function = scope.schema.called(node)
    name = scope.schema.operators.get(int(node["opno"]))
    if function is None:
        return False
    if functions.always_a_value(function):
        return True
    return functions.never_null_operator(name, function) and _all(node["args"], scope)


def _array_operator(node: Node, scope: QueryLevel) -> bool:
    scalar, array = node["args"]
    return (
        never_null(array, scope)
        and _holds_values(array, scope)
        and _operator({**node, "args": [scalar]}, scope)
    )


def _through_text(node: Node, scope: QueryLevel) -> bool:
    types = scope.schema.types
    result = types.get(int(node["resulttype"]))
    if result is None or (result.schema != "pg_catalog" and result.kind not in ("e", "c")):
        return False
    return never_null(node["arg"], scope)


def _case(node: Node, scope: QueryLevel) -> bool:
    if node["defresult"] is None:
        return False

    def with_facts(facts: set[Key], expression: Node) -> bool:
        """Look at a branch knowing what brought a row there."""
        news = {key for key in facts if key not in scope.known and key[0] != "outer"}
        columns = [key[1] for key in news if key[0] == "column"]
        closed = scope.closed.union(*(scope.holes.get(one, ()) for one in columns))
        with scope.supposing(scope.known | news, closed):
            return never_null(expression, scope)

    before: set[Key] = set()
    for branch in node["args"]:
        facts: set[Key] = set(before)
        if node["arg"] is None:
            facts |= conditions.if_true(branch["expr"], scope)
            before |= conditions.if_not_true(branch["expr"], scope)
        if not with_facts(facts, branch["result"]):
            return False
    return with_facts(before, node["defresult"])


def _sublink(node: Node, scope: QueryLevel) -> bool:
    kind = node["subLinkType"]
    if kind in (levels.EXISTS, levels.ARRAY):
        return True
    query = node["subselect"]
    if kind == levels.EXPRESSION:
        return exactly_one_row(query, scope) and all(scope.outputs(query, scope))
    if kind == levels.ANY:
        before = scope.sublink
        scope.sublink = all(scope.outputs(query, scope))
        try:
            return never_null(node["testexpr"], scope)
        finally:
            scope.sublink = before
    return False


def _aggregate(node: Node, scope: QueryLevel) -> bool:
    function = scope.schema.called(node)
    if function is None or not function.builtin:
        return False
    if function.name in functions.ALWAYS_AGGREGATES:
        return True
    if node["agglevelsup"] != "0" or not scope.grouped:
        return False
    if node["aggfilter"] and not _holds_always(node["aggfilter"], scope):
        return False
    if function.name in functions.ONE_ROW_AGGREGATES:
        return True
    of_values = function.name in functions.ONE_VALUE_AGGREGATES
    return of_values and never_null(node["args"][0]["expr"], scope)


def _holds_always(condition: Node, scope: QueryLevel) -> bool:
    """Whether a condition is true in every row: that what never is NULL is not NULL."""
    if condition["node"] == "BOOLEXPR" and condition["boolop"] == "and":
        return all(_holds_always(one, scope) for one in condition["args"])
    return bool(
        condition["node"] == "NULLTEST"
        and condition["nulltesttype"] == conditions.IS_NOT_NULL
        and condition["argisrow"] == "false"
        and never_null(condition["arg"], scope)
    )


def _window(node: Node, scope: QueryLevel) -> bool:
    function = scope.schema.called(node)
    if function is None or not function.builtin:
        return False
    name, arguments = function.name, node["args"] or []
    if name in functions.RANKING or name in functions.ALWAYS_AGGREGATES:
        return True
    if name == "ntile":
        return _all(arguments, scope)
    if name in ("lag", "lead"):
        return len(arguments) == 3 and _all(arguments, scope)
    if node["aggfilter"] or not _frame_has_current_row(node, scope):
        return False
    if name in functions.ONE_ROW_AGGREGATES:
        return True
    if name in functions.ONE_VALUE_AGGREGATES or name in ("first_value", "last_value"):
        return never_null(arguments[0], scope)
    return False


def _frame_has_current_row(node: Node, scope: QueryLevel) -> bool:
    for clause in scope.query["windowClause"]:
        if clause["winref"] == node["winref"]:
            options = int(clause["frameOptions"])
            starts = options & (_START_UNBOUNDED | _START_CURRENT)
            ends = options & (_END_UNBOUNDED | _END_CURRENT)
            return bool(starts and ends) and not options & _EXCLUSION
    return False


def _text_constant(node: Node) -> str | None:
    """Return the value of a constant of type text."""
    if node["node"] != "CONST" or node["consttype"] != "25" or node["constisnull"] == "true":
        return None
    return octets(node)[4:].decode(errors="replace").lower()


_RULES: dict[str, Callable[[Node, QueryLevel], bool]] = {
    "CONST": lambda node, scope: node["constisnull"] == "false",
    "PARAM": _parameter,
    "VAR": _column,
    "FUNCEXPR": _call,
    "OPEXPR": _operator,
    "SCALARARRAYOPEXPR": _array_operator,
    "ROWCOMPAREEXPR": lambda node, scope: _all([*node["largs"], *node["rargs"]], scope),
    "BOOLEXPR": lambda node, scope: _all(node["args"], scope),
    "COALESCEEXPR": _coalesce,
    "MINMAXEXPR": lambda node, scope: _any(node["args"], scope),
    "COERCEVIAIO": _through_text,
    "CASEEXPR": _case,
    "SUBLINK": _sublink,
    "AGGREF": _aggregate,
    "WINDOWFUNC": _window,
    "SQLVALUEFUNCTION": lambda node, scope: node["op"] != CURRENT_SCHEMA,
    "JSONCONSTRUCTOREXPR": lambda node, scope: node["type"] in (JSON_OBJECT, JSON_ARRAY),
    "JSONISPREDICATE": lambda node, scope: never_null(node["expr"], scope),
}
