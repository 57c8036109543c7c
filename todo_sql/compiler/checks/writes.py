"""C113, C114, C109: writes without a condition, without an answer, or with the wrong one."""

from __future__ import annotations

from todo_sql.compiler.checks.equalities import Equalities
from todo_sql.compiler.prepare import PreparedQuery
from todo_sql.compiler.proof.levels import DELETE, SELECT, UPDATE
from todo_sql.compiler.proof.nodes import Node, returned
from todo_sql.compiler.schema import Schema
from todo_sql.errors import Finding
from todo_sql.queries.named import Cardinality, NamedQuery

_VOID = 2278  # such as of pg_notify: nothing to discard
_VERBS = {UPDATE: "update", DELETE: "delete"}
_SILENT = (Cardinality.EXEC, Cardinality.EXECROWS, Cardinality.COPYFROM)


def find(
    query: NamedQuery, answer: PreparedQuery, equalities: Equalities, schema: Schema
) -> list[Finding]:
    """Return the findings of one variant."""
    found, main, place = [], equalities.tree.main, query.place()
    for node in equalities.tree.of("QUERY"):
        verb = _VERBS.get(int(node["commandType"]))
        if verb and not node["jointree"]["quals"]:
            message = f"`{query.name}` can {verb} every row"
            cause = "there is a variant without `where`"
            fix = "add a condition that is always there"
            found.append(Finding("C113", "error", message, place, cause, fix))
    if query.cardinality is Cardinality.EXEC and not answer.columns and _is_one(equalities):
        message = f"`{query.name}` doesn't tell whether there was a row"
        cause = ":exec returns nothing"
        fix = "use :execrows, or :optional with `returning`"
        found.append(Finding("C114", "info", message, place, cause, fix))
    shown = [column for column in answer.columns if column.type != _VOID]
    if query.cardinality in _SILENT and shown and not _for_effect(main, schema):
        message = f"`{query.name}` returns columns that :{query.cardinality.value} discards"
        fix = "use :one, :optional or :many"
        found.append(Finding("C109", "warning", message, place, fix=fix))
    rows = query.cardinality.returns_rows and query.cardinality is not Cardinality.BATCH
    if rows and not answer.columns:
        message = f"`{query.name}` is :{query.cardinality.value}, but returns no columns"
        fix = "add `returning`, or use :exec or :execrows"
        found.append(Finding("C109", "error", message, place, fix=fix))
    return found


def _is_one(equalities: Equalities) -> bool:
    """Whether the statement changes one row, by its key; a sweep may well find none."""
    main = equalities.tree.main
    if main is None or int(main["commandType"]) not in _VERBS:
        return False
    return any(
        all(equalities.find((id(level), index, one)) in equalities.given for one in key)
        for level, index, relation in equalities.tables()
        if level.query is main and index == int(main["resultRelation"])
        for key in relation.unique
    )


def _for_effect(main: Node | None, schema: Schema) -> bool:
    """Whether a SELECT is made for what it does: it locks rows, or calls volatile functions only.

    What those return is nobody's concern then, as with plpgsql's `perform`.
    """
    if main is None or int(main["commandType"]) != SELECT:
        return False
    made = [one["expr"] for one in returned(main["targetList"])]
    called = [schema.functions.get(int(one.get("funcid") or 0)) for one in made]
    return bool(main["rowMarks"]) or all(one and one.volatility == "v" for one in called)
