r"""The tokens of PostgreSQL's text, and the parameters in it. Pure, and fast enough for run time.

The rules are those of PostgreSQL's ``scan.l`` (version 18) with
``standard_conforming_strings`` on: ``''`` and ``E''`` strings with their continuation on
the next line, ``B''``, ``X''``, ``U&''``, ``""``, ``U&""``, ``$tag$``, nested ``/* */``,
operators that end where a comment begins. A test holds them against libpg_query's.

One kind is our own: PARAMETER, a colon with a name right after it. ``::`` is a cast and
``:=`` an assignment, as PostgreSQL has them. Inside a subscript the first colon belongs to
the slice: ``x[1:n]`` and ``x[:n]`` hold no parameter; write ``x[(:n)]``, ``x[1:(:n)]``.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple


class ScanError(ValueError):
    """The text is not lexical: a quote or comment is left open, a number runs into a name.

    Attributes:
        message: In PostgreSQL's words.
        offset: Where the offending token begins, in characters.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Kind(Enum):
    """What a token is."""

    WORD = "word"  # keyword or unquoted identifier
    QUOTED = "quoted"  # "identifier", U&"identifier"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"  # :name
    POSITIONAL = "positional"  # $1
    OPERATOR = "operator"
    SYMBOL = "symbol"  # one of ( ) [ ] , ; . : and the pairs :: .. :=
    LINE_COMMENT = "line comment"
    BLOCK_COMMENT = "block comment"


COMMENTS: Final = (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)


class Token(NamedTuple):
    """One token: `text[start:end]`, in characters."""

    kind: Kind
    start: int
    end: int


LINE_COMMENT: Final = r"--[^\n\r]*"
_BLANKS = re.compile(rf"(?:[ \t\n\r\f\v]+|{LINE_COMMENT})*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")

# What begins a name, and what goes on in it: letters, `_`, digits, `$`, and all that is not
# ASCII. Said by what it is not, since `re` takes milliseconds over each class as large as that.
_START = r"[^\x00-@\[-^`{-\x7f]"
_REST = r"[^\x00-#%-/:-@\[-^`{-\x7f]*"
_NAME = rf"{_START}{_REST}"
_TAG = _START + r"[^\x00-/:-@\[-^`{-\x7f]*"
# No possessive quantifier over a group: re mistakes them before Python 3.11.5 (gh-106052).
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_DECIMAL = rf"{_DIGITS}(?!\.\.)\.(?:{_DIGITS})?|\.{_DIGITS}|{_DIGITS}"
# A string goes on in the next literal if a line break, and otherwise only white space and
# line comments, stand between the two. Except in bits, a doubled quote is a quote.
_JOINT = rf"[ \t\f\v]*(?:{LINE_COMMENT})?[\n\r](?:[ \t\n\r\f\v]|{LINE_COMMENT}[\n\r])*"
_BITS = rf"'[^']*(?:'{_JOINT}'[^']*)*'(?!{_JOINT}')"
_PLAIN = rf"'[^']*(?:'(?:{_JOINT})?'[^']*)*'(?!(?:{_JOINT})?')"
_ESCAPED = rf"'[^'\\]*(?:(?:\\[\s\S]|'(?:{_JOINT})?')[^'\\]*)*'(?!(?:{_JOINT})?')"

# What there is most of comes first: words that can't begin a string, and marks that can't
# begin anything longer.
_TOKEN = re.compile(
    rf"""[ \t\n\r\f\v]*(?:
      (?P<PLAIN_WORD> [^\x00-@BEUX\[-^`beux{{-\x7f]{_REST} )
    | (?P<MARK> [,;] | \.(?![.0-9]) )
    | (?P<BRACKET> [()\[\]] )
    | (?P<STRING> [eE]{_ESCAPED} | [bBxX]{_BITS} | (?:[uU]&)?{_PLAIN} )
    | (?P<QUOTED> (?:[uU]&)?"[^"]*(?:""[^"]*)*"(?!") )
    | (?P<OPEN> (?:[eEbBxX]|[uU]&)?' | (?:[uU]&)?" )
    | (?P<WORD> {_NAME} )
    | (?P<NUMBER>
          0[xX](?:_?[0-9A-Fa-f])+ | 0[oO](?:_?[0-7])+ | 0[bB](?:_?[01])+
        | (?: {_DECIMAL} ) (?: [eE][-+]?{_DIGITS} )? )
    | (?P<LINE_COMMENT> {LINE_COMMENT} )
    | (?P<BLOCK_COMMENT> /\* )
    | (?P<DOLLAR> \$(?:{_TAG})?\$ )
    | (?P<POSITIONAL> \$[0-9]+ )
    | (?P<PARAMETER> :(?![eEbBxX]'|[uU]&['"]){_NAME} )
    | (?P<SYMBOL> :: | := | \.\. | : )
    | (?P<OPERATOR> [~!@\#^&|`?+\-*/%<>=]+ )
    | (?P<OTHER> [^ \t\n\r\f\v] )
    | (?P<END> \Z ) )
    """,
    re.VERBOSE,
)
_COMMENT_IN_OPERATOR = re.compile(r"/\*|--")
_JUNK = re.compile(_START)
_GOES_ON = re.compile(r"[0-9$]")  # more of a name, if one began inside the number, as 0b012 has
_NAME_INSIDE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEEPS_SIGN = frozenset("~!@#^&|`?%")
_AFTER_VALUE = (Kind.QUOTED, Kind.PARAMETER, Kind.POSITIONAL, Kind.STRING)
_GROUPS = ["", *_TOKEN.groupindex]
_KINDS_BY_GROUP = {
    **Kind.__members__,
    "PLAIN_WORD": Kind.WORD,
    "MARK": Kind.SYMBOL,
    "BRACKET": Kind.SYMBOL,
}
_KINDS = [_KINDS_BY_GROUP.get(name) for name in _GROUPS]
_WHOLE = [
    name in ("PLAIN_WORD", "WORD", "MARK", "STRING", "LINE_COMMENT", "POSITIONAL")
    for name in _GROUPS
]


