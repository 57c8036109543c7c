"""The texts that one named query can become, and the choice among them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeVar

from todo_sql.queries.named import NamedQuery

T = TypeVar("T")


class _Unset(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = _Unset.UNSET
Unset = Literal[_Unset.UNSET]


def given(value: T | None) -> T | Unset:
    """Turn None into UNSET: the line that needs this value is left out."""
    return UNSET if value is None else value


@dataclass(frozen=True, slots=True)
class Variant:
    """One text of a query, ready to be prepared.

    Attributes:
        sql: The text with ``$1``, ``$2``, …
        parameters: The names of ``$1``, ``$2``, …
        given: The optional parameters that this text needs.
        cases: The value of each ``-- case`` parameter.
    """

    sql: str
    parameters: tuple[str, ...]
    given: frozenset[str]
    cases: Mapping[str, str]

    def source_offset(self, offset_in_sql: int) -> int:
        """Return the offset in the query's source of a 0-based character offset in `sql`."""
        raise NotImplementedError


def variants(query: NamedQuery) -> Iterator[Variant]:
    """Yield every text of a query, for check: all given first."""
    raise NotImplementedError


def choose(query: NamedQuery, arguments: Mapping[str, object]) -> Variant:
    """Return the text for a call's arguments.

    An argument that is UNSET or absent is not given. Defaults are the caller's business
    (`NamedQuery.defaults`).

    Raises:
        BadParameter: Missing, surplus, partly given group, or unknown case value.
    """
    raise NotImplementedError
