"""What stands between a text and libpg_query's tree of it. Pure.

libpg_query is given a text without what it does not know; it counts in bytes; and protobuf reads
no message that is nested too deeply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from todo_sql.sql.scanner import Kind, ScanError, Token, scan

_CONTINUED = re.compile(r"'\s*--[^\n\r]*[\n\r]\s*(?:--[^\n\r]*[\n\r]\s*)*'")
_COMMENT_BETWEEN = re.compile(r"'(?:''|[^'])*'|--[^\n\r]*")
_COMMENT_BETWEEN_ESCAPED = re.compile(r"'(?:''|\\[\s\S]|[^'\\])*'|--[^\n\r]*")
_LEVELS = 90  # protobuf reads 100
_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_FIXED = {_LONG: 8, _SHORT: 4}


def in_characters(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turn places in the UTF-8 form of a text, in order, into places in the text."""
    if data.isascii():
        return spans
    found, at, characters = [], 0, 0
    for begin, end in spans:
        first = characters + len(data[at:begin].decode())
        characters = first + len(data[begin:end].decode())
        at = end
        found.append((first, characters))
    return found


def uncommented(text: str) -> str:
    """Return a text with blanks in the place of its block comments.

    Raises:
        ScanError: A quote or comment is left open.
    """
    comments = (token for token in scan(text) if token.kind is Kind.BLOCK_COMMENT)
    return _replaced(text, comments, lambda body: " " * len(body))


def joined(text: str) -> str:
    """Return a text in which no comment stands between the parts of one string.

    libpg_query does not know that a comment may stand there; blanks as long take its place.
    """
    if not _CONTINUED.search(text):
        return text
    try:
        tokens = scan(text)
    except ScanError:
        return text
    return _replaced(text, (token for token in tokens if token.kind is Kind.STRING), _joined)


def _replaced(text: str, tokens: Iterable[Token], write: Callable[[str], str]) -> str:
    parts, at = [], 0
    for token in tokens:
        parts += [text[at : token.start], write(text[token.start : token.end])]
        at = token.end
    return "".join((*parts, text[at:]))


def _joined(string: str) -> str:
    if "--" not in string:
        return string
    between = _COMMENT_BETWEEN_ESCAPED if string[0] in "eE" else _COMMENT_BETWEEN
    return between.sub(lambda f: f[0] if f[0][0] == "'" else " " * len(f[0]), string)


def shallow(data: bytes, descriptor: Any, levels: int = _LEVELS) -> bytes:
    """Return a message without what lies deeper than a number of levels.

    A part that would be left without its content is left out as a whole, so that what
    remains is a message as any other.
    """
    fields = descriptor.fields_by_number
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire != _BYTES:
            at = _varint(data, at)[1] if wire == _VARINT else at + _FIXED[wire]
            parts.append(data[begin:at])
            continue
        head = data[begin:at]
        length, at = _varint(data, at)
        inner = data[at : at + length]
        at += length
        below = fields[tag >> 3].message_type
        if below is not None:
            if levels < 2 and inner:
                continue
            inner = shallow(inner, below, levels - 1)
            if length and not inner:
                continue
        parts += (head, _encoded(len(inner)), inner)
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
