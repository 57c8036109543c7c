"""The WHERE of an UPDATE, DELETE or INSERT … SELECT: where it stands, what it leaves out. Pure.

Where it stands in the text is a guess by the words at the outermost level; whoever makes another
text of it proves that by reading it. That it leaves out the rows that the statement has changed
is proved of every row whatever it holds; where it is not, rows that are done cannot be told from
those that are left.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

from todo_sql.sql.grammar import Statement, scan
from todo_sql.sql.walking import conjuncts, enum, of_type, shape, strings

_OPENING, _CLOSING = ("ASCII_40", "ASCII_91"), ("ASCII_41", "ASCII_93")
_AFTER = ("ORDER", "FOR", "RETURNING", "LIMIT", "OFFSET", "FETCH")
_MOVING = {"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"}
_MOVING |= {"random", "gen_random_uuid", "nextval", "age", "txid_current", "pg_current_xact_id"}


@dataclass(frozen=True, slots=True)
class Clauses:
    """A statement's text in parts.

    Attributes:
        head: Up to WHERE, without it.
        where: The condition; empty: there is none.
        order: What follows it in the SELECT of an INSERT, such as ORDER BY.
        tail: ON CONFLICT and RETURNING.
    """

    head: str
    where: str
    order: str
    tail: str

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Cut a statement."""
        text = statement.text
        depth, where, order, tail = 0, None, None, None
        tokens = scan(text)
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.kind in _OPENING:
                depth += 1
            elif token.kind in _CLOSING:
                depth -= 1
            if depth or tail is not None:
                continue
            conflict = token.kind == "ON" and following is not None and following.kind == "CONFLICT"
            if token.kind == "RETURNING" or conflict:
                tail = token.start
            elif token.kind == "WHERE" and where is None:
                where = token.start, token.end
            elif token.kind in _AFTER and order is None and statement.kind == "insert_stmt":
                order = token.start
        tail = len(text) if tail is None else tail
        order = tail if order is None else order
        begin, end = where or (order, order)
        return cls(text[:begin], text[end:order], text[order:tail], text[tail:])

    def with_(self, conditions: Sequence[str], lock: str | None) -> str:
        """Return the text with more conditions, and with a locking clause."""
        # A line of its own each, since a comment may end the line before.
        parts = ([f"({self.where}\n)"] if self.where else []) + list(conditions)
        return (
            f"{self.head}\nwhere {' and '.join(parts)}\n{self.order}\n{lock or ''}\n{self.tail}"
        ).rstrip()


def excludes_done(statement: Statement) -> bool:
    """Tell whether no row that a statement has changed matches its WHERE any more."""
    node = statement.root
    if statement.kind == "insert_stmt":
        select = node.select_stmt.select_stmt
        return select.HasField("where_clause") and any(
            _is_missing(part, node.relation) for part in conjuncts(select.where_clause)
        )
    if not node.HasField("where_clause") or _moves(node.where_clause):
        return False
    if statement.kind == "delete_stmt":
        return True
    alias = node.relation.alias.aliasname or node.relation.relname
    assigned = {
        target.res_target.name: target.res_target.val
        for target in node.target_list
        if not target.res_target.indirection
        and not target.res_target.val.HasField("multi_assign_ref")
    }
    return any(_false_after(part, assigned, alias) for part in conjuncts(node.where_clause))


def _moves(where: Any) -> bool:
    """Tell whether a condition may become true by waiting."""
    calls = {strings(call.funcname)[-1] for call in of_type(where, "FuncCall")}
    return not _MOVING.isdisjoint(calls) or any(of_type(where, "SQLValueFunction"))


def _is_missing(part: Any, target: Any) -> bool:
    """Tell whether a condition is that the row is not in the table that is inserted into."""
    if not part.HasField("bool_expr") or enum(part.bool_expr, "boolop") != "NOT_EXPR":
        return False
    inner = part.bool_expr.args[0]
    tables = of_type(inner, "RangeVar") if inner.HasField("sub_link") else ()
    return any(one.relname == target.relname for one in tables)


