"""Expressions as PostgreSQL writes them when it has read its own writing. Pure.

Of a cast of a whole array constructor, which `v in ('a', 'b')` on a varchar is, too, PostgreSQL
writes ``(ARRAY['a'::character varying, v])::text[]``. That it reads as a cast of each element,
and writes so from then on: a copy would differ from its original, with the same meaning.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_STRING = r"E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'"
_WORD = r"\"(?:[^\"]|\"\")*\"|[A-Za-z_]\w*"
_TOKEN = re.compile(rf"{_STRING}|ARRAY\[|{_WORD}|[\[\](),]", re.DOTALL)
_ZONE = r"(?: with time zone| without time zone)?"
_TYPE = re.compile(rf"::((?:(?:{_WORD})[. ]?)+?(?:\(\d+(?:,-?\d+)?\))?{_ZONE})\[\]", re.DOTALL)
_BODY = re.compile(r"\$(?:function|procedure)\$")
"""What stands between two of them is the user's own text."""
_CASTS = r"(?:::[\w ]+(?:\(\d+(?:,-?\d+)?\))?(?:\[\])?)*"
_SIMPLE = re.compile(rf"(?:{_STRING}|(?:{_WORD})(?:\.(?:{_WORD}))*){_CASTS}")


class _Constructor(NamedTuple):
    """An array constructor: where it begins and ends, and its elements."""

    start: int
    end: int
    elements: list[str]


def settled(value: object) -> object:
    """Return a text (or a list of texts) with such casts at each element."""
    if isinstance(value, list):
        return [settled(one) for one in value]
    if not isinstance(value, str) or "ARRAY[" not in value or _BODY.search(value):
        return value
    at = 0
    while (found := _next(value, at)) is not None:
        value, at = _cast(value, found), found.start + 1
    return value


def _next(text: str, at: int) -> _Constructor | None:
    """Return the first array constructor that begins at a place or after it."""
    for token in _TOKEN.finditer(text):
        if token[0] == "ARRAY[" and token.start() >= at:
            return _constructor(text, token.start(), token.end())
    return None


def _constructor(text: str, start: int, inside: int) -> _Constructor | None:
    depth, begin, elements = 0, inside, []
    for token in _TOKEN.finditer(text, inside):
        sign = token[0]
        if depth == 0 and sign in (",", "]"):
            elements.append(text[begin : token.start()].strip())
            begin = token.end()
            if sign == "]":
                return _Constructor(start, token.end(), elements)
        depth += (sign in ("ARRAY[", "[", "(")) - (sign in ("]", ")"))
    return None


def _cast(text: str, found: _Constructor) -> str:
    """Return a text with the cast of a constructor, if it has one, at each of its elements."""
    enclosed = text[: found.start].endswith("(") and text.startswith(")", found.end)
    kind = _TYPE.match(text, found.end + enclosed)
    if kind is None or found.elements == [""]:
        return text
    elements = ", ".join(_each(one, kind[1], enclosed) for one in found.elements)
    return f"{text[: found.start - enclosed]}ARRAY[{elements}]{text[kind.end() :]}"


def _each(element: str, kind: str, enclosed: bool) -> str:
    if element.startswith("ARRAY["):
        inner = _constructor(element, 0, len("ARRAY["))
        if inner is not None and inner.end == len(element):
            return f"ARRAY[{', '.join(_each(one, kind, enclosed) for one in inner.elements)}]"
    bare = not enclosed and _SIMPLE.fullmatch(element)
    return f"{element}::{kind}" if bare else f"({element})::{kind}"
