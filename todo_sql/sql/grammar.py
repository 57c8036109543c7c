"""The one import of postgast, the PostgreSQL 18 grammar (libpg_query). Pure.

postgast is imported when first used (0.35 s). It counts in bytes of UTF-8; everything
that leaves this module counts in characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_sql.sql.comments import after_blanks

if TYPE_CHECKING:
    from postgast.pg_query_pb2 import Node


class GrammarError(ValueError):
    """PostgreSQL's grammar rejects the text.

    Attributes:
        message: The grammar's words, such as ``syntax error at or near "form"``.
        offset: Character offset of the offending token.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class GrammarToken:
    """One token of libpg_query's scanner: its name there, and where it stands."""

    kind: str
    start: int
    end: int
    keyword: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text: its parse tree, and where it starts and ends.

    `text[start:end]` is the statement without leading white space and comments and
    without its semicolon.
    """

    text: str
    start: int
    end: int
    node: Node

    @property
    def kind(self) -> str:
        """The name of the parse tree's root, such as ``select_stmt`` or ``index_stmt``."""
        return str(self.node.WhichOneof("node"))


def parse(text: str) -> list[Statement]:
    """Split a text into statements with their parse trees.

    Raises:
        GrammarError: The text is not PostgreSQL.
    """
    import postgast

    characters = _Characters(text)
    try:
        result = postgast.parse(text)
    except postgast.PgQueryError as error:
        raise _translated(error) from None
    statements = []
    for raw in result.stmts:
        start = characters.at(raw.stmt_location)
        end = characters.at(raw.stmt_location + raw.stmt_len) if raw.stmt_len else len(text)
        start = after_blanks(text, start)
        body = text[start:end].rstrip()
        statements.append(Statement(body, start, start + len(body), raw.stmt))
    return statements


def scan(text: str) -> list[GrammarToken]:
    """Return the tokens of a text, comments included.

    Raises:
        GrammarError: A quote or comment is not closed, or the text is otherwise not lexical.
    """
    import postgast
    from postgast import pg_query_pb2 as pb

    characters = _Characters(text)
    try:
        result = postgast.scan(text)
    except postgast.PgQueryError as error:
        raise _translated(error) from None
    return [
        GrammarToken(
            pb.Token.Name(token.token),
            characters.at(token.start),
            characters.at(token.end),
            token.keyword_kind != pb.NO_KEYWORD,
        )
        for token in result.tokens
    ]


def parse_plpgsql(text: str) -> list[dict[str, Any]]:
    """Parse the body of a ``create function … language plpgsql`` statement.

    Raises:
        GrammarError: The body is not PL/pgSQL.
    """
    import postgast

    try:
        functions: list[dict[str, Any]] = postgast.parse_plpgsql(text)
    except postgast.PgQueryError as error:
        raise _translated(error) from None
    return functions


def deparse(node: Node) -> str:
    """Write a parse tree as SQL."""
    import postgast
    from postgast import pg_query_pb2 as pb

    return str(postgast.deparse(pb.ParseResult(stmts=[pb.RawStmt(stmt=node)])))


def _translated(error: Any) -> GrammarError:
    # libpg_query's cursor is a 1-based character position (PostgreSQL's own convention).
    return GrammarError(str(error.message), max(0, int(error.cursorpos) - 1))


class _Characters:
    """Turns byte offsets of the UTF-8 form of a text into character offsets."""

    def __init__(self, text: str) -> None:
        self._at: list[int] | None = None
        if not text.isascii():
            self._at = []
            for index, character in enumerate(text):
                self._at.extend([index] * len(character.encode()))
            self._at.append(len(text))

    def at(self, byte: int) -> int:
        return byte if self._at is None else self._at[min(byte, len(self._at) - 1)]