def _false_after(part: Any, assigned: dict[str, Any], alias: str) -> bool:
    """Tell whether a condition is false, or null, once the assignments are made."""
    if part.HasField("null_test"):
        value = assigned.get(_column(part.null_test.arg, alias) or "")
        if value is None:
            return False
        if enum(part.null_test, "nulltesttype") == "IS_NULL":
            # Where the value comes out null, it does so again, if it stands on nothing written.
            return _constant(value) is not None or not any(
                _reads(one, assigned) for one in assigned.values()
            )
        return _is_null(value)
    if part.HasField("bool_expr"):
        operator, parts = enum(part.bool_expr, "boolop"), part.bool_expr.args
        if operator == "NOT_EXPR":
            return _boolean(parts[0], assigned, alias) is True
        enough = all if operator == "OR_EXPR" else any
        return enough(_false_after(one, assigned, alias) for one in parts)
    if part.HasField("boolean_test"):
        value = _boolean(part.boolean_test.arg, assigned, alias)
        kept = {"IS_TRUE": True, "IS_NOT_FALSE": True, "IS_FALSE": False, "IS_NOT_TRUE": False}
        wanted = kept.get(enum(part.boolean_test, "booltesttype"))
        return value is not None and wanted is not None and value is not wanted
    if part.HasField("column_ref"):
        return _boolean(part, assigned, alias) is False
    return part.HasField("a_expr") and _compared(part.a_expr, assigned, alias)


def _boolean(node: Any, assigned: dict[str, Any], alias: str) -> bool | None:
    """Return what a column of truth values is set to, if that is a constant."""
    value = assigned.get(_column(node, alias) or "")
    constant = _constant(value) if value is not None else None
    return constant if isinstance(constant, bool) else None


_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _compared(node: Any, assigned: dict[str, Any], alias: str) -> bool:
    """Tell whether a comparison of a column is false once the column is set."""
    kind = enum(node, "kind")
    operator = strings(node.name)[-1] if node.name else ""
    column, other = _column(node.lexpr, alias), node.rexpr
    if column not in assigned and kind in ("AEXPR_OP", "AEXPR_DISTINCT"):
        column, other = _column(node.rexpr, alias), node.lexpr
        operator = _MIRRORED.get(operator, operator)
    if column is None or column not in assigned:
        return False
    value = assigned[column]
    new, old = _constant(value), _constant(other)
    if kind == "AEXPR_IN":
        listed = [_constant(one) for one in other.list.items]
        differ = all(_differ(new, one) for one in listed)
        return differ if operator == "=" else any(_are_equal(new, one) for one in listed)
    steady = not _moves(value) and not _reads(value, assigned)
    same = _are_equal(new, old) or (steady and shape(_plain(value)) == shape(_plain(other)))
    if kind == "AEXPR_DISTINCT" or (kind == "AEXPR_OP" and operator in ("<>", "!=")):
        return same
    if kind != "AEXPR_OP":
        return False
    if _is_null(value):
        return operator in ("=", *_MIRRORED)
    if operator in ("<", ">") and same:
        return True
    if operator == "=":
        return _differ(new, old)
    if not isinstance(new, int | float) or not isinstance(old, int | float):
        return False  # what the order of texts is, their collation says
    return {"<": new >= old, ">": new <= old, "<=": new > old, ">=": new < old}.get(operator, False)


def _reads(value: Any, columns: Collection[str]) -> bool:
    """Tell whether an expression may read one of some columns."""
    return any(
        names[-1] in columns or len(names) != len(one.fields)
        for one in of_type(value, "ColumnRef")
        for names in [strings(one.fields)]
    )


def _are_equal(one: object, other: object) -> bool:
    return one is not None and type(one) is type(other) and one == other


_WORD = re.compile(r"[^\W\d_]{3,}(?:[\w -]*\w)?")
_NO_WORDS = {"true", "false", "yes", "off", "nan", "inf", "infinity", "epoch", "now"}


def _differ(one: object, other: object) -> bool:
    """Tell whether two constants differ for certain, whatever type the column has."""
    if isinstance(one, str) and isinstance(other, str):
        both = one.casefold(), other.casefold()
        words = all(_WORD.fullmatch(word) and word not in _NO_WORDS for word in both)
        return words and both[0] != both[1]
    return one is not None and type(one) is type(other) and one != other


def _plain(node: Any) -> Any:
    return node.type_cast.arg if node.HasField("type_cast") else node


def _constant(node: Any) -> bool | int | float | str | None:
    """Return the value of a constant."""
    found = _plain(node)
    if not found.HasField("a_const"):
        return None
    kind = found.a_const.WhichOneof("val")
    read = {"ival": int, "fval": float, "boolval": bool, "sval": str}.get(kind)
    return read(getattr(getattr(found.a_const, kind), kind)) if read else None


def _is_null(node: Any) -> bool:
    found = _plain(node)
    return bool(found.HasField("a_const") and found.a_const.isnull)


def _column(node: Any, alias: str) -> str | None:
    """Return the column of the table that an expression is."""
    if not node.HasField("column_ref"):
        return None
    names = strings(node.column_ref.fields)
    of_other = len(names) > 1 and names[-2] != alias
    return None if of_other or len(names) != len(node.column_ref.fields) else names[-1]
