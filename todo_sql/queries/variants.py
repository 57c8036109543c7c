"""The texts that one named query can become, and the choice among them. Pure.

`choose` is on the path of every call: the texts are cached by what was given, on the
query itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from math import prod
from typing import Final, TypeVar

from todo_sql.queries.mistakes import did_you_mean
from todo_sql.queries.named import Cardinality, Case, NamedQuery
from todo_sql.queries.query_errors import BadParameter

T = TypeVar("T")

_LIMIT = re.compile(r"\blimit\s+\Z", re.IGNORECASE)
_FEW = 3  # entries of lists of which every choice is checked
_MOST_CACHED = 4096  # texts by order of arguments; a generated function has one order


class Unset(Enum):
    """The type of `UNSET`: an argument that is not given, as opposed to None, which is NULL."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET


def given(value: T | None) -> T | Unset:
    """Turn None into UNSET: the line that needs this value is left out."""
    return UNSET if value is None else value


@dataclass(frozen=True, slots=True)
class Variant:
    """One text of a query, ready to be prepared.

    Attributes:
        sql: The text with ``$1``, ``$2``, …, without line comments.
        parameters: The names of ``$1``, ``$2``, …
        given: The optional parameters that this text needs.
        cases: The value of each ``-- case`` parameter.
        origins: Where each stretch of `sql` begins and where it comes from in the source, in
            order; and whether it was copied, or stands for what is there, as ``$1`` does.
    """

    sql: str
    parameters: tuple[str, ...]
    given: frozenset[str] = frozenset()
    cases: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[tuple[int, int, bool], ...] = ((0, 0, True),)

    def source_offset(self, offset_in_sql: int) -> int:
        """Return the offset in the query's source of a 0-based character offset in `sql`.

        An offset inside ``$1`` gives the colon of the parameter there.
        """
        index = bisect_right(self.origins, offset_in_sql, key=lambda origin: origin[0]) - 1
        at, source, copied = self.origins[max(0, index)]
        return source + offset_in_sql - at if copied else source


def variants(query: NamedQuery) -> Iterator[Variant]:
    """Yield the texts of a query for check, the one with all lines and defaults first.

    They are every text, but for many entries of a list: see `kept_entries`.
    """
    for cases in cases_of(query):
        for chosen in product(*_kept(query), *query.alternatives):
            given = frozenset().union(*chosen)
            if all(query.within.get(name, given) <= given for name in given):
                yield compose(query, given, cases)


def _kept(query: NamedQuery) -> Iterator[list[frozenset[str]]]:
    """Yield what is to be chosen from: each group is kept or not, entries of lists as below."""
    nothing: frozenset[str] = frozenset()
    listed = [group for group in query.free if group in query.entries]
    apart = listed if len(listed) > _FEW else []
    for group in query.free:
        if group not in apart:
            yield [group, nothing]
    if apart:
        yield kept_entries(apart)


