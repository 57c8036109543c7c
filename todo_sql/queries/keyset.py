"""Pages by keyset: the texts of a ``:page`` query. Pure, and without the grammar.

How a page is read, for those who build on this:

A ``:page`` query ends with ``order by KEYS limit :limit`` (any parameter, or a whole
number). A key is a column of the result by its name, or ``t.name`` where the select list
holds ``t.name`` under that very name; each with ``asc``/``desc`` and ``nulls first``/
``last``. So a key means the same inside the query and around it, and this rewriting is
sound without knowing the tables:

    select page.*, page.created_at::text, page.id::text
    from (
    select … from tasks where user_id = $1                          -- as written
    ) as page
    where (page.created_at, page.id) < ($3, $4)                     -- after the cursor's row
    order by page.created_at desc, page.id desc
    limit $2::bigint + 1                                            -- is there more?

(A leading ``with`` stays in front.) PostgreSQL pulls a plain select up into the outer
query, so the predicate is an index condition.

* The last ``len(variant.keys)`` columns are the keys as text, for the next cursor; they
  are no part of the caller's row.
* A cursor's values are the parameters named ``cursor.KEY``, sent as text of unknown type:
  PostgreSQL reads them as the type of the key, and what it wrote it reads back exactly.
  A NULL in a cursor is no parameter but another text (``is null``).
* Which keys are NOT NULL is the compiler's proof: ``generate`` writes it into the package
  (``not_null=("created_at", "id")``), the session hands it in. It only makes texts
  better. Where a nullable first key has nulls behind the cursor's value, or values behind
  its null, the rows behind it lie in two ranges of an index; each is read by a select of its
  own, and ``union all`` joins them.
* Going back walks the reversed order; `todo_sql.queries.cursor.make_page` turns it round.
* The compiler prepares `page_variants`, describes the plain `variants` (their columns are
  the caller's row), and reports a last key that is not unique.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from todo_sql.queries.cursor import Cursor
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.order import Key, PageParts, plan
from todo_sql.queries.query_errors import BadCursor, BadParameter
from todo_sql.queries.variants import Variant, choose, variants


@dataclass(frozen=True, slots=True)
class PageVariant(Variant):
    """One text of a ``:page`` query.

    Attributes:
        keys: The columns of the order; the last columns of each row are these as text.
        back: Whether rows come in reversed order.
        size: The parameter that holds the page size, or the constant; one row more is asked for.
    """

    keys: tuple[str, ...] = ()
    back: bool = False
    size: str | int = 0


def choose_page(
    query: NamedQuery,
    arguments: Mapping[str, object],
    cursor: Cursor | None = None,
    not_null: frozenset[str] = frozenset(),
) -> PageVariant:
    """Return the text for a call's arguments and its place in the walk.

    The values of the cursor are those of `Cursor.values`. A case that was left at its
    default follows the cursor's.

    Raises:
        BadParameter: As `todo_sql.queries.variants.choose` says, or a page size below 1.
        BadCursor: The cursor was made under another case.
    """
    if cursor is not None:
        arguments = _with_cases(query, arguments, cursor)
    variant = choose(query, arguments)
    nulls = None if cursor is None or cursor.keys is None else cursor.nulls
    back = cursor is not None and cursor.back
    key = (variant.given, tuple(variant.cases.items()), back, nulls, not_null)
    found: PageVariant | None = query.made.get(key)
    if found is None:
        parts = plan(variant)
        if nulls is not None and len(nulls) != len(parts.keys):
            raise BadCursor("the cursor does not fit the order of this query")
        found = query.made[key] = _compose(parts, back, nulls, not_null)
    return found


def page_size(variant: PageVariant, arguments: Mapping[str, object]) -> int:
    """Return how many rows the page of a call holds.

    Raises:
        BadParameter: It is not a whole number from 1.
    """
    size = variant.size
    if isinstance(size, int):
        return size
    value = arguments[size]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"a page holds 1 row or more, not {value!r}"
        raise BadParameter(message, size, fix="pass a number from 1")
    return value


def page_variants(
    query: NamedQuery, not_null: frozenset[str] = frozenset()
) -> Iterator[PageVariant]:
    """Yield every text of a ``:page`` query, for check."""
    for variant in variants(query):
        parts = plan(variant)
        patterns = [(False,) if key.column in not_null else (False, True) for key in parts.keys]
        for back in (False, True):
            yield _compose(parts, back, None, not_null)
            for nulls in product(*patterns):
                yield _compose(parts, back, nulls, not_null)


def _with_cases(
    query: NamedQuery, arguments: Mapping[str, object], cursor: Cursor
) -> Mapping[str, object]:
    for name, case in query.cases.items():
        value, chosen = arguments.get(name, case.default), cursor.cases[name]
        if isinstance(value, str) and value not in (chosen, case.default):
            raise BadCursor(f"the cursor walks by {name} {chosen!r}, not {value!r}")
    return {**arguments, **cursor.cases}


def _compose(
    parts: PageParts, back: bool, nulls: tuple[bool, ...] | None, not_null: frozenset[str]
) -> PageVariant:
    """Write the text of one page; `nulls` tells which values of the cursor are NULL."""
    base = parts.variant
    keys = [
        replace(key, descending=key.descending != back, nulls_first=key.nulls_first != back)
        for key in parts.keys
    ]
    parameters = list(base.parameters)
    ranges = [""]
    if nulls is not None:
        values: list[str | None] = [None] * len(keys)
        for index, key in enumerate(keys):
            if not nulls[index]:
                parameters.append(f"cursor.{key.column}")
                values[index] = f"${len(parameters)}"
        ranges = [f"where {condition}\n" for condition in _ranges(keys, values, not_null)]
    text = _KeyText(base)
    text.copy(0, parts.body)
    casts = "".join(f", page.{key.sql}::text" for key in keys)
    text.write(f"select page.*{casts}\nfrom (\n", parts.order)
    if len(ranges) == 1:
        text.write_range(parts, keys, ranges[0])
    else:
        for index, condition in enumerate(ranges):
            union = "\nunion all\n" if index else ""
            text.write(f"{union}(select page.*\nfrom (\n", parts.order)
            text.write_range(parts, keys, condition)
            text.write(")", parts.order)
        text.write("\n) as page\n", parts.order)
        text.write_order(parts, keys)
    return PageVariant(
        text.sql,
        tuple(parameters),
        base.given,
        base.cases,
        tuple(text.origins),
        tuple(key.column for key in keys),
        back,
        parts.size,
    )


def _sorted_by(key: Key) -> str:
    usual = key.nulls_first == key.descending
    nulls = "" if usual else f" nulls {'first' if key.nulls_first else 'last'}"
    return f"page.{key.sql}{' desc' if key.descending else ''}{nulls}"


def _ranges(
    keys: Sequence[Key], values: Sequence[str | None], not_null: frozenset[str]
) -> list[str]:
    """Return the conditions for the rows behind the cursor's, one for each range of an index."""
    key, value = keys[0], values[0]
    column = f"page.{key.sql}"
    if value is None and key.nulls_first:
        ties = _after(keys[1:], values[1:], not_null)
        return [f"{column} is null and {ties}", f"{column} is not null"]
    if value is not None and not key.nulls_first and key.column not in not_null:
        return [_after(keys, values, not_null | {key.column}), f"{column} is null"]
    return [_after(keys, values, not_null)]


