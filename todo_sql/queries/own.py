"""The package's own queries: each room keeps those it asks a server in a folder ``queries``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from todo_sql.queries.loader import load_text
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import choose
from todo_sql.sql.source import Source


@cache
def named_queries(room: str) -> Mapping[str, NamedQuery]:
    """Return every query by name of the .sql files in a room's folder ``queries``.

    Args:
        room: The package; mostly the caller's ``__package__``.
    """
    folder = resources.files(room) / "queries"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return {
        query.name: query
        for file in files
        for query in load_text(Source.from_bytes(file, (folder / file).read_bytes()))
    }


def bound(room: str, name: str, /, **arguments: str | None) -> tuple[str, tuple[str | None, ...]]:
    """Return the text of a query, and its arguments in the order of ``$1``, ``$2``, …"""
    variant = choose(named_queries(room)[name], arguments)
    return variant.sql, tuple(arguments[parameter] for parameter in variant.parameters)
