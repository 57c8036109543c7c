"""The outer clauses of one statement, found by our own scanner. Pure.

Run time has no parse tree, and needs none: SELECT, FROM, ORDER, LIMIT and their like are
reserved words of PostgreSQL, so outside brackets each of them is a clause, unless it
follows a dot or AS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from todo_sql.queries.query_errors import ShapeError
from todo_sql.sql.scanner import COMMENTS, Kind, Token, scan

_AFTER_NAME = frozenset({".", "as"})


@dataclass(frozen=True)
class Words:
    """The tokens of a statement without comments, each with its lower-case text and depth."""

    tokens: tuple[Token, ...]
    texts: tuple[str, ...]
    depths: tuple[int, ...]

    @classmethod
    def of(cls, sql: str) -> Words:
        """Scan a statement."""
        tokens = tuple(token for token in scan(sql) if token.kind not in COMMENTS)
        texts, depths = [], []
        depth = 0
        for kind, start, end in tokens:
            text = sql[start:end]
            if kind is Kind.SYMBOL and text in ")]":
                depth -= 1
            depths.append(depth)
            if kind is Kind.SYMBOL and text in "([":
                depth += 1
            texts.append(text.lower() if kind is Kind.WORD else text)
        return cls(tokens, tuple(texts), tuple(depths))

    def clauses(self, *words: str) -> Iterator[int]:
        """Yield the indexes at which one of these keywords stands outside brackets."""
        for index, text in enumerate(self.texts):
            if (
                text in words
                and self.depths[index] == 0
                and self.tokens[index].kind is Kind.WORD
                and not (index and self.texts[index - 1] in _AFTER_NAME)
            ):
                yield index

    def wrong(self, index: int, message: str, fix: str, *, last: int | None = None) -> ShapeError:
        """Return the error for a token, or for those from one to another."""
        end = self.tokens[index if last is None else last].end
        return ShapeError(message, self.tokens[index].start, end, fix)

    def items(self, start: int, end: int) -> list[Sequence[int]]:
        """Split tokens ``start`` to ``end`` at the commas that stand outside brackets."""
        depth = self.depths[start] if start < end else 0
        found: list[list[int]] = [[]]
        for index in range(start, end):
            if self.texts[index] == "," and self.depths[index] == depth:
                found.append([])
            else:
                found[-1].append(index)
        return [item for item in found if item]
