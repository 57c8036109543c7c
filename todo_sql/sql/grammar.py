"""The one import of postgast, the PostgreSQL 18 grammar (libpg_query). Pure.

postgast is imported when first used (0.35 s). It counts in bytes of UTF-8; everything
that leaves this module counts in characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from todo_sql.deep import deeply
from todo_sql.sql.libpg_text import in_characters, joined, shallow, uncommented
from todo_sql.sql.scanner import ScanError, after_blanks

if TYPE_CHECKING:
    from postgast.pg_query_pb2 import Node


class GrammarError(ScanError):
    """PostgreSQL's grammar rejects the text, such as ``syntax error at or near "form"``."""


class GrammarToken(NamedTuple):
    """One token of libpg_query's scanner: its name there, and where it stands."""

    kind: str
    start: int
    end: int
    keyword: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text: where it starts and ends, and its parse tree.

    `text[start:end]` is the statement without leading white space and comments and
    without its semicolon.

    Attributes:
        kind: The name of the parse tree's root, such as ``select_stmt`` or ``index_stmt``;
            empty where there is no tree.
        unseen: Why the tree is not whole, or None: it is.
        origin: Where it stands in the text that was parsed, in characters.
    """

    text: str
    start: int
    end: int
    kind: str
    unseen: str | None = None
    origin: int = 0
    _node: Node | None = field(default=None, compare=False, repr=False)

    @property
    def node(self) -> Node:
        """The parse tree; one of a large file is not kept, but made anew when asked for."""
        if self._node is None and self.kind and self.unseen is None:
            return _tree_again(self.text)
        return self._node or _pg().pg_query_pb2.Node()

    @property
    def root(self) -> Any:
        """The root of the parse tree, such as an ``IndexStmt``, or None; see `kind`."""
        return getattr(self.node, self.kind) if self.kind else None

    def offset(self, location: int) -> int:
        """Turn a location of the parse tree (in bytes of the statement) into one of the text."""
        if self.text.isascii():
            return self.origin + location
        return self.origin + len(self.text.encode()[:location].decode(errors="ignore"))


EXAMINED = 1_000_000
"""Bytes up to which a statement is examined; a longer one is nothing but data."""

_COMMENTS = 500  # in a text; libpg_query's time grows by the square of how deep they nest
_KEPT = 2_000_000  # characters of a text whose trees are kept
_SHALLOW = 16_000  # bytes that cannot be nested so deeply that a usual stack overflows
_LEVEL = 1024  # bytes of the stack that two bytes of the text may take
_TOO_DEEP = "it is nested too deeply"
_TOO_LONG = f"it is longer than {EXAMINED:,} bytes"
_UNKNOWN = "PostgreSQL 18's grammar does not know it"
# Of a large text. A message of protobuf's is nested no deeper than 100, which takes 40 signs or
# words at least; items of a list are not nested in each other.
_TOGETHER = 500
_NESTED = 40
_NESTING = re.compile(r"[ \n](?<![,\n] )|[^\w\s,;.\"]")
_STRING = re.compile(r"'[^']*'")
_DATA = {"insert": "insert_stmt", "update": "update_stmt", "delete": "delete_stmt"}
_BODY_IN_SQL = re.compile(r"\batomic\b", re.IGNORECASE)
_FULL = ("memory exhausted", "stack depth limit exceeded")


@cache
def _pg() -> Any:
    """Return postgast with its modules."""
    import postgast.native
    import postgast.pg_query_pb2

    return postgast


def parse(text: str) -> list[Statement]:
    """Split a text into statements with their parse trees.

    Of a statement that is nested too deeply the tree is cut off in the depth, of one that is
    longer than `EXAMINED` there is none; `Statement.unseen` says so.

    Raises:
        GrammarError: The text is not PostgreSQL.
    """
    try:
        plain = uncommented(text) if text.count("/*") > _COMMENTS else text
    except ScanError as error:
        raise GrammarError(error.message, error.offset) from None
    try:
        found = _parsed(plain)
    except GrammarError:
        whole = joined(plain)
        if whole == plain:
            raise
        plain, found = whole, _parsed(whole)
    if plain is text:
        return found
    return [replace(one, text=text[one.start : one.end]) for one in found]


def cut(text: str) -> list[Statement]:
    """Split a text that this grammar does not know into statements without trees.

    Raises:
        GrammarError: It is not even lexical.
    """
    found = []
    for begin, end in _pieces(text, by_parser=False):
        begin = after_blanks(text, begin)
        body = text[begin:end].rstrip()
        found.append(Statement(body, begin, begin + len(body), "", _UNKNOWN, begin))
    return found


def _parsed(text: str) -> list[Statement]:
    if len(text) > _KEPT:
        return _large(text)
    try:
        return [_made(text, *piece) for piece in _pieces(text, by_parser=False)]
    except GrammarError:
        # A body in SQL holds semicolons, which the parser alone understands.
        return [_made(text, *piece) for piece in _pieces(text, by_parser=True)]


def _large(text: str) -> list[Statement]:
    """Parse what is too large for the trees of all its statements.

    Whether plain data is PostgreSQL is asked of many statements at once, without their trees.
    """
    found: list[Statement] = []
    try:
        pieces = _pieces(text, by_parser=False)
        while len(found) < len(pieces):
            plain = list(_plain(text, pieces[len(found) : len(found) + _TOGETHER]))
            if len(plain) > 1 and _is_split_so(text[plain[0].start : plain[-1].end], len(plain)):
                found += plain
                continue
            for piece in pieces[len(found) : len(found) + max(1, len(plain))]:
                made = _made(text, *piece)
                found.append(made if made.unseen else replace(made, _node=None))
        return found
    except GrammarError as error:
        if not _BODY_IN_SQL.search(text):
            raise _better(text, found[-1].end if found else 0, error) from None
        made_so = (_made(text, *piece) for piece in _pieces(text, by_parser=True))
        return [one if one.unseen else replace(one, _node=None) for one in made_so]


def _better(text: str, start: int, error: GrammarError) -> GrammarError:
    """Return what the parser says of an error after `start`, if it meets one soon."""
    if error.offset - start > EXAMINED:
        return error
    try:
        _pieces(text[start : start + EXAMINED], by_parser=True)
    except GrammarError as found:
        return GrammarError(found.message, start + found.offset)
    return error


def _plain(text: str, pieces: list[tuple[int, int]]) -> Iterator[Statement]:
    """Yield the first of some pieces, as long as they are data that cannot be nested deeply."""
    for begin, end in pieces:
        start = after_blanks(text, begin)
        body = text[start:end].rstrip()
        kind = _DATA.get(body[:6].lower())
        if kind is None or len(body) > _SHALLOW // 4:
            return
        if len(_NESTING.findall(_STRING.sub("", body))) >= _NESTED:
            return
        yield Statement(body, start, start + len(body), kind, None, start)


def _is_split_so(text: str, count: int) -> bool:
    """Whether PostgreSQL's grammar takes a text, and finds so many statements in it."""
    lib = _pg().native.lib
    result = lib.pg_query_split_with_parser(text.encode())
    try:
        return not result.error and result.n_stmts == count
    finally:
        lib.pg_query_free_split_result(result)


