"""Where the WHERE of an UPDATE, DELETE or INSERT … SELECT stands in its text. Pure.

What is found is a guess by the words at the outermost level; whoever makes another text of it
proves that by reading it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from todo_sql.sql.grammar import Statement, scan

_OPENING, _CLOSING = ("ASCII_40", "ASCII_91"), ("ASCII_41", "ASCII_93")
_AFTER = ("ORDER", "FOR", "RETURNING", "LIMIT", "OFFSET", "FETCH")


@dataclass(frozen=True, slots=True)
class Clauses:
    """A statement's text in parts.

    Attributes:
        head: Up to WHERE, without it.
        where: The condition; empty: there is none.
        order: What follows it in the SELECT of an INSERT, such as ORDER BY.
        tail: ON CONFLICT and RETURNING.
    """

    head: str
    where: str
    order: str
    tail: str

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Cut a statement."""
        text = statement.text
        depth, where, order, tail = 0, None, None, None
        tokens = scan(text)
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.kind in _OPENING:
                depth += 1
            elif token.kind in _CLOSING:
                depth -= 1
            if depth or tail is not None:
                continue
            conflict = token.kind == "ON" and following is not None and following.kind == "CONFLICT"
            if token.kind == "RETURNING" or conflict:
                tail = token.start
            elif token.kind == "WHERE" and where is None:
                where = token.start, token.end
            elif token.kind in _AFTER and order is None and statement.kind == "insert_stmt":
                order = token.start
        tail = len(text) if tail is None else tail
        order = tail if order is None else order
        begin, end = where or (order, order)
        return cls(text[:begin], text[end:order], text[order:tail], text[tail:])

    def with_(self, conditions: Sequence[str], lock: str | None) -> str:
        """Return the text with more conditions, and with a locking clause."""
        # A line of its own each, since a comment may end the line before.
        parts = ([f"({self.where}\n)"] if self.where else []) + list(conditions)
        return (
            f"{self.head}\nwhere {' and '.join(parts)}\n{self.order}\n{lock or ''}\n{self.tail}"
        ).rstrip()
