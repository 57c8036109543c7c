"""C112: a star over a table or view whose columns reach the result.

What a migration cannot widen is left alone: the columns of a function, of VALUES, of a WITH
query or sub-select that names its own.
"""

from __future__ import annotations

from typing import Any

from todo_sql.errors import Finding
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.sql.grammar import GrammarError, parse

Known = dict[str, int | None]


def find(query: NamedQuery, variant: Variant) -> list[Finding]:
    """Return the finding of one variant, if there is one: the first star."""
    if "*" not in variant.sql:
        return []
    try:
        (statement,) = parse(variant.sql)
    except (GrammarError, ValueError):
        return []
    byte = _star(_inner(statement.node), {})
    if byte is None:
        return []
    start = variant.source_offset(variant.sql.index("*", statement.offset(byte)))
    message, place = f"`{query.name}` selects `*`", query.source.place(start, start + 1)
    cause = "a migration that adds a column changes what the query returns"
    return [Finding("C112", "warning", message, place, cause, "name the columns")]


def _inner(node: Any) -> Any:
    """Return the message inside a node."""
    kind = node.WhichOneof("node")
    return getattr(node, kind) if kind else None


def _star(statement: Any, known: Known) -> int | None:
    """Return where the star stands that a statement's columns come from, if one does.

    Args:
        known: The WITH queries in sight, each with its star.
    """
    if statement is None or "with_clause" not in statement.DESCRIPTOR.fields_by_name:
        return None  # such as COPY or SET, which return nothing that a star could stand for
    if statement.HasField("with_clause"):
        known = dict(known)
        for one in statement.with_clause.ctes:
            cte = one.common_table_expr
            known[cte.ctename] = None  # a recursive one has the columns of its first arm
            known[cte.ctename] = _star(_inner(cte.ctequery), known)
    if hasattr(statement, "larg"):
        for arm in (statement.larg, statement.rarg) if statement.op > 1 else ():
            if (found := _star(arm, known)) is not None:
                return found
        return _in_targets(statement.target_list, statement.from_clause, known)
    targets = getattr(statement, "returning_list", ())
    if hasattr(statement, "returning_clause"):
        targets = statement.returning_clause.exprs
    return next((at for at in map(_star_at, targets) if at is not None), None)


def _star_at(target: Any) -> int | None:
    """Return where a target is a star, as a byte of the text; None if it is none."""
    value = target.res_target.val
    if value.WhichOneof("node") != "column_ref":
        return None
    reference = value.column_ref
    is_star = reference.fields[-1].WhichOneof("node") == "a_star"
    return int(reference.location) if is_star else None


def _in_targets(targets: Any, sources: Any, known: Known) -> int | None:
    for target in targets:
        if (at := _star_at(target)) is not None:
            fields = target.res_target.val.column_ref.fields
            owner = fields[-2].string.sval if len(fields) > 1 else None
            if any(_is_open(source, owner, known) for source in sources):
                return at
    return None


def _is_open(source: Any, owner: str | None, known: Known) -> bool:
    """Whether the columns of something in FROM are those of a table or view."""
    kind, item = source.WhichOneof("node"), _inner(source)
    alias = item.alias.aliasname if item.HasField("alias") else None
    if kind == "join_expr":
        owner = None if alias is not None and alias == owner else owner
        return _is_open(item.larg, owner, known) or _is_open(item.rarg, owner, known)
    if kind == "range_var":
        if owner is not None and owner != (alias or item.relname):
            return False
        if not item.schemaname and item.relname in known:
            return known[item.relname] is not None
        return True
    of_it = owner in (None, alias) and kind == "range_subselect"
    return of_it and _star(_inner(item.subquery), known) is not None
