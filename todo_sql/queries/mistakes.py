"""Collects the mistakes of one query file, so that one run shows them all. Pure."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from todo_sql.errors import Finding, Place
from todo_sql.sql.scanner import Token
from todo_sql.sql.source import Source

Where = Place | Token | tuple[int, int]
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Report:
    """The findings of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._found: list[Finding] = []

    def add(
        self, code: str, message: str, where: Where, fix: str, cause: str | None = None
    ) -> None:
        """Note a mistake at a place, a token or a span of the source."""
        place = where if isinstance(where, Place) else self.source.place(*where[-2:])
        self.add_finding(Finding(code, "error", message, place, cause, fix))

    def add_finding(self, finding: Finding) -> None:
        """Note a mistake of the source."""
        self._found.append(finding)

    @property
    def findings(self) -> list[Finding]:
        """Every mistake noted, in order of the text."""
        return sorted(self._found, key=position)

    def __len__(self) -> int:
        return len(self._found)


def position(finding: Finding) -> tuple[int, int]:
    """Return where in its file a finding stands, to sort by."""
    assert finding.place is not None
    return finding.place.line, finding.place.column


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a fix that names the closest known word, or `otherwise`."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else otherwise


def not_a_name(word: str) -> str | None:
    """Return why a word cannot name something in Python, or None if it can."""
    if not _IDENTIFIER.match(word):
        beyond = word.isidentifier()
        return "has letters beyond those of ASCII" if beyond else "is not a Python identifier"
    if keyword.iskeyword(word) or word == "__debug__":  # which no one may assign, either
        return "is a keyword of Python"
    return None