def kept_entries(groups: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Return the choices of entries of a list that stand for all: what is wrong shows in one.

    An entry that fails, fails alone; two that cannot stand together do not with all. That a comma
    is missing or left over shows with none, or where one of them is left out: each has its comma
    on the same side, or a text without one of them is wrong.
    """
    every: frozenset[str] = frozenset().union(*groups)
    return [every, frozenset(), *groups, *(every - group for group in groups)]


def count_variants(
    groups: Collection[frozenset[str]],
    cases: Mapping[str, Case],
    choices: Collection[Collection[str]] = (),
    entries: Collection[frozenset[str]] = (),
) -> int:
    """Return how many texts are checked of a query with these optional parameters and cases.

    Args:
        groups: Optional parameters, in sets that are given together or not at all.
        choices: Of which one is given.
        entries: Those of the groups that are entries of lists.
    """
    chosen = {name for choice in choices for name in choice}
    listed = sum(not group & chosen for group in entries)
    free = len(groups) - sum(map(len, choices))
    most = 1 << free if listed <= _FEW else (1 << (free - listed)) * (2 * listed + 2)
    return most * prod(map(len, choices)) * prod(len(one.values) for one in cases.values())


def cases_of(query: NamedQuery) -> Iterator[dict[str, str]]:
    """Yield every choice of case values, the defaults first."""
    values = [
        [case.default, *(value for value in case.values if value != case.default)]
        for case in query.cases.values()
    ]
    for chosen in product(*values):
        yield dict(zip(query.cases, chosen, strict=True))


def compose(query: NamedQuery, given: frozenset[str], cases: Mapping[str, str]) -> Variant:
    """Return the text for a set of optional parameters and a value for every case."""
    source = query.source.text
    absent = query.optional - given
    parts: list[str] = []
    origins: list[tuple[int, int, bool]] = []
    numbers: dict[str, int] = {}
    length = 0
    is_page = query.cardinality is Cardinality.PAGE  # which casts its size itself
    for segment in query.segments:
        if segment.needs and segment.needs & absent:
            continue
        if segment.cases and any(cases[name] != value for name, value in segment.cases):
            continue
        for piece in segment.pieces:
            if piece.parameter is None:
                part = source[piece.start : piece.end]
            else:
                part = f"${numbers.setdefault(piece.parameter, len(numbers) + 1)}"
                cast = query.casts.get(piece.parameter)
                if cast and not (is_page and _LIMIT.search(parts[-1] if parts else "")):
                    part = f"({part}::{cast})"
            origins.append((length, piece.start, piece.parameter is None))
            parts.append(part)
            length += len(part)
    return Variant("".join(parts).rstrip(), tuple(numbers), given, cases, tuple(origins))


def choose(query: NamedQuery, arguments: Mapping[str, object]) -> Variant:
    """Return the text for a call's arguments.

    An argument that is UNSET or absent is not given. Defaults are the caller's business
    (`NamedQuery.defaults`).

    Raises:
        BadParameter: Missing, surplus, partly given group, or unknown case value.
    """
    key: tuple[object, ...] = tuple(
        [name for name, value in arguments.items() if value is not UNSET]
    )
    if query.cases:
        key += tuple([arguments.get(name, UNSET) for name in query.cases])
    try:
        variant: Variant = query.made[key]
        return variant
    except (KeyError, TypeError):
        pass
    variant = compose(query, *check_arguments(query, arguments))
    if len(query.made) >= _MOST_CACHED:
        query.made.clear()
    query.made[key] = variant
    return variant


def check_arguments(
    query: NamedQuery, arguments: Mapping[str, object]
) -> tuple[frozenset[str], dict[str, str]]:
    """Return the optional parameters that are given, and the value of every case.

    Raises:
        BadParameter: As `choose` says.
    """

    def wrong(message: str, name: str, fix: str, cause: str | None = None) -> BadParameter:
        return BadParameter(f"query `{query.name}` {message}", name, cause=cause, fix=fix)

    for name in arguments:
        if name not in query.names and name not in query.cases:
            known = [*query.names, *query.cases]
            fix = did_you_mean(name, known, f"it takes {', '.join(known) or 'none'}")
            raise wrong(f"has no parameter `{name}`", name, fix)
    present = {name for name, value in arguments.items() if value is not UNSET}
    for name in query.names:
        if name in query.required and name not in present:
            raise wrong(f"needs `{name}`", name, "pass it; None means NULL")
    for group in query.groups:
        missing = sorted(group - present)
        if missing and len(missing) < len(group):
            together = " and ".join(f"`{name}`" for name in query.names if name in group)
            fix = f"pass `{missing[0]}`, too"
            raise wrong(f"needs {together} together, or none of them", missing[0], fix)
    for name, outer in query.within.items():
        if name in present and (missing := sorted(outer - present)):
            cause = f"its lines stand in brackets that are left out without `{missing[0]}`"
            fix = f"pass `{missing[0]}`, too, or leave `{name}` out"
            raise wrong(f"takes `{name}` only with `{missing[0]}`", name, fix, cause)
    for choice in query.choices:
        there = [f"`{name}`" for name in choice if name in present]
        if len(there) != 1:
            cause = f"the call gives {' and '.join(there) or 'none of them'}; nothing was sent"
            fix = "pass one of them and leave the others out (UNSET)"
            raise wrong(f"needs exactly one of {_all_of(choice)}", choice[0], fix, cause)
    cases = {}
    for name, case in query.cases.items():
        value = arguments.get(name, UNSET)
        if value is UNSET:
            value = case.default
        if not isinstance(value, str) or value not in case.values:
            fix = did_you_mean(str(value), case.values, f"use {' or '.join(case.values)}")
            raise wrong(f"has no {name} {value!r}", name, fix)
        cases[name] = str(value)
    return query.optional & present, cases


def _all_of(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def exactly_one(model: T, *choices: tuple[str, ...]) -> T:
    """Return a model of parameters that gives exactly one field of each choice.

    Raises:
        ValueError: It gives none or several; pydantic makes a ValidationError of it.
    """
    for choice in choices:
        if sum(getattr(model, name) is not UNSET for name in choice) != 1:
            raise ValueError(f"give exactly one of {_all_of(choice)}")
    return model
