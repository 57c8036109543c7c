"""Columns that begin or cease to count by themselves, and their sequences. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from todo_sql.catalog.changes import change_sequence
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import literal, plain, quoted, split_name
from todo_sql.catalog.snapshot import Snapshot


def recount(
    old: Item,
    new: Item,
    before: Snapshot,
    after: Snapshot,
    make: Callable[[Iterable[str]], Iterable[str]],
) -> tuple[list[str], list[str], str | None]:
    """Return what goes around the statements of a column, so that its numbers go on.

    The sequence of an identity is one of its own.

    Args:
        make: Returns the statements that make the sequences of some keys.

    Returns:
        The statements before the column's own, those after them, and the key of the sequence
        that needs nothing else.
    """
    first: list[str] = []
    last: list[str] = []
    settled = None
    source, target = _sequence_of(old, before), _sequence_of(new, after)
    if old["identity"] and new["identity"]:
        if source and target and source.name != target.name:
            first = [_rename(source, target.name), *change_sequence(source, target)]
    elif new["identity"] and target:
        aside = None
        if target.key in before.items:
            aside, settled = _aside(target, before), target.key
            first.append(_rename(target, aside))
        held = aside if source and target.name == source.name else source and source.name
        if held:
            last.append(_go_on(target, held))
        if aside:
            last.append(f"drop sequence {aside}")
    elif old["identity"] and source:
        wanted = target or after.items.get(source.key)
        if wanted is None or (wanted.key in before.items and wanted.key != source.key):
            return first, last, settled
        held = source.name
        if wanted.key == source.key:
            held, settled = _aside(source, before), wanted.key
            first += [_rename(source, held), *make([settled])]
        # Else its own difference makes it, before the default that names it.
        first.append(_go_on(wanted, held))
    return first, last, settled


def _sequence_of(column: Item, snapshot: Snapshot) -> Item | None:
    """Return the sequence that a column takes its numbers from."""
    if column["identity"]:
        owned = snapshot.of("sequence", column.parent)
        return next(
            (one for one in owned if one["identity"] and one["owned_by"] == column.name), None
        )
    needs = snapshot.needs.get(f"default {column.name}", ())
    return next((snapshot.items[key] for key in sorted(needs) if key.startswith("sequence ")), None)


def _aside(sequence: Item, snapshot: Snapshot) -> str:
    """Return a free name for a sequence that another takes the place of."""
    schema, name = split_name(sequence.name)
    aside = f"{schema}.{quoted(f'{plain(name)[:50]}_before')}"
    while f"sequence {aside}" in snapshot.items:
        aside = f"{schema}.{quoted(plain(split_name(aside)[1]) + '_')}"
    return aside


def _rename(sequence: Item, aside: str) -> str:
    return f"alter sequence {sequence.name} rename to {split_name(aside)[1]}"


def _go_on(sequence: Item, source: str) -> str:
    return (
        f"select pg_catalog.setval({literal(sequence.name)}, last_value, is_called) from {source}"
    )
