"""Cursors of ``:page`` queries, and the page that a caller gets. Pure.

A cursor is opaque text: which query made it, under which cases, in which direction, and
the key values of the row that it stands at. A digest tells a cut, changed or foreign one.
It is no signature: who forges a cursor may start the walk of this query anywhere, which
shows no row that the query would not show anyway.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, TypeVar

from todo_sql.queries.named import FINGERPRINT_SIZE, NamedQuery
from todo_sql.queries.query_errors import BadCursor

R = TypeVar("R")

_DIGEST_SIZE = 8


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a result.

    Attributes:
        items: The rows, in the order of the query.
        next: The cursor of the page behind, or None on the last one.
        previous: The cursor of the page before, or None on the first one.
    """

    items: list[R]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins.

    Attributes:
        back: Whether it lies before the row of `keys`.
        keys: The key values of a row as PostgreSQL writes them; None: the edge, that is the
            first page, or going back the last.
        cases: The value of each ``-- case`` parameter.
    """

    back: bool
    keys: tuple[str | None, ...] | None
    cases: Mapping[str, str] = field(default_factory=dict)

    @property
    def nulls(self) -> tuple[bool, ...]:
        """Which of the keys are NULL."""
        return tuple(value is None for value in self.keys or ())

    @property
    def values(self) -> list[str]:
        """The values of the ``cursor.…`` parameters, in their order."""
        return [value for value in self.keys or () if value is not None]


def encode(query: NamedQuery, cursor: Cursor) -> str:
    """Return the text that a caller passes on."""
    content = [int(cursor.back), cursor.keys, dict(cursor.cases)]
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    name = query.fingerprint
    return _written(name + _digest(name, payload) + payload)


def decode(query: NamedQuery, text: str) -> Cursor:
    """Return the cursor that a caller passed.

    Raises:
        BadCursor: It is not one that this query made, or it was changed.
    """
    name = query.fingerprint
    try:
        token = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, AttributeError):
        raise BadCursor("the cursor cannot be read") from None
    payload = token[FINGERPRINT_SIZE + _DIGEST_SIZE :]
    digest = token[FINGERPRINT_SIZE : FINGERPRINT_SIZE + _DIGEST_SIZE]
    if digest != _digest(token[:FINGERPRINT_SIZE], payload) or _written(token) != text:
        raise BadCursor("the cursor is cut or was changed")
    if token[:FINGERPRINT_SIZE] != name:
        raise BadCursor(
            f"the cursor is not one of query `{query.name}`",
            cause="another query made it, or this query was changed since",
        )
    try:
        back, keys, cases = json.loads(payload)
        known = {name: case.values for name, case in query.cases.items()}
        sound = cases.keys() == known.keys() and all(cases[name] in known[name] for name in known)
        if sound and all(key is None or isinstance(key, str) for key in keys or ()):
            return Cursor(bool(back), None if keys is None else tuple(keys), cases)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # `encode` did not write it
    raise BadCursor("the cursor was forged")


def make_page(
    query: NamedQuery,
    cursor: Cursor | None,
    cases: Mapping[str, str],
    rows: Sequence[tuple[R, tuple[str | None, ...]]],
    size: int,
) -> Page[R]:
    """Return the page of the rows that a text of `todo_sql.queries.keyset` gave.

    Args:
        cursor: The one that was passed, or None.
        cases: Those of the chosen variant.
        rows: Each row with its keys as text, in the order in which they came.
        size: Rows a page; one more came if there is more.
    """
    back = cursor is not None and cursor.back
    edge = cursor is None or cursor.keys is None
    more = len(rows) > size
    rows = rows[:size]

    onward = turned = None  # for going on in the direction of the walk, for turning round
    if more:
        onward = encode(query, Cursor(back, rows[-1][1], cases))
    if not edge:
        turned = encode(query, Cursor(not back, rows[0][1] if rows else None, cases))
    items = [item for item, _ in rows]
    if back:
        return Page(items[::-1], next=turned, previous=onward)
    return Page(items, next=onward, previous=turned)


def _written(token: bytes) -> str:
    return urlsafe_b64encode(token).rstrip(b"=").decode()


def _digest(name: bytes, payload: bytes) -> bytes:
    return blake2b(payload, key=name, digest_size=_DIGEST_SIZE).digest()