def _pieces(text: str, *, by_parser: bool) -> list[tuple[int, int]]:
    """Return where the statements of a text stand, blanks before them included.

    Where not by the parser, by the scanner, which is fast and takes any text, but cuts the
    bodies of functions in SQL to pieces.
    """
    lib = _pg().native.lib
    split = lib.pg_query_split_with_parser if by_parser else lib.pg_query_split_with_scanner
    data = text.encode()
    result = split(data)
    try:
        _pg().errors.check_error(result)
        found = [result.stmts[index].contents for index in range(result.n_stmts)]
        spans = [(one.stmt_location, one.stmt_location + one.stmt_len) for one in found]
    except _pg().PgQueryError as error:
        raise _translated(error) from None
    finally:
        lib.pg_query_free_split_result(result)
    spans = in_characters(data, spans)
    _refuse_lost(text, spans)
    return spans


def _refuse_lost(text: str, spans: list[tuple[int, int]]) -> None:
    """Refuse that something stands between pieces: the scanner loses what has no keyword."""
    at = 0
    for begin, end in (*spans, (len(text), len(text))):
        while at < begin:
            try:
                at = after_blanks(text, at)
            except ScanError as error:
                raise GrammarError(error.message, error.offset) from None
            if at < begin and text[at] != ";":
                raise GrammarError(f'syntax error at or near "{_word(text, at)}"', at)
            at += 1
        at = end


