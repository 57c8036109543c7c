"""aiosql: its operators become cardinalities; parameters are ours already, but for dots."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.query_edits import EditedQuery, QueryHead
from todo_sql.adoption.query_readers.sqlc import Columns, positional
from todo_sql.adoption.revisions import Asked
from todo_sql.sql.scanner import Kind
from todo_sql.sql.source import Source

HEADERS = re.compile(
    r"^[ \t]*--[ \t]*name[ \t]*:[ \t]*(?P<name>\w[\w-]*)[ \t]*(?:\((?P<parameters>[^)\n]*)\))?"
    r"[ \t]*(?P<kind>\^|\$|<!|\*!|!|\#)?[ \t]*(?P<rest>[^\n]*)$(?P<class>\n[ \t]*--[ \t]*"
    r"record_class[ \t]*:[ \t]*(?P<record>\w+)[ \t]*$)?",
    re.MULTILINE,
)
_KINDS = {
    None: "many",
    "^": "optional",
    "$": "optional",
    "<!": "one",
    "!": "execrows",
    "*!": "batch",
    "#": None,
}


def files(folder: Path, asked: Asked) -> list[Path]:
    """Return the query files of a folder, or the one named."""
    del asked
    return [folder] if folder.is_file() else sorted(folder.rglob("*.sql"))


def heads(source: Source) -> list[QueryHead]:
    """Return the headers of a file; their parameter lists go, since the SQL names them."""
    return [
        QueryHead(
            one["name"],
            one.start(),
            one.end(),
            _KINDS[one["kind"]],
            model=one["record"],
            reason="a script (#) is no query",
            fix="write it as a migration, or as one query for each statement",
        )
        for one in HEADERS.finditer(source.text)
    ]


def edit(query: EditedQuery, columns: Columns) -> None:
    """Join ``:obj.attr`` to one name, and tell a parameter from a slice."""
    del columns
    found = HEADERS.match(query.source.text, query.head.start)
    declared = {
        word.strip().removeprefix("*").partition("=")[0].strip()
        for word in ((found["parameters"] if found else None) or "").split(",")
    } - {""}
    code = query.code
    seen = set()
    for at, token in enumerate(code):
        word = query.word(token)
        if token.kind is Kind.PARAMETER:
            seen.add(word[1:])
            after = [query.word(one) for one in code[at + 1 : at + 3]]
            if after[:1] == ["."] and len(after) == 2:
                name = query.parameter(f"{word[1:]}.{after[1]}", f"{word[1:]}_{after[1]}")
                query.replace(token.start, code[at + 2].end, f":{name}")
                query.notes.append(f":{word[1:]}.{after[1]} is :{name} here")
            else:
                query.renamed(token)
        elif token.kind is Kind.POSITIONAL:  # as asyncpg, and Go's descendants, have them
            positional(query, code, at)
        elif word == ":" and at + 1 < len(code) and query.word(code[at + 1]) in declared:
            name = query.word(code[at + 1])
            seen.add(name)
            colon = "" if query.word(code[at - 1]) == "[" else ":"
            text = f"{colon}(:{query.parameter(name, name)})"
            query.replace(token.start, code[at + 1].end, text)
    for name in sorted(declared - seen):
        query.left(
            "A151",
            f"{query.head.name} names a parameter {name} that its SQL does not use",
            query.head.start,
            "leave it out of the calls",
        )
