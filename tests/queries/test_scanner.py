"""The scanner: what is a parameter, and agreement with PostgreSQL's own scanner."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support.soak import pick

from todo_sql.sql import grammar
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, after_blanks, scan


def parameters(text: str) -> list[str]:
    """Return the parameters of a text, without colons."""
    return [text[t.start + 1 : t.end] for t in scan(text) if t.kind is Kind.PARAMETER]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select :a, :b_2", ["a", "b_2"]),
        ("select ':a', E'\\':b', \":c\", U&':d', U&\":e\", $$:f$$, $x$ :g $$ :h $x$", []),
        ("select 1 -- :a\n, :b /* :c /* :d */ :e */, :f", ["b", "f"]),
        ("select :a::int, x::text, (:b)::date", ["a", "b"]),
        ("select f(a := 1, b := :b, c => :c)", ["b", "c"]),
        ("select x[1:2], x[a:b], x[:b], x[1:], y[(:lo):(:hi)], z[(:i)]", ["lo", "hi", "i"]),
        (
            "select x[1: :b], (f(1))[:b], array[:c, :d], array[[:e]], x[:a][:b]",
            ["b", "c", "d", "e"],
        ),
        ("select data ? :a, data ->> :b, data #> :c, data @? :d, data ?| :e", list("abcde")),
        ("select a=:a, b<:b, c||:c, d>=:d", list("abcd")),
        ("select 'a'\n':x', E'b'\n'\\':y', 'c' -- :z\n':z'", []),
        ("select :größe, :a$b", ["größe", "a$b"]),
        ("select b'01', x'1F', n':a', e':b', B':c'", []),
        ("select 1.5e3, 0x1F, 1_000, .5, 1., :a", ["a"]),
    ],
)
def test_parameters(text: str, expected: list[str]) -> None:
    """A parameter is a colon with a name, outside quotes, comments, casts and slices."""
    assert parameters(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("select 'a", "unterminated quoted string", 7),
        ("select E'a\\'", "unterminated quoted string", 7),
        ("select 'é''b", "unterminated quoted string", 7),
        ('select "a', "unterminated quoted identifier", 7),
        ("select $x$ a $$", "unterminated dollar-quoted string", 7),
        ("select /* /* */", "unterminated /* comment", 7),
        ("select 12abc", "trailing junk after numeric literal", 7),
        ("select 0x", "trailing junk after numeric literal", 7),
        ("select 1__0", "trailing junk after numeric literal", 7),
        ('select 1 as ""', "zero-length delimited identifier", 12),
        ("select \x00", "a text cannot hold the character U+0000", 7),
    ],
)
def test_open_ends(text: str, message: str, offset: int) -> None:
    """What is not lexical is an error at its first character, in PostgreSQL's words."""
    with pytest.raises(ScanError) as caught:
        scan(text)
    assert (caught.value.message, caught.value.offset) == (message, offset)


def test_offsets_count_characters() -> None:
    """Offsets are characters, also behind characters of several bytes."""
    text = "select '🙂ä', :名"
    token = scan(text)[-1]
    assert (token.start, token.end, text[token.start : token.end]) == (13, 15, ":名")


def test_part_of_a_text() -> None:
    """A stretch of a text is scanned with the offsets of the whole."""
    text = "xx :a yy"
    assert [tuple(token)[1:] for token in scan(text, 3, 5)] == [(3, 5)]


