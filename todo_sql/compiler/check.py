"""Check named queries: what PostgreSQL refuses, and what it accepts but people regret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from todo_sql.compiler.checked import Checked
from todo_sql.compiler.checks import session_state, stars, tenancy, unstable_order, writes
from todo_sql.compiler.checks.equalities import Equalities
from todo_sql.compiler.describe import Compiler
from todo_sql.errors import Finding
from todo_sql.queries.clauses import Words
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind

_LIST = re.compile(r"\bin\s*\(\s*\(?\$", re.IGNORECASE)


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
            yield from _lists(query, variant)
            yield from stars.find(query, variant)
        yield from unstable_order.find(query, answer, equalities, compiler.schema)
        key = (id(tree), variant.parameters)
        if key not in seen:
            seen.add(key)
            yield from tenancy.find(query, variant, equalities, compiler.schema, compiler.config)
            yield from writes.find(query, answer, equalities, compiler.schema)
            yield from session_state.find(query, variant, tree, compiler.schema)


def _lists(query: NamedQuery, variant: Variant) -> Iterator[Finding]:
    """Yield C111 for each `in (:list)`, seen in the tokens of a variant."""
    if not _LIST.search(variant.sql):
        return
    words = Words.of(variant.sql)
    texts, tokens = words.texts, words.tokens
    for index, text in enumerate(texts):
        if text != "in" or texts[index + 1 : index + 2] != ("(",):
            continue
        at = index + 3 if texts[index + 2 : index + 3] == ("(",) else index + 2
        last = at + 1
        if at > index + 2 and texts[last : last + 1] == ("::",):  # as a header's type is sent
            last = next((end for end in range(at, len(texts)) if texts[end] == ")"), at) + 1
        if last < len(texts) and tokens[at].kind is Kind.POSITIONAL and texts[last] == ")":
            name = variant.parameters[int(texts[at][1:]) - 1]
            start, end = (variant.source_offset(tokens[one].start) for one in (index, last))
            place = query.source.place(start, max(start, end) + 1)
            message = f"`in (:{name})` compares with one value, not with a list"
            cause = "each parameter is one value, and a list is one value: an array"
            fix = f"write `= any(:{name})`"
            yield Finding("C111", "warning", message, place, cause, fix)
