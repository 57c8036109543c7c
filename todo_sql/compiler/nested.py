"""Nested models: which columns with a dot make one, and when it is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from todo_sql.compiler.described import NestedModel, pascal
from todo_sql.compiler.models import is_field
from todo_sql.compiler.proof.nullability import Claims
from todo_sql.compiler.proof.sides import Side
from todo_sql.errors import Finding
from todo_sql.queries.named import NamedQuery


def nests(names: Sequence[str]) -> bool:
    """Whether columns of these names make a nested model."""
    return any("." in name for name in names) and (
        len(names) > 1 or all(map(is_field, names[0].split(".")))
    )


def paths(names: Iterable[str]) -> list[str]:
    """Return the dotted names of the models that these columns make, an outer one first."""
    split = [name.split(".") for name in names]
    found = (".".join(parts[:depth]) for parts in split for depth in range(1, len(parts)))
    return list(dict.fromkeys(found))


def nesting(
    query: NamedQuery, names: Sequence[str], claims: Iterable[Claims], findings: list[Finding]
) -> tuple[tuple[NestedModel, ...], dict[int, bool]]:
    """Return the nested models of a query; what is wrong with one is added to `findings`.

    Args:
        names: Of its columns.
        claims: What is proved of each variant.

    Returns:
        The models, an outer one before those in it; and by the index of a column, whether it
        has a value where its model is there.
    """
    arms = [(claim.columns, arm) for claim in claims for arm in claim.sides or [[]]]
    found: list[NestedModel] = []
    inside: dict[int, bool] = {}
    called = {"": query.model or pascal(query.name) + "Row"}
    for path in paths(names):
        outer, _, last = path.rpartition(".")
        directive = query.models.get(path)
        called[path] = directive.model if directive else called[outer] + pascal(last)
        own = [index for index, name in enumerate(names) if name.rpartition(".")[0] == path]
        said = {at: one.nullable for at in own if (one := query.columns.get(names[at]))}
        told = [_told(own, said, columns, arm) for columns, arm in arms]
        missing = any(one.missing for one in told)
        inside |= {index: all(index in one.values for one in told) for index in own}
        witnesses = [index for index in own if all(index in one.witnesses for one in told)]
        override = query.columns.get(path)
        if override is not None and override.nullable is not None:
            missing = override.nullable
        if missing and not witnesses:
            if not any(columns[index] for columns, _ in arms for index in own):
                findings.append(_no_witness(query, path, names[own[0]] if own else path))
            missing = False
        witness = names[witnesses[0]] if missing else None
        found.append(NestedModel(path, called[path], missing, witness))
    return tuple(found), inside


class _Facts(NamedTuple):
    """What one text of a query tells of one nested model, by index of column."""

    missing: bool
    values: set[int]
    witnesses: set[int]


def _told(
    own: list[int], said: dict[int, bool | None], columns: Sequence[bool], arm: Sequence[Side]
) -> _Facts:
    plain = {index for index in own if columns[index] or (index < len(arm) and arm[index].plain)}
    sure = {index for index, nullable in said.items() if nullable is False}
    unsure = {index for index, nullable in said.items() if nullable}
    sides = {index: arm[index] for index in own} if len(arm) == len(columns) else {}
    holes = [one.holes for one in sides.values() if one.holes is not None]
    shared = frozenset.intersection(*holes) if holes else frozenset()
    if not shared:
        return _Facts(False, (plain | sure) - unsure, (plain | sure) - unsure)
    solid = {index for index, one in sides.items() if one.holes == shared and one.solid}
    values = (plain | solid | sure) - unsure
    witnesses = {index for index in values - plain if shared <= sides[index].nulls}
    return _Facts(True, values, witnesses)


def _no_witness(query: NamedQuery, path: str, column: str) -> Finding:
    message = f"nothing tells whether `{path}` of `{query.name}` is there"
    cause = "it comes from the side of an outer join that may be missing, and each of its columns "
    cause += "may be NULL by itself"
    fix = f'select its key, too, as in … as "{path}.id", or declare a column that never is NULL '
    fix += f'where the row is there: -- column: "{column}" not null'
    return Finding("C127", "error", message, query.place(), cause, fix)


def wrong_names(query: NamedQuery, names: Sequence[str]) -> list[Finding]:
    """Return what is wrong with the names of a query whose columns nest."""
    found = []
    known = paths(names)
    cause = "a dot in the name of a column nests it: each part becomes a field of a model"
    for number, name in enumerate(names, start=1):
        message = None
        if "." in name and not all(map(is_field, name.split("."))):
            message = f"column {number} of `{query.name}` is named `{name}`"
        elif name in known:
            message = f"`{query.name}` has a column `{name}` and columns in it"
        if message:
            fix = "name it otherwise with `as`"
            found.append(Finding("C108", "error", message, query.place(), cause, fix))
    cause = f"its nested rows are {', '.join(known) or 'none'}"
    for path, directive in query.models.items():
        if path not in known:
            message = f"`{query.name}` has no columns in `{path}`"
            fix = f'write columns such as … as "{path}.id", or take the directive out'
            found.append(Finding("C106", "error", message, directive.place, cause, fix))
    return found
