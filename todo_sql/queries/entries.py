"""The optional lines of a text that are entries of a list, each for itself. Pure.

A line of the SET list of an UPDATE, and of the columns and the values of an INSERT, may be left
out without touching what the others mean. So a text with ten of them need not be checked in
1,024 forms: see `todo_sql.queries.variants.kept_entries`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count

from todo_sql.queries.lines import Line
from todo_sql.sql.scanner import COMMENTS, Kind

_ENDS = frozenset(("where", "from", "returning", "when", "on"))
# What may begin a list behind a word, by what was expected before it.
_NEXT = {
    ("insert", "into"): "columns",
    **dict.fromkeys([("columns", "values"), ("into", "values")], "values"),
    **dict.fromkeys([("columns", "select"), ("into", "select")], ""),
}


def entries(
    text: str, lines: Sequence[Line], groups: Collection[frozenset[str]]
) -> frozenset[frozenset[str]]:
    """Return the groups of optional parameters all of whose lines are entries of such lists."""
    lists = _Lists()
    found = set(groups)
    for line in lines:
        before = lists.open
        if not line.commented:
            for token in line.tokens:
                if token.kind not in COMMENTS:
                    lists.read(text[token.start : token.end].lower(), token.kind)
        is_entry = before is not None and before == lists.open and not line.condition.around
        names = line.condition.needs.keys() | line.condition.around
        if not is_entry or line.condition.cases or line.commented:
            found = {group for group in found if not group & names}
    return frozenset(found)


class _Lists:
    """Follows the words of a statement, and knows in which list they stand."""

    def __init__(self) -> None:
        self._depth = 0
        self._numbers = count()
        self._list: tuple[int, int] | None = None  # the depth of its entries, and its number
        self._expected: dict[int, str] = {}  # by depth, what may begin a list

    @property
    def open(self) -> tuple[int, int] | None:
        """The list between whose entries the text stands, or None."""
        return self._list if self._list and self._list[0] == self._depth else None

    def read(self, word: str, kind: Kind) -> None:
        """Take the next token."""
        expected = self._expected.get(self._depth, "")
        if word in ("(", "["):
            self._depth += 1
            self._expected.pop(self._depth, None)
            if word == "(" and expected in ("columns", "values") and self._list is None:
                self._list = self._depth, next(self._numbers)
        elif word in (")", "]"):
            if self.open:
                self._list = None
                after = self._expected.get(self._depth - 1)
                self._expected[self._depth - 1] = "into" if after == "columns" else ""
            self._depth -= 1
        elif kind is not Kind.WORD:
            return
        elif self.open and word in _ENDS:
            self._list = None
        elif word in ("update", "insert"):
            self._expected[self._depth] = word
        elif word == "set" and expected == "update" and self._list is None:
            self._list = self._depth, next(self._numbers)
        else:
            self._expected[self._depth] = _NEXT.get((expected, word), expected)
