"""C111: `in (:list)`, seen in the tokens of a query."""

from __future__ import annotations

import re

from todo_sql.errors import Finding
from todo_sql.queries.clauses import Words
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind

_LIST = re.compile(r"\bin\s*\(\s*\$", re.IGNORECASE)


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
        if (
            text == "in"
            and texts[index + 1 : index + 2] == ("(",)
            and index + 3 < len(texts)
            and tokens[index + 2].kind is Kind.POSITIONAL
            and texts[index + 3] == ")"
        ):
            name = variant.parameters[int(texts[index + 2][1:]) - 1]
            report(
                "C111",
                index,
                index + 3,
                f"`in (:{name})` compares with one value, not with a list",
                "each parameter is one value, and a list is one value: an array",
                f"write `= any(:{name})`",
            )
    return found
