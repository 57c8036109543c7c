"""Where comments end, by PostgreSQL's rules. Pure, and quick to import."""

from __future__ import annotations

import re
from typing import Final


class ScanError(ValueError):
    """The text is not lexical: a quote or comment is left open, a number runs into a name.

    Attributes:
        message: In PostgreSQL's words.
        offset: Where the offending token begins.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


LINE_COMMENT: Final = r"--[^\n\r]*"
_BLANKS = re.compile(rf"(?:[ \t\n\r\f\v]+|{LINE_COMMENT})*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def after_blanks(text: str, start: int = 0) -> int:
    """Return where the white space and the comments from `start` on end.

    Raises:
        ScanError: A comment is left open.
    """
    while True:
        found = _BLANKS.match(text, start)
        assert found is not None
        if not text.startswith("/*", found.end()):
            return found.end()
        start = comment_end(text, found.end(), len(text))


def comment_end(text: str, start: int, end: int) -> int:
    """Return where the block comment that begins at `start` ends; comments nest.

    Raises:
        ScanError: It is left open.
    """
    depth = 1
    position = start + 2
    while depth:
        edge = _COMMENT_EDGE.search(text, position, end)
        if edge is None:
            raise ScanError("unterminated /* comment", start)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position
