"""What CHECK constraints say of a single column, in the words of pydantic. Pure.

Only what both sides mean alike is taken over: lengths in characters, bounds of numbers,
lists of texts. A constraint over several columns, or of another form, stays PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

_LENGTHS = frozenset(("char_length", "length", "character_length"))
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_BOUNDS = {"<": ["lt"], "<=": ["le"], ">": ["gt"], ">=": ["ge"], "=": ["ge", "le"]}
_LENGTH_BOUNDS = {  # and what is added to the number
    "<": {"max_length": -1},
    "<=": {"max_length": 0},
    ">": {"min_length": 1},
    ">=": {"min_length": 0},
    "=": {"min_length": 0, "max_length": 0},
}
_SCHEMA_NAMES = {
    "min_length": "minLength",
    "max_length": "maxLength",
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """Bounds of one column's values; None and an empty tuple mean unbounded.

    Attributes:
        values: The only texts allowed, in the order of the constraint.
    """

    min_length: int | None = None
    max_length: int | None = None
    ge: float | int | None = None
    gt: float | int | None = None
    le: float | int | None = None
    lt: float | int | None = None
    values: tuple[str, ...] = ()

    def arguments(self) -> dict[str, float | int]:
        """Return the bounds as keyword arguments of pydantic's `Field`."""
        bounds = {name: getattr(self, name) for name in _SCHEMA_NAMES}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def json_schema(self) -> dict[str, Any]:
        """Return the bounds as JSON schema."""
        bounds = self.arguments().items()
        schema: dict[str, Any] = {_SCHEMA_NAMES[name]: bound for name, bound in bounds}
        return {**schema, "enum": list(self.values)} if self.values else schema


UNCONSTRAINED = Constraint()


def of_column(column: str, expressions: Iterator[str] | list[str]) -> Constraint:
    """Return what a table's CHECK expressions say of one column."""
    found = Constraint()
    for expression in expressions:
        for name, bound, value in _facts(expression):
            if name == column:
                found = _tighten(found, bound, value)
    return found


def _tighten(found: Constraint, bound: str, value: Any) -> Constraint:
    known = getattr(found, bound)
    if bound == "values":
        return replace(found, values=tuple(one for one in value if not known or one in known))
    if known is not None:
        value = max(known, value) if bound in ("min_length", "ge", "gt") else min(known, value)
    return replace(found, **{bound: value})


@lru_cache(maxsize=4096)
def _facts(expression: str) -> tuple[tuple[str, str, Any], ...]:
    from todo_sql.sql.grammar import GrammarError, parse

    try:
        (statement,) = parse(f"select {expression}")
    except (GrammarError, ValueError):
        return ()
    return tuple(_read(statement.node.select_stmt.target_list[0].res_target.val))


def _read(node: Any) -> Iterator[tuple[str, str, Any]]:
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        arms, operator = list(node.bool_expr.args), node.bool_expr.boolop
        if operator == 2:  # OR: `x is null or …` is what CHECK means anyway
            arms = [arm for arm in arms if arm.WhichOneof("node") != "null_test"]
        if operator == 1 or (operator == 2 and len(arms) == 1):
            for arm in arms:
                yield from _read(arm)
    elif kind == "a_expr":
        yield from _comparison(node.a_expr)


def _comparison(expression: Any) -> Iterator[tuple[str, str, Any]]:
    operator = expression.name[-1].string.sval if expression.name else ""
    if expression.kind == 2 and operator == "=":  # = ANY (ARRAY[…])
        column, array = _column(expression.lexpr), _uncast(expression.rexpr)
        is_list = array.WhichOneof("node") == "a_array_expr"
        values = [_constant(item) for item in array.a_array_expr.elements] if is_list else []
        if column and values and all(isinstance(value, str) for value in values):
            yield column, "values", tuple(values)
    if expression.kind != 1:
        return
    left, value = expression.lexpr, _constant(expression.rexpr)
    if value is None:
        left, value = expression.rexpr, _constant(expression.lexpr)
        operator = _MIRRORED.get(operator, "")
    if operator not in _MIRRORED or value is None:
        return
    length, column = _length_of(left), _column(left)
    if length and isinstance(value, int):
        for bound, more in _LENGTH_BOUNDS[operator].items():
            yield length, bound, value + more
    if column and isinstance(value, str) and operator == "=":
        yield column, "values", (value,)
    if column and not isinstance(value, str):
        for bound in _BOUNDS[operator]:
            yield column, bound, value


def _uncast(node: Any) -> Any:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def _column(node: Any) -> str | None:
    node = _uncast(node)
    if node.WhichOneof("node") != "column_ref" or len(node.column_ref.fields) != 1:
        return None
    return str(node.column_ref.fields[0].string.sval) or None


def _length_of(node: Any) -> str | None:
    call = node.func_call if node.WhichOneof("node") == "func_call" else None
    if call is None or len(call.args) != 1 or call.funcname[-1].string.sval not in _LENGTHS:
        return None
    return _column(call.args[0])


def _constant(node: Any) -> str | int | float | None:
    node = _uncast(node)
    kind = node.WhichOneof("node")
    if kind == "a_expr" and node.a_expr.name[-1].string.sval == "-":
        value = _constant(node.a_expr.rexpr)
        return -value if isinstance(value, (int, float)) else None
    if kind != "a_const" or node.a_const.isnull:
        return None
    found, constant = node.a_const.WhichOneof("val"), node.a_const
    if found == "ival":
        return int(constant.ival.ival)
    if found == "fval":
        return float(constant.fval.fval)
    return str(constant.sval.sval) if found == "sval" else None
