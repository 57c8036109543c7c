"""``:copyfrom`` queries: the table and columns of their ``insert … values``. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from todo_sql.queries.clauses import Words
from todo_sql.queries.query_errors import ShapeError
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind

_USAGE = "write `insert into TABLE (COLUMN, …) values (:a, …)`"


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """Where rows are copied to.

    Attributes:
        table: As written, with its schema if that was written.
        columns: As written.
        parameters: The parameter of each column.
        tail: An ``on conflict …`` clause, or nothing; COPY itself knows none, so with one the
            rows go through a temporary table.
    """

    table: str
    columns: tuple[str, ...]
    parameters: tuple[str, ...]
    tail: str = ""


def copy_target(variant: Variant) -> CopyTarget:
    """Take the statement of a ``:copyfrom`` query apart.

    Raises:
        ShapeError: It has another form; offsets are those of ``variant.sql``.
    """
    words = Words.of(variant.sql)
    texts, tokens = words.texts, words.tokens

    def wrong(index: int, message: str) -> ShapeError:
        return words.wrong(min(index, len(tokens) - 1), message, _USAGE)

    if texts[:2] != ("insert", "into"):
        raise wrong(0, "a :copyfrom query is an `insert into`")
    opening = 3
    while opening + 1 < len(texts) and texts[opening] == ".":
        opening += 2
    if len(texts) <= opening or texts[opening] != "(":
        raise wrong(opening, "a :copyfrom query names its columns after the table")
    table = variant.sql[tokens[2].start : tokens[opening - 1].end]
    closing = _closing(words, opening)
    columns = tuple(texts[item[0]] for item in words.items(opening + 1, closing))
    if texts[closing + 1 : closing + 3] != ("values", "("):
        raise wrong(closing + 1, "a :copyfrom query has one row of `values`")
    first = closing + 3
    end = _closing(words, first - 1)
    if end == len(texts):
        raise wrong(end, "the row of `values` is not closed")
    parameters = []
    for item in words.items(first, end):
        if len(item) != 1 or tokens[item[0]].kind is not Kind.POSITIONAL:
            raise wrong(item[0], "a :copyfrom query takes parameters only")
        parameters.append(variant.parameters[int(texts[item[0]][1:]) - 1])
    if len(parameters) != len(columns):
        raise wrong(first, f"{len(columns)} columns, but {len(parameters)} values")
    tail = ""
    if end + 1 < len(texts):
        if texts[end + 1] != "on" or any(t.kind is Kind.POSITIONAL for t in tokens[end + 1 :]):
            raise wrong(end + 1, "only an `on conflict` without parameters may follow")
        for index in words.clauses("returning"):
            raise wrong(index, "a :copyfrom query returns no rows")
        tail = variant.sql[tokens[end + 1].start :]
    return CopyTarget(table, columns, tuple(parameters), tail)


def _closing(words: Words, opening: int) -> int:
    depth = words.depths[opening]
    for index in range(opening + 1, len(words.texts)):
        if words.texts[index] == ")" and words.depths[index] == depth:
            return index
    return len(words.texts)
