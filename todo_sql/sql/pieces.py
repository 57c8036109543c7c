r"""What a file of SQL holds for psql: data behind COPY, and lines that name another file. Pure.

    copy authors (id, name) from stdin;
    1	Ursula
    \.
    \ir functions/greet.sql

The text that comes of it is SQL as PostgreSQL reads it: without the data, which may be larger
than memory, and with the other file in place of its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from mmap import MADV_DONTNEED, PAGESIZE, mmap
from typing import NamedTuple

from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, scan

Data = bytes | mmap

# An include may name its file in quotes; what psql would put in for :name or `command` is not.
_EVENT = re.compile(
    rb"\bfrom\s+stdin\b[^;]*;(?P<data>[ \t]*(?:--[^\r\n]*)?(?:\r?\n|\Z))"
    rb"|^\\ir?[ \t]+(?P<file>'[^'\r\n]+'|[^\s'\"`:]+)[ \t]*;?[ \t]*(?:\r?\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(rb"\n|\r\n|\r?\Z")
_BLOCK = 1 << 18
_WINDOW = 1 << 22

# What pg_dump writes for psql around its statements.
RESTRICTION = re.compile(r"\\(?:un)?restrict[ \t]+[A-Za-z0-9]+[ \t]*(?=[\r\n]|\Z)")


def without_restrictions(text: str) -> str:
    """Return a text with blanks in place of what pg_dump writes for psql."""
    return re.sub(rf"(?m)^{RESTRICTION.pattern}", lambda found: " " * len(found[0]), text)


class SqlPiece(NamedTuple):
    """A piece of SQL: from where to where in the bytes of the file."""

    start: int
    end: int


class Rows(NamedTuple):
    r"""The data of the COPY before it: from where to where, and the end of its line ``\.``.

    Attributes:
        closed: Whether there is such a line.
    """

    start: int
    end: int
    after: int
    closed: bool


class Include(NamedTuple):
    """A line that names another file, as written."""

    start: int
    end: int
    name: str


def pieces(data: Data) -> Iterator[SqlPiece | Rows | Include]:
    """Yield what a file consists of, in order.

    What stands in strings, comments and bodies of functions is text.
    """
    begin, at = 0, 0
    while event := _EVENT.search(data, at):
        copies = event["file"] is None
        before = event.end() if copies else event.start()
        if not _is_meant(data[begin:before], copies=copies):
            at = event.start() + 1
            continue
        if begin < before:
            yield SqlPiece(begin, before)
        if copies:
            rows = _rows(data, before)
            yield rows
            begin = at = rows.after
        else:
            name = event["file"].decode(errors="replace").strip("'")
            yield Include(event.start(), event.end(), name)
            begin = at = event.end()
    if begin < len(data):
        yield SqlPiece(begin, len(data))


def _is_meant(before: bytes, *, copies: bool) -> bool:
    """Tell whether a text ends with a statement, and for `copies` with a COPY that reads stdin."""
    text = without_restrictions(before.decode(errors="replace").removeprefix("\ufeff"))
    tokens = _words(text)
    if tokens is None:
        return False
    words = [text[token.start : token.end].lower() for token in tokens]
    if not copies or words[-1:] != [";"]:
        return not copies and words[-1:] in ([], [";"])
    last = max((i for i, word in enumerate(words[:-1]) if word == ";"), default=-1) + 1
    depth, outer = 0, []
    for word, token in zip(words[last:], tokens[last:], strict=True):
        depth += (word == "(") - (word == ")")
        if depth == 0 and token.kind is Kind.WORD:
            outer.append(word)
    return "copy" in outer[:1] and ("from", "stdin") in pairwise(outer)


def is_open(text: str) -> bool:
    """Tell whether the last statement of a text lacks its semicolon."""
    tokens = _words(text)
    return bool(tokens and text[tokens[-1].start] != ";")


def _words(text: str) -> list[Token] | None:
    """Return the tokens of a text without comments; None: the grammar says what is wrong."""
    try:
        return [token for token in scan(text) if token.kind not in COMMENTS]
    except ScanError:
        return None


def _rows(data: Data, start: int) -> Rows:
    at = start - 1  # the line break before the first row may be that before the end
    while at < len(data):
        found = data.find(b"\n\\.", at, at + _WINDOW)
        if found < 0:
            forget(data, at, at + _WINDOW)
            at += _WINDOW - 2
            continue
        after = found + 3
        if ending := _LINE_END.match(data, after):
            return Rows(start, found + 1, ending.end(), True)
        at = after
    return Rows(start, len(data), len(data), False)


def lines_in(data: Data, start: int, end: int) -> int:
    """Return how many line breaks stand between two places."""
    count = 0
    for at in range(start, end, _BLOCK):
        count += data[at : min(at + _BLOCK, end)].count(b"\n")
        forget(data, at, min(at + _BLOCK, end))
    return count


def forget(data: Data, start: int, end: int) -> None:
    """Give back the memory of a part of a mapped file that was looked through."""
    if isinstance(data, mmap) and hasattr(data, "madvise"):
        begin = start // PAGESIZE * PAGESIZE
        data.madvise(MADV_DONTNEED, begin, min(end, len(data)) - begin)


def is_plain(data: Data) -> bool:
    """Tell whether a file holds nothing that may be data or the name of another file."""
    return _EVENT.search(data) is None
