"""What JSON has no form for goes to it as PostgreSQL's texts. Pure.

Fields of generated models are annotated with these, so that a JSON schema says it, too.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import PlainSerializer, WithJsonSchema

T = TypeVar("T")

_SPECIAL = re.compile(r'[\s"\\(),\[\]{}]')


def range_text(value: Any) -> str:
    """Return a range or a multirange as PostgreSQL's text."""
    if not hasattr(value, "isempty"):
        return "{" + ",".join(map(range_text, value)) + "}"
    if value.isempty:
        return "empty"
    return f"{value.bounds[0]}{_bound(value.lower)},{_bound(value.upper)}{value.bounds[1]}"


def _bound(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if text and not _SPECIAL.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def number(value: float) -> float | str:
    """Return a float, or the text of one that JSON does not know."""
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


AsText = Annotated[
    T, PlainSerializer(range_text, when_used="json"), WithJsonSchema({"type": "string"})
]
"""A range or a multirange: in JSON its text."""

Float = Annotated[
    float,
    PlainSerializer(number, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
"""A floating-point number: in JSON ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` are texts."""
