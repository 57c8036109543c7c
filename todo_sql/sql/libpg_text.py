"""A text as libpg_query reads it: without what it does not know, and in bytes. Pure."""

from __future__ import annotations

import re

from todo_sql.sql.comments import ScanError

_CONTINUED = re.compile(r"'\s*--[^\n\r]*[\n\r]\s*(?:--[^\n\r]*[\n\r]\s*)*'")
_COMMENT_BETWEEN = re.compile(r"'(?:''|[^'])*'|--[^\n\r]*")
_COMMENT_BETWEEN_ESCAPED = re.compile(r"'(?:''|\\[\s\S]|[^'\\])*'|--[^\n\r]*")


def in_characters(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turn places in the UTF-8 form of a text, in order, into places in the text."""
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
    from todo_sql.sql.scanner import Kind, scan

    parts, at = [], 0
    for token in scan(text):
        if token.kind is Kind.BLOCK_COMMENT:
            parts += [text[at : token.start], " " * (token.end - token.start)]
            at = token.end
    return "".join((*parts, text[at:]))


def joined(text: str) -> str:
    """Return a text in which no comment stands between the parts of one string.

    libpg_query does not know that a comment may stand there; blanks as long take its place.
    """
    from todo_sql.sql.scanner import Kind, scan

    if not _CONTINUED.search(text):
        return text
    try:
        tokens = scan(text)
    except ScanError:
        return text
    parts, at = [], 0
    for token in tokens:
        if token.kind is Kind.STRING and "--" in (body := text[token.start : token.end]):
            between = _COMMENT_BETWEEN_ESCAPED if body[0] in "eE" else _COMMENT_BETWEEN
            parts += [text[at : token.start], between.sub(_blank, body)]
            at = token.end
    return "".join((*parts, text[at:]))


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == "'" else " " * len(found[0])


class Characters:
    """Turns byte offsets of the UTF-8 form of a text into character offsets."""

    def __init__(self, text: str) -> None:
        self._at: list[int] | None = None
        if not text.isascii():
            self._at = []
            for index, character in enumerate(text):
                self._at.extend([index] * len(character.encode()))
            self._at.append(len(text))

    def at(self, byte: int) -> int:
        """Return the character that begins at a byte."""
        return byte if self._at is None else self._at[min(byte, len(self._at) - 1)]
