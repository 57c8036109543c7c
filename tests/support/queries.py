"""Short ways to named queries and to the mistakes of a text."""

from __future__ import annotations

from todo_sql.errors import Finding
from todo_sql.queries.loader import load_text, read_text
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import Source


def one_query(text: str) -> NamedQuery:
    """Return the only query of a text."""
    (query,) = load_text(Source("queries/test.sql", text))
    return query


def mistakes(text: str) -> list[Finding]:
    """Return the mistakes of a text."""
    return read_text(Source("queries/test.sql", text))[1]


def shown(text: str) -> list[str]:
    """Return the mistakes of a text as ``CODE line:column underlined``."""
    lines = []
    for finding in mistakes(text):
        place = finding.place
        assert place is not None and place.excerpt is not None
        word = place.excerpt[place.column - 1 : place.column - 1 + place.width]
        lines.append(f"{finding.code} {place.line}:{place.column} {word}")
    return lines