NAMES = ["a", "tasks", "select", "Über", "名前", "x$1", "_y", "e", "n", "u", "b"]
ATOMS = [
    *NAMES,
    *(f":{name}" for name in NAMES),
    *"()[],;.+-*/%<>=~!@#^&|`?:",
    "::",
    ":=",
    "=>",
    "<=",
    "<>",
    "!=",
    "->>",
    "#>",
    "@?",
    "?|",
    "||",
    "..",
    "@-",
    "*-",
    "/*c*/",
    "/* a /* b */ ' */",
    "-- it's\n",
    "--\r\n",
    "--x--y\r",
    "''",
    "'it''s'",
    "'é\\'",
    "E'\\''",
    "e'a\\\\'",
    "E'''\\n'",
    "b'01'",
    "X'1f'",
    "n'x'",
    "U&'d\\0061t'",
    'U&"d\\0061t"',
    '"a b"',
    '"q""q"',
    '"名"',
    "$$ ' $$",
    "$t$ $$ :x $t$",
    "$é$ /* $é$",
    "$1",
    "$23",
    "1",
    "42",
    "1.5",
    "1.",
    ".5",
    "1.5e3",
    "1e-5",
    "0x1F",
    "0o17",
    "0b01",
    "1_000",
    "1..2",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\f",
    "\v",
    "x[1:2]",
    "x[:a]",
    "x[a:b]",
    "array[:a]",
    "::int",
    "a::b",
]
TEXTS = st.lists(st.sampled_from(ATOMS), max_size=14).map("".join) | st.text(
    st.sampled_from("aeE1_$'\"\\:;-/*[]().+ \n\rxXuU&é名@<=?#"), max_size=24
)


def ours(text: str) -> list[tuple[int, int]] | None:
    """Return our tokens as libpg_query has them: a parameter is a colon and a name there."""
    try:
        tokens = scan(text)
    except ScanError:
        return None
    spans: list[tuple[int, int]] = []
    for kind, start, end in tokens:
        if kind is Kind.PARAMETER:
            spans += [(start, start + 1), (start + 1, end)]
        else:
            spans.append((start, end))
    return spans


def theirs(text: str) -> list[tuple[int, int]] | None:
    """Return libpg_query's tokens."""
    try:
        return [(token.start, token.end) for token in grammar.scan(text)]
    except grammar.GrammarError:
        return None


# PostgreSQL joins strings over a comment between them, and so do we; libpg_query returns the
# comment as a token of its own, and so cannot.
JOINED_OVER_COMMENT = re.compile(
    r"'(?:\s|--[^\n\r]*[\n\r])*--[^\n\r]*[\n\r](?:\s|--[^\n\r]*[\n\r])*'"
)


@settings(max_examples=int(pick(1000, 100_000)), deadline=None)
@given(TEXTS)
@example("E'a'\n'\\''")
@example("1..2 x[1:2] :a::int")
@example("$a$b$a$ a$b$ $$c$$")
@example("a@-1 a+-1 a-- b\n- +-/* x */1")
@example("0x1Fg")
@example("1_000_ 0b12 1e 1e+ 1.e5")
@example("U&'a' uescape '!' u&a U&\"b\"")
def test_agrees_with_libpg_query(text: str) -> None:
    """Both scanners cut every text at the same places, or both refuse it."""
    assume(not JOINED_OVER_COMMENT.search(text))
    mine, yours = ours(text), theirs(text)
    if yours is None and mine is not None:
        assert _only_values_are_wrong(text)
    else:
        assert mine == yours


@settings(max_examples=int(pick(300, 30_000)), deadline=None)
@given(st.lists(st.sampled_from(["--a", "\n", "\r", " ", "\v", "/*", "*/", "-", "a"])).map("".join))
@example("-- a\n/* b /* c */ -- d\n */\n\t-- e\rselect")
def test_what_comes_after_blanks(text: str) -> None:
    """It is the first token that is no comment, or the end."""
    try:
        tokens = scan(text)
    except ScanError:
        return
    first = [token.start for token in tokens if token.kind not in COMMENTS]
    assert after_blanks(text) == (first[0] if first else len(text))


def _only_values_are_wrong(text: str) -> bool:
    """Tell whether libpg_query refuses a text for what an escape or a number means.

    That is not a question of where tokens end; PostgreSQL answers it when it prepares.
    """
    try:
        grammar.scan(text)
    except grammar.GrammarError as error:
        return any(
            words in error.message
            for words in ("Unicode", "escape", "parameter number", "invalid byte", "NUL")
        )
    return False


def test_comments_are_kinds_of_their_own() -> None:
    """Comments are tokens, so that their directives are found."""
    assert [t.kind in COMMENTS for t in scan("a -- b\n/* c */")] == [False, True, True]