def _after(keys: Sequence[Key], values: Sequence[str | None], not_null: frozenset[str]) -> str:
    """Return the condition for rows behind the cursor's in the order of the walk.

    Keys of one direction whose nulls cannot come behind the value are compared as a row,
    which is an index condition; a null makes the comparison null, which leaves the row out.
    """
    if not keys:
        return "false"
    key, value = keys[0], values[0]
    column = f"page.{key.sql}"
    rest = _after(keys[1:], values[1:], not_null)
    if value is None and rest == "false":
        return f"{column} is not null" if key.nulls_first else rest
    if value is None and key.nulls_first:
        return f"({column} is not null or {rest})"
    if value is None:
        return f"{column} is null and {rest}"
    sign = "<" if key.descending else ">"
    if not key.nulls_first and key.column not in not_null:
        tie = "" if rest == "false" else f" or ({column} = {value} and {rest})"
        return f"({column} {sign} {value} or {column} is null{tie})"
    run = 1
    while run < len(keys) and _comparable(keys[run], values[run], key, not_null):
        run += 1
    left = _row([f"page.{key.sql}" for key in keys[:run]])
    right = _row([value for value in values[:run] if value is not None])
    rest = _after(keys[run:], values[run:], not_null)
    if rest == "false":
        return f"{left} {sign} {right}"
    return f"{left} {sign}= {right} and ({left} {sign} {right} or {rest})"


def _comparable(key: Key, value: str | None, first: Key, not_null: frozenset[str]) -> bool:
    return (
        value is not None
        and key.descending == first.descending
        and (key.nulls_first or key.column in not_null)
    )


def _row(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"({', '.join(items)})"


class _KeyText:
    """Builds a text from stretches of a variant and of our own, keeping their origins."""

    def __init__(self, base: Variant) -> None:
        self._base = base
        self._parts: list[str] = []
        self._length = 0
        self.origins: list[tuple[int, int, bool]] = []

    @property
    def sql(self) -> str:
        return "".join(self._parts)

    def copy(self, start: int, end: int) -> None:
        """Copy a stretch of the variant with its origins."""
        base = self._base
        if start >= end:
            return
        index = bisect_right(base.origins, start, key=lambda origin: origin[0]) - 1
        for at, source, copied in base.origins[max(0, index) :]:
            if at >= end:
                break
            begin = max(at, start)
            skipped = begin - at if copied else 0
            self.origins.append((self._length + begin - start, source + skipped, copied))
        self._append(base.sql[start:end])

    def write(self, text: str, at: int) -> None:
        """Write our own text, on behalf of offset `at` of the variant."""
        self.origins.append((self._length, self._base.source_offset(at), False))
        self._append(text)

    def write_range(self, parts: PageParts, keys: Sequence[Key], condition: str) -> None:
        """Write the query as written with a condition around it."""
        self.copy(parts.body, len(self._base.sql[: parts.order].rstrip()))
        self.write(f"\n) as page\n{condition}", parts.order)
        self.write_order(parts, keys)

    def write_order(self, parts: PageParts, keys: Sequence[Key]) -> None:
        """Write ORDER BY and LIMIT."""
        self.write("order by ", parts.order)
        for index, key in enumerate(keys):
            self.write((", " if index else "") + _sorted_by(key), key.offset)
        self.write(f"\nlimit {parts.limit}::bigint + 1", parts.limit_at)

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
