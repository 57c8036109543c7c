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

    def report(code: str, index: int, last: int, message: str, cause: str, fix: str) -> None:
        start = variant.source_offset(tokens[index].start)
        end = max(start + 1, variant.source_offset(tokens[last].start) + 1)
        place = query.source.place(start, end)
        found.append(Finding(code, "warning", message, place, cause, fix))

    for index, text in enumerate(texts):
        if text != "in" or texts[index + 1 : index + 2] != ("(",):
            continue
        at = index + 3 if texts[index + 2 : index + 3] == ("(",) else index + 2
        last = at + 1
        if at > index + 2 and texts[last : last + 1] == ("::",):  # as a header's type is sent
            last = next((end for end in range(at, len(texts)) if texts[end] == ")"), at) + 1
        if last < len(texts) and tokens[at].kind is Kind.POSITIONAL and texts[last] == ")":
            name = variant.parameters[int(texts[at][1:]) - 1]
            report(
                "C111",
                index,
                last,
                f"`in (:{name})` compares with one value, not with a list",
                "each parameter is one value, and a list is one value: an array",
                f"write `= any(:{name})`",
            )
    return found
