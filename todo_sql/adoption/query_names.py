"""What a parameter that has only a number is named after: the column that it meets. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from todo_sql.adoption.query_edits import EditedQuery
from todo_sql.sql.scanner import Kind, Token

_COMPARES = re.compile(r"[<>=!~]+\Z")
_LIKE = ("like", "ilike", "in", "any", "all", "similar")


def named_after(query: EditedQuery, code: Sequence[Token], at: int) -> str | None:
    """Return the column that a parameter is compared with or stored in, or None."""
    words = [query.word(one) for one in code]
    before = at - 1
    while before > 0 and words[before].lower() in ("(", "any", "all", "not", "lower", "upper"):
        before -= 1
    if before <= 0:
        return _stored(code, words, at)
    if words[before].lower() in ("limit", "offset"):
        return words[before].lower()
    if _COMPARES.match(words[before]) or words[before].lower() in _LIKE:
        if words[before - 1].lower() == "not":
            before -= 1
        return _column(code, words, before - 1)
    if words[before].lower() == "between":
        found = _column(code, words, before - 1)
        return f"{found}_from" if found else None
    after = at + 1
    while after + 1 < len(words) and words[after] == "::":
        after += 2
    if after + 1 < len(words) and _COMPARES.match(words[after]):
        return _column(code, words, after + 1, forward=True)
    return _stored(code, words, at)


def _column(
    code: Sequence[Token], words: Sequence[str], at: int, *, forward: bool = False
) -> str | None:
    """Return the last part of the name that ends, or begins, at a token."""
    if forward:
        while at + 2 < len(words) and words[at + 1] == ".":
            at += 2
    elif words[at] == ")" and at >= 2:  # lower(name)
        at -= 1
    if not 0 <= at < len(words) or code[at].kind not in (Kind.WORD, Kind.QUOTED):
        return None
    return words[at].strip('"')


def _stored(code: Sequence[Token], words: Sequence[str], at: int) -> str | None:
    """Return the column of an INSERT whose value a parameter is part of."""
    lower = [word.lower() for word in words]
    if "into" not in lower or "values" not in lower:
        return None
    values = lower.index("values")
    opening = next((n for n in range(lower.index("into"), values) if words[n] == "("), None)
    if opening is None or at < values:
        return None
    columns = [
        words[n].strip('"')
        for n in range(opening + 1, values)
        if code[n].kind in (Kind.WORD, Kind.QUOTED) and words[n - 1] in ("(", ",")
    ]
    depth, place = 0, 0
    for n in range(values + 1, at):
        depth += (words[n] in "([") - (words[n] in ")]")
        if depth == 0 and words[n] == ",":
            place = 0
        elif depth == 1 and words[n] == ",":
            place += 1
    return columns[place] if depth and place < len(columns) else None
