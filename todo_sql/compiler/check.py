"""Check named queries: what PostgreSQL refuses, and what it accepts but people regret."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.compiler.checked import Checked
from todo_sql.compiler.checks import session_state, stars, tenancy, unstable_order, wording, writes
from todo_sql.compiler.checks.equalities import Equalities
from todo_sql.compiler.describe import Compiler
from todo_sql.errors import Finding


def examine(checked: Checked, compiler: Compiler) -> Iterator[Finding]:
    """Yield what is wrong with a query that PostgreSQL accepts.

    Every variant that tells something is looked at: an optional line may be a condition, but
    also a join that makes more rows, a LIMIT, or one side of an OR.
    """
    query = checked.query
    seen: set[tuple[int, tuple[str, ...]]] = set()
    known: dict[int, Equalities] = {}
    for variant, answer, tree in checked.known:
        if id(tree) not in known:
            known[id(tree)] = Equalities(tree, compiler.schema)
        equalities = known[id(tree)]
        if query.is_whole(variant.given):
            yield from wording.find(query, variant)
            yield from stars.find(query, variant)
        yield from unstable_order.find(query, answer, equalities, compiler.schema)
        key = (id(tree), variant.parameters)
        if key not in seen:
            seen.add(key)
            yield from tenancy.find(query, variant, equalities, compiler.schema, compiler.config)
            yield from writes.find(query, answer, equalities, compiler.schema)
            yield from session_state.find(query, variant, tree, compiler.schema)
