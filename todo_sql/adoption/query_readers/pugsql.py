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
        following = HEADERS.search(source.text, end)
        body = source.text[end : following.start() if following else None]
        cardinality = _KINDS.get(kind)
        if kind == "insert":
            cardinality = "one" if re.search(r"\breturning\b", body, re.IGNORECASE) else "exec"
        elif kind in (None, "raw"):
            reads = re.match(r"\s*(?:--[^\n]*\n\s*)*(select|with|values)\b", body, re.IGNORECASE)
            cardinality = "many" if reads else "execrows"
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
        if token.kind is Kind.PARAMETER:
            word = query.word(token)[1:]
            if at and query.word(code[at - 1]).lower() == "in":
                query.in_array(code, at - 1, token.end, query.parameter(word, word))
            else:
                query.renamed(token)
