"""C111: `in (:list)`, seen in the tokens of a query."""

from __future__ import annotations

import re

from todo_sql.errors import Finding
from todo_sql.queries.clauses import Words
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind

_LIST = re.compile(r"\bin\s*\(\s*\(?\$", re.IGNORECASE)


def find(query: NamedQuery, variant: Variant) -> list[Finding]:
    """Return the findings of one variant."""
    if not _LIST.search(variant.sql):
        return []
    words = Words.of(variant.sql)
    texts, tokens = words.texts, words.tokens
    found = []
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
            found.append(Finding("C111", "warning", message, place, cause, fix))
    return found