def scan(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Return the tokens of ``text[start:end]``, comments included, white space left out.

    Raises:
        ScanError: A quote or comment is left open, or a number runs into a name.
    """
    end = len(text) if end is None else end
    tokens: list[Token] = []
    subscripts: list[bool | None] = []  # per open bracket: is its slice's colon still to come?
    position = start
    read, new = _TOKEN.match, tuple.__new__  # a named tuple's own is slower
    while True:
        match = read(text, position, end)
        assert match is not None and match.lastindex is not None
        group = match.lastindex
        position, stop = match.span(group)
        kind = _KINDS[group]
        if _WHOLE[group]:
            tokens.append(new(Token, (kind, position, stop)))
            position = stop
            continue
        if kind is None:
            name = _GROUPS[group]
            if name == "END":
                return tokens
            kind, stop = _special(text, name, position, stop, end)
        elif kind is Kind.OPERATOR:
            comment = _COMMENT_IN_OPERATOR.search(text, position, stop)
            stop = stop if comment is None else comment.start()
            signs = _trailing_signs(text, position, stop)
            if signs:
                tokens.append(Token(kind, position, stop - signs))
                tokens += [Token(kind, at, at + 1) for at in range(stop - signs, stop)]
                position = stop
                continue
        elif kind is Kind.BLOCK_COMMENT:
            stop = comment_end(text, position, end)
        elif kind is Kind.NUMBER:
            if _JUNK.match(text, stop, end) or (
                _GOES_ON.match(text, stop, end) and _NAME_INSIDE.search(text, position, stop)
            ):
                raise ScanError("trailing junk after numeric literal", position)
        elif kind is Kind.QUOTED:
            if text[position:stop].lstrip("uU&") == '""':
                raise ScanError("zero-length delimited identifier", position)
        elif kind is Kind.PARAMETER:
            if subscripts and subscripts[-1]:
                subscripts[-1] = False
                kind, stop = Kind.SYMBOL, position + 1
        elif kind is Kind.SYMBOL:
            symbol = text[position:stop]
            if symbol == "[":
                subscripts.append(is_subscript(text, tokens))
            elif symbol == "(":
                subscripts.append(None)
            elif symbol in "])":
                if subscripts:
                    subscripts.pop()
            elif symbol == ":" and subscripts and subscripts[-1]:
                subscripts[-1] = False
        tokens.append(Token(kind, position, stop))
        position = stop


def _special(text: str, name: str, start: int, stop: int, end: int) -> tuple[Kind, int]:
    """Return the kind and the end of a dollar-quoted string or an odd character."""
    if name == "OPEN":
        what = "quoted identifier" if text[stop - 1] == '"' else "quoted string"
        raise ScanError(f"unterminated {what}", start)
    if name == "DOLLAR":
        closing = text.find(text[start:stop], stop, end)
        if closing < 0:
            raise ScanError("unterminated dollar-quoted string", start)
        return Kind.STRING, closing + stop - start
    if text[start] == "\0":
        raise ScanError("a text cannot hold the character U+0000", start)
    # No token of SQL, such as a lone $: the grammar says so in its place.
    return Kind.SYMBOL, stop


def _trailing_signs(text: str, start: int, end: int) -> int:
    """Count the signs at the end of an operator that PostgreSQL takes for operators themselves."""
    if _KEEPS_SIGN.intersection(text[start : end - 1]):
        return 0
    return end - max(start + 1, start + len(text[start:end].rstrip("+-")))


def is_subscript(text: str, tokens: list[Token]) -> bool:
    """Tell ``x[`` from ``array[``: a subscript follows something that has a value."""
    for kind, start, end in reversed(tokens):
        if kind in COMMENTS:
            continue
        if kind is Kind.WORD:
            return text[start:end].lower() != "array"
        return kind in _AFTER_VALUE or text[start:end] in (")", "]")
    return False


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
