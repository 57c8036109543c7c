"""The parts of a ``:page`` query: its keys and its page size. Pure.

What they may look like, and why, stands in `todo_sql.queries.keyset`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from todo_sql.queries.clauses import Words
from todo_sql.queries.query_errors import ShapeError
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """One item of ORDER BY: a column of the result, its name as written, and how it sorts."""

    column: str
    sql: str
    descending: bool
    nulls_first: bool
    offset: int


@dataclass(frozen=True, slots=True)
class PageParts:
    """The parts of one variant of a ``:page`` query.

    Attributes:
        body: Where the outer select begins, behind a ``with``.
        order: Where ORDER BY begins.
        limit: The text of the page size, ``$2`` or ``50``, which stands at ``limit_at``.
    """

    variant: Variant
    body: int
    order: int
    keys: tuple[Key, ...]
    limit: str
    limit_at: int

    @property
    def size(self) -> str | int:
        """The parameter that holds the page size, or the constant."""
        if self.limit.startswith("$"):
            return self.variant.parameters[int(self.limit[1:]) - 1]
        return int(self.limit)


def plan(variant: Variant) -> PageParts:
    """Take a variant of a ``:page`` query apart.

    Raises:
        ShapeError: It has not the form that pages need; offsets are those of ``variant.sql``.
    """
    words = Words.of(variant.sql)
    texts, tokens = words.texts, words.tokens
    if texts[0] not in ("select", "with"):
        raise words.wrong(0, "a :page query is a select", "begin it with `select` or `with`")
    body, order, limit = (next(words.clauses(one), None) for one in ("select", "order", "limit"))
    ending = "end it with `order by KEY, … limit :limit`; the last key is unique"
    if body is None or order is None:
        raise words.wrong(0, "a :page query has no `order by`", ending)
    for index in words.clauses("offset", "fetch", "for"):
        raise words.wrong(index, f"a :page query has no `{texts[index]}`", "leave it out")
    last = len(tokens) - 1
    if limit is None or limit < order or limit + 1 != last:
        surplus = limit is not None and order < limit < last - 1
        index = limit + 2 if limit is not None and surplus else last
        raise words.wrong(index, "a :page query does not end with `limit :limit`", ending)
    if texts[body + 1 : body + 3] == ("distinct", "on"):
        message = "a :page query cannot order by other keys than `distinct on` does"
        raise words.wrong(body + 1, message, "put the `distinct on` into a `with`", last=body + 2)
    if tokens[last].kind not in (Kind.POSITIONAL, Kind.NUMBER):
        message = "the page size is no parameter and no whole number"
        raise words.wrong(last, message, "write `limit :limit`")
    keys = tuple(_key(words, item, body) for item in words.items(order + 2, limit))
    return PageParts(
        variant, tokens[body].start, tokens[order].start, keys, texts[last], tokens[last].start
    )


def _key(words: Words, item: Sequence[int], body: int) -> Key:
    texts, tokens = words.texts, words.tokens

    def wrong(message: str) -> ShapeError:
        fix = "select it as a column and order by the column's name"
        return words.wrong(item[0], message, fix, last=item[-1])

    rest = list(item)
    nulls_first = None
    if len(rest) > 2 and texts[rest[-2]] == "nulls":
        nulls_first = texts[rest[-1]] == "first"
        rest = rest[:-2]
    descending = texts[rest[-1]] == "desc"
    if len(rest) > 1 and texts[rest[-1]] in ("asc", "desc"):
        rest = rest[:-1]
    names = [index for index in rest if tokens[index].kind in (Kind.WORD, Kind.QUOTED)]
    if len(names) * 2 - 1 != len(rest) or any(texts[index] != "." for index in rest[1::2]):
        raise wrong("a page is ordered by columns of its result")
    column = sql = texts[rest[-1]]
    if tokens[rest[-1]].kind is Kind.QUOTED:
        column = sql[1:-1].replace('""', '"')
    if len(names) > 1 and not _selects(words, body, [texts[index] for index in rest]):
        qualified = "".join(texts[index] for index in rest)
        raise wrong(f"`{qualified}` is not a column of the result")
    first = descending if nulls_first is None else nulls_first
    return Key(column, sql, descending, first, tokens[item[0]].start)


def _selects(words: Words, body: int, wanted: list[str]) -> bool:
    """Tell whether the select list holds ``t.name`` (or ``t.name as name``)."""
    end = next((index for index in words.clauses("from") if index > body), len(words.texts))
    items = [[words.texts[index] for index in item] for item in words.items(body + 1, end)]
    name = wanted[-1]
    return any(item in (wanted, [*wanted, "as", name], [*wanted, name]) for item in items)
