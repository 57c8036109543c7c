"""What CHECK constraints say of a single column, in the words of pydantic. Pure.

Only what both sides mean alike is taken over: lengths in characters, bounds of numbers,
lists of texts. A constraint over several columns, or of another form, stays PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

_LENGTHS = frozenset(("char_length", "length", "character_length"))
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
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
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "values" and getattr(self, field.name) is not None
        }

    def json_schema(self) -> dict[str, Any]:
        """Return the bounds as JSON schema."""
        schema: dict[str, Any] = {
            _SCHEMA_NAMES[name]: value for name, value in self.arguments().items()
        }
        if self.values:
            schema["enum"] = list(self.values)
        return schema


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
        arms = list(node.bool_expr.args)
        if node.bool_expr.boolop == 1:  # AND
            for arm in arms:
                yield from _read(arm)
        elif node.bool_expr.boolop == 2:  # OR: `x is null or …` is what CHECK means anyway
            rest = [arm for arm in arms if arm.WhichOneof("node") != "null_test"]
            if len(rest) == 1:
                yield from _read(rest[0])
    elif kind == "a_expr":
        yield from _comparison(node.a_expr)


def _comparison(expression: Any) -> Iterator[tuple[str, str, Any]]:
    operator = expression.name[-1].string.sval if expression.name else ""
    if expression.kind == 2:  # = ANY (ARRAY[…])
        column = _column(expression.lexpr)
        values = [_constant(item) for item in _items(expression.rexpr)]
        if column and operator == "=" and values and all(isinstance(v, str) for v in values):
            yield column, "values", tuple(values)
        return
    if expression.kind != 1:
        return
    left, right = expression.lexpr, expression.rexpr
    value = _constant(right)
    if value is None:
        left, value, operator = right, _constant(left), _MIRRORED.get(operator, "")
    if operator not in _MIRRORED or value is None:
        return
    length = _length_of(left)
    if length and isinstance(value, int):
        yield from _length(length, operator, value)
    column = _column(left)
    if column and isinstance(value, str) and operator == "=":
        yield column, "values", (value,)
    if column and not isinstance(value, str):
        for bound in {"<": ["lt"], "<=": ["le"], ">": ["gt"], ">=": ["ge"], "=": ["ge", "le"]}[
            operator
        ]:
            yield column, bound, value


def _length(column: str, operator: str, value: int) -> Iterator[tuple[str, str, Any]]:
    if operator in (">", ">=", "="):
        yield column, "min_length", value + (operator == ">")
    if operator in ("<", "<=", "="):
        yield column, "max_length", value - (operator == "<")


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
    if node.WhichOneof("node") != "func_call" or len(node.func_call.args) != 1:
        return None
    if node.func_call.funcname[-1].string.sval not in _LENGTHS:
        return None
    return _column(node.func_call.args[0])


def _items(node: Any) -> list[Any]:
    node = _uncast(node)
    if node.WhichOneof("node") == "a_array_expr":
        return list(node.a_array_expr.elements)
    return []


def _constant(node: Any) -> str | int | float | None:
    node = _uncast(node)
    kind = node.WhichOneof("node")
    if kind == "a_expr" and node.a_expr.name[-1].string.sval == "-":
        value = _constant(node.a_expr.rexpr)
        return -value if isinstance(value, (int, float)) else None
    if kind != "a_const" or node.a_const.isnull:
        return None
    found = node.a_const.WhichOneof("val")
    if found == "ival":
        return int(node.a_const.ival.ival)
    if found == "fval":
        return float(node.a_const.fval.fval)
    return str(node.a_const.sval.sval) if found == "sval" else None