def _word(text: str, at: int) -> str:
    word = re.compile(r"\w+|.", re.DOTALL).match(text, at)
    return word[0] if word else ""


def _made(text: str, begin: int, end: int) -> Statement:
    try:
        begin = after_blanks(text, begin)
    except ScanError as error:
        raise GrammarError(error.message, error.offset) from None
    body = text[begin:end].rstrip()
    try:
        kind, unseen, node = _tree(body)
    except GrammarError as error:
        raise GrammarError(error.message, begin + error.offset) from None
    return Statement(body, begin, begin + len(body), kind, unseen, begin, node)


def _tree(text: str) -> tuple[str, str | None, Node]:
    """Return the kind of a statement, why its tree is not whole, and the tree."""
    data = text.encode()
    if len(data) > EXAMINED:
        return _first_kind(text), _TOO_LONG, _pg().pg_query_pb2.Node()
    try:
        if len(data) <= _SHALLOW:
            found, whole = _decoded(data)
        else:
            found, whole = deeply(lambda: _decoded(data), (16 << 20) + len(data) // 2 * _LEVEL)
    except _pg().PgQueryError as error:
        if str(error.message).startswith(_FULL):
            return _first_kind(text), _TOO_DEEP, _pg().pg_query_pb2.Node()
        raise _translated(error) from None
    if len(found) != 1:
        raise GrammarError("more than one statement", 0)
    return str(found[0].stmt.WhichOneof("node")), None if whole else _TOO_DEEP, found[0].stmt


def _decoded(data: bytes) -> tuple[Any, bool]:
    """Return the statements of a text, and whether their trees are whole."""
    import ctypes

    from google.protobuf.message import DecodeError

    lib, made = _pg().native.lib, _pg().pg_query_pb2.ParseResult
    result = lib.pg_query_parse_protobuf(data)
    try:
        _pg().errors.check_error(result)
        tree = ctypes.string_at(result.parse_tree.data, result.parse_tree.len)
    finally:
        lib.pg_query_free_protobuf_parse_result(result)
    try:
        return made.FromString(tree).stmts, True
    except DecodeError:
        return made.FromString(shallow(tree, made.DESCRIPTOR)).stmts, False


@lru_cache(maxsize=1)  # who asks for one asks again at once
def _tree_again(text: str) -> Node:
    if text.count("/*") <= _COMMENTS:
        with suppress(GrammarError):  # it may be one that only `parse` knows to read
            return _tree(text)[2]
    found = parse(text)[0]
    return found.node if found._node is not None else _tree(text)[2]


def _first_kind(text: str) -> str:
    """Return the kind of a statement by its first word, if that tells it."""
    word = _word(text, 0).lower()
    kinds = _DATA | {"merge": "merge_stmt", "do": "do_stmt"}
    return kinds.get(word, "select_stmt" if word in ("select", "values", "with", "(") else "")


def scan(text: str) -> list[GrammarToken]:
    """Return the tokens of a text, comments included.

    Raises:
        GrammarError: A quote or comment is not closed, or the text is otherwise not lexical.
    """
    try:
        tokens = _pg().scan(text).tokens
    except _pg().PgQueryError as error:
        raise _translated(error) from None
    places = in_characters(text.encode(), [(token.start, token.end) for token in tokens])
    pb = _pg().pg_query_pb2
    return [
        GrammarToken(pb.Token.Name(token.token), *place, token.keyword_kind != pb.NO_KEYWORD)
        for token, place in zip(tokens, places, strict=True)
    ]


def deparse(node: Node) -> str:
    """Write a parse tree as SQL."""
    pb = _pg().pg_query_pb2
    return str(_pg().deparse(pb.ParseResult(stmts=[pb.RawStmt(stmt=node)])))


def deparse_expression(node: Node) -> str:
    """Write the parse tree of an expression as SQL."""
    pb = _pg().pg_query_pb2
    target = pb.Node(res_target=pb.ResTarget(val=node))
    text = deparse(pb.Node(select_stmt=pb.SelectStmt(target_list=[target], limit_option=1, op=1)))
    return text[len("SELECT") :].strip()


def _translated(error: Any) -> GrammarError:
    # libpg_query's cursor is a 1-based character position (PostgreSQL's own convention).
    return GrammarError(str(error.message), max(0, int(error.cursorpos) - 1))
