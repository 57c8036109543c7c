"""What the live catalog has that the migrations do not make, and the other way round. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.item import Item
from todo_sql.catalog.mend import mend
from todo_sql.catalog.names import options
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.errors import Finding


@dataclass(frozen=True, slots=True)
class Drift:
    """One object in which the live database differs.

    Attributes:
        difference: From the live catalog (before) to the migrated one (after).
        statements: What would make the live object as the migrations have it.
    """

    difference: Difference
    statements: tuple[str, ...]

    @property
    def mark(self) -> str:
        """Whether the database has more (+), lacks something (-), or differs (~)."""
        difference = self.difference
        if difference.kind in _PRIVILEGES:
            gained, lost = _privileges(difference)
            return "~" if gained and lost else "+" if gained else "-"
        return "-" if difference.before is None else "+" if difference.after is None else "~"

    @property
    def finding(self) -> Finding:
        """The shape that all reports share."""
        code, said = {
            "-": ("K101", "is missing"),
            "+": ("K102", "is in no migration"),
            "~": ("K103", "differs from what the migrations make"),
        }[self.mark]
        return Finding.error(
            code,
            f"{self.difference.item.key} {said}",
            cause="; ".join(self.sides()) or None,
            fix=" ".join(ended(map(_line, self.statements))) or None,
        )

    def sides(self) -> list[str]:
        """Return each attribute that differs, as live and as migrated."""
        if self.difference.kind in _PRIVILEGES:
            who = self.difference.item["grantee"]
            gained, lost = (", ".join(sorted(part)) for part in _privileges(self.difference))
            return [
                *([f"{who} has {gained}, which no migration grants"] if gained else ()),
                *([f"{who} lacks {lost}, which the migrations grant"] if lost else ()),
            ]
        return [
            f"{name.replace('_', ' ')} is {_value(live)}, migrated {_value(wanted)}"
            for name, (live, wanted) in self.difference.changes.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        before, after = self.difference.before, self.difference.after
        return {
            "kind": self.difference.kind,
            "object": self.difference.object,
            "live": dict(before.attributes) if before else None,
            "migrated": dict(after.attributes) if after else None,
            "mend": list(self.statements),
        }


def drift(live: Snapshot, migrated: Snapshot, ignore: Sequence[str] = ()) -> list[Drift]:
    """Compare a live catalog with the migrated one; the mending runs from top to bottom.

    Args:
        ignore: Patterns of keys that do not count, such as ``grant * to reporting``.
    """
    counted = [found for found in compare(live, migrated) if not is_ignored(found.item, ignore)]
    mending = mend(counted, live, migrated)
    return [Drift(mended.difference, tuple(mended.statements)) for mended in mending]


def ended(statements: Iterable[str]) -> Iterator[str]:
    """Yield statements with their semicolons; a comment has none."""
    for text in statements:
        yield text if text.startswith("--") else f"{text};"


_PRIVILEGES = ("grant", "default_privilege")


def _privileges(difference: Difference) -> tuple[set[str], set[str]]:
    """Return the privileges that the live side has more than the migrated one, and lacks."""

    def parts(item: Item | None, attribute: str) -> set[str]:
        return {part for part in ((item and item[attribute]) or "").split(", ") if part}

    live, made = difference.before, difference.after
    granted, wanted = parts(live, "granted"), parts(made, "granted")
    revoked, kept = parts(live, "revoked"), parts(made, "revoked")
    return (granted - wanted) | (kept - revoked), (wanted - granted) | (revoked - kept)


def is_ignored(item: Item, ignore: Sequence[str]) -> bool:
    """Tell whether an object, or what it belongs to, is one of the patterns of `ignore`."""
    keys = (item.key, item.parent or "")
    return any(fnmatchcase(key, pattern) for pattern in ignore for key in keys)


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return options(value) or "hidden"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _line(str(value))


def _line(text: str) -> str:
    return " ".join(text.split())
