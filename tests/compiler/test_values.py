"""Values on the command line become what the described parameter takes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from todo_sql.compiler.described import DescribedParameter
from todo_sql.compiler.python_types import PythonType
from todo_sql.compiler.values import parse_value
from todo_sql.errors import UsageError

NONE: frozenset[tuple[str, str]] = frozenset()


def parameter(
    text: str, imports: frozenset[tuple[str, str]] = NONE, *, nullable: bool = False
) -> DescribedParameter:
    """Return a parameter of a Python type."""
    return DescribedParameter("p", "some type", PythonType(text, imports), nullable)


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        (parameter("int"), "7", 7),
        (parameter("str"), "7", "7"),
        (parameter("str"), "null", "null"),
        (parameter("str", nullable=True), "null", None),
        (parameter("bool"), "true", True),
        (parameter("bytes"), "\\x00ff", b"\x00\xff"),
        (parameter("list[int]"), "[1, 2]", [1, 2]),
        (parameter("date", frozenset({("datetime", "date")})), "2026-01-31", date(2026, 1, 31)),
        (parameter("Decimal", frozenset({("decimal", "Decimal")})), "1.50", Decimal("1.50")),
        (parameter("Any", frozenset({("typing", "Any")})), '{"a": [1]}', {"a": [1]}),
    ],
)
def test_value(given: DescribedParameter, text: str, expected: Any) -> None:
    """Text of each kind of type."""
    assert parse_value(given, text) == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (parameter("int"), "seven"),
        (parameter("int"), "null"),
        (parameter("bytes"), "xyz"),
        (parameter("list[int]"), "1, 2"),
        (parameter("list[int]"), '["a"]'),
        (parameter("Any", frozenset({("typing", "Any")})), "{a}"),
    ],
)
def test_no_value(given: DescribedParameter, text: str) -> None:
    """Text that is no value of the type: the error names the parameter and the text."""
    with pytest.raises(UsageError, match=r"parameter `p` takes .*, not "):
        parse_value(given, text)
