"""PugSQL: its results become cardinalities; a list after `in` becomes an array."""

from __future__ import annotations

import re

from todo_sql.adoption.query_edits import EditedQuery, QueryHead
from todo_sql.adoption.query_readers import aiosql
from todo_sql.adoption.query_readers.sqlc import Columns
from todo_sql.sql.scanner import Kind
from todo_sql.sql.source import Source

files = aiosql.files


def prepared(text: str) -> str:
    """Return a text without the backslashes that keep a colon from being a parameter."""
    return text.replace("\\:", ":")


HEADERS = re.compile(
    r"^[ \t]*---?[ \t]*:name[ \t]+(?P<name>[\w-]+)(?:[ \t]+:(?P<kind>[\w*]+))?[ \t]*$",
    re.MULTILINE,
)
_MORE = re.compile(r"\n[ \t]*---?[ \t]*:(?P<key>result|doc)\b[ \t]*(?P<value>[^\n]*)")
_KINDS = {
    "one": "optional",
    "1": "optional",
    "many": "many",
    "*": "many",
    "affected": "execrows",
    "n": "execrows",
    "scalar": "optional",
}


def heads(source: Source) -> list[QueryHead]:
    """Return the headers of a file, with the lines of `:result` and `:doc` below each."""
    found = []
    for one in HEADERS.finditer(source.text):
        kind, end, lines = one["kind"], one.end(), []
        while more := _MORE.match(source.text, end):
            if more["key"] == "result":
                kind = more["value"].strip().removeprefix(":")
            else:
                lines.append(f"-- {more['value'].strip()}")
            end = more.end()
        body = source.text[end : _next(source.text, end)]
        if kind in _KINDS:
            cardinality: str | None = _KINDS[kind]
        elif kind == "insert":
            cardinality = "one" if re.search(r"\breturning\b", body, re.IGNORECASE) else "exec"
        elif kind in (None, "raw"):
            reads = re.match(r"\s*(?:--[^\n]*\n\s*)*(select|with|values)\b", body, re.IGNORECASE)
            cardinality = "many" if reads else "execrows"
        else:
            cardinality = None
        found.append(
            QueryHead(
                one["name"],
                one.start(),
                end,
                cardinality,
                lines=tuple(lines),
                reason=f"the result :{kind} is not known",
                fix="give it one that PugSQL has, or write the header by hand",
            )
        )
    return found


def _next(text: str, at: int) -> int:
    found = HEADERS.search(text, at)
    return found.start() if found else len(text)


def edit(query: EditedQuery, columns: Columns) -> None:
    """Write lists as arrays, and say where a result is not what it was."""
    del columns
    text, code = query.source.text, query.code
    said = text[query.head.start : query.head.end]
    if re.search(r":raw\b", said) or not re.search(
        r":(?:name[ \t]+[\w-]+[ \t]+|result[ \t]+):?\w", said
    ):
        query.left(
            "A151",
            f"{query.head.name} has a raw result there; it is :{query.head.cardinality} here",
            query.head.start,
            "see that the callers want that",
        )
    if re.search(r":insert\b", said) and query.head.cardinality == "exec":
        query.left(
            "A151",
            f"{query.head.name} returned the last id there",
            query.head.start,
            "add `returning id` and make it :one, where the id is wanted",
        )
    for at, token in enumerate(code):
        word = query.word(token)
        if token.kind is Kind.PARAMETER:
            name = query.parameter(word[1:], word[1:])
            before = query.word(code[at - 1]).lower() if at else ""
            if before == "in":
                negated = at > 1 and query.word(code[at - 2]).lower() == "not"
                first = code[at - 2] if negated else code[at - 1]
                query.replace(
                    first.start, token.end, f"{'<> all' if negated else '= any'}(:{name})"
                )
            elif name != word[1:]:
                query.replace(token.start, token.end, f":{name}")
                query.notes.append(f"{word} is :{name} here")
    if query.head.cardinality == "optional":
        query.notes.append("more than one row is an error here; there the first one came")
