"""Whether a text that was corrected still means the same: by its parse trees. Pure."""

from __future__ import annotations

from itertools import islice

from todo_sql.migrations.files.directives import leading_comments
from todo_sql.queries.loader import read_text
from todo_sql.queries.variants import variants
from todo_sql.review.linting.tree import shape
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.source import Source

_VARIANTS = 64  # of a query; the others are made of the same lines


def same(before: Source, after: Source, *, query: bool) -> bool:
    """Return whether two texts are proved to mean the same, directives included.

    Args:
        before: The one.
        after: The other.
        query: Whether it is a file of named queries; else of a migration.
    """
    try:
        if query:
            return _queries(before) == _queries(after)
        said = [
            [comment.strip() for _, comment in leading_comments(one.text)]
            for one in (before, after)
        ]
        return said[0] == said[1] and _trees(before.text) == _trees(after.text)
    except (GrammarError, _Unproved):
        return False


class _Unproved(Exception):
    """A tree is not whole, or a file holds mistakes."""


def _trees(text: str) -> list[str]:
    found = parse(text)
    if any(one.unseen for one in found):
        raise _Unproved
    return [shape(one.node) for one in found]


def _queries(source: Source) -> list[tuple[str, str, list[list[str]]]]:
    queries, findings = read_text(source)
    if findings:
        raise _Unproved
    return [
        (
            query.name,
            query.doc,
            [_trees(variant.sql) for variant in islice(variants(query), _VARIANTS)],
        )
        for query in queries
    ]
