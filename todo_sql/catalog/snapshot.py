"""What a live database holds, object by object, in a form that two databases share.

Read under an empty search_path, so that every name in a definition is qualified. OIDs,
statistics, sequence positions, our ledger and the members of extensions are left out;
columns carry their rank among the live ones; privileges are those that differ from the
ones an object is born with; PostgreSQL 18's named NOT NULL constraints are a flag of
the column, as on 15 to 17, with a name where PostgreSQL would have chosen another. Whoever
owns the ledger (else: whoever asks) appears as ``current_user``, so that two databases
migrated by different roles compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.item import KINDS, Item
from todo_sql.catalog.names import names, quoted, role
from todo_sql.catalog.needs import resolve
from todo_sql.catalog.read import many, reading
from todo_sql.catalog.settled import settled

if TYPE_CHECKING:
    from psycopg import Connection


Notes = tuple[Sequence[tuple[Item, Mapping[str, Any]]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Snapshot:
    """The catalog of one database at one moment.

    Attributes:
        version: The server's version number, such as 180004.
        items: Every object by its key, in the order of `KINDS` and names.
        roles: The cluster's roles by name; never compared with the objects.
        notes: What PostgreSQL notes of dependencies: the items with their places in its
            catalogs, and the rows of ``pg_depend``.
    """

    version: int
    items: Mapping[str, Item]
    roles: Mapping[str, Item]
    notes: Notes = field(default=((), ()), repr=False, compare=False)

    def of(self, kind: str, parent: str | None = None) -> Iterator[Item]:
        """Yield the items of a kind, or those of one parent (its key), in order."""
        for item in self.items.values() if parent is None else self.parts(parent):
            if item.kind == kind:
                yield item

    def parts(self, key: str) -> Sequence[Item]:
        """Return what belongs to the object of a key, in order."""
        return self._parts.get(key, ())

    @cached_property
    def needs(self) -> Mapping[str, frozenset[str]]:
        """By key, the keys of what must be there before it.

        Parts have keys of their own: ``default public.t.c``, ``query view public.v``,
        ``attach table public.p``, …
        """
        return resolve(*self.notes)

    @cached_property
    def parents(self) -> frozenset[str]:
        """The names of the tables that others inherit from."""
        return frozenset(name for table in self.of("table") for name in names(table["inherits"]))

    @cached_property
    def not_null_names(self) -> frozenset[str]:
        """The names of each NOT NULL that is not called as PostgreSQL would call it."""
        told = (column["not_null_name"] for column in self.of("column"))
        return frozenset(name for name in told if name)

    @cached_property
    def _parts(self) -> Mapping[str | None, Sequence[Item]]:
        found: dict[str | None, list[Item]] = {}
        for item in self.items.values():
            found.setdefault(item.parent, []).append(item)
        return found

    def __len__(self) -> int:
        return len(self.items)


_RARE = "other"
_ALWAYS = {*KINDS, "has_other", "role", "migrator", "dependency"} - {_RARE}


def take(connection: Connection[Any]) -> Snapshot:
    """Read the catalog in one flight, or two; read-only, takes no lock that blocks anyone.

    Works on an idle connection and inside a transaction, whose search_path it leaves as it was.
    """
    with reading(connection):
        found = many(connection, {name: {} for name in sorted(_ALWAYS)})
        # To plan this one takes as long as all others.
        there = found["has_other"][0]["found"]
        found |= many(connection, {_RARE: {}}) if there else {_RARE: []}
    migrator = found["migrator"][0]["migrator"]
    known = [_item(kind, row, migrator) for kind in KINDS for row in found[kind]]
    roles = [_item("role", row, migrator)[0] for row in found["role"]]
    return Snapshot(
        connection.info.server_version,
        {item.key: item for item in sorted((item for item, _ in known), key=rank)},
        {item.name: item for item in sorted(roles, key=lambda item: item.name)},
        (known, found["dependency"]),
    )


_PLACE = ("class", "oid", "attnum", "default_oid")
_ORDER = {kind: number for number, kind in enumerate(KINDS)}


def rank(item: Item) -> tuple[int, str, int, str]:
    """Return a sort key: by kind, columns in the order of their table, all else by name."""
    if item.kind == "column":
        return _ORDER[item.kind], item.parent or "", item["position"], item.name
    return _ORDER[item.kind], "", 0, item.name


def _item(kind: str, row: dict[str, Any], migrator: str) -> tuple[Item, dict[str, Any]]:
    """Return an object, and its place in PostgreSQL's catalogs."""
    place = {name: row.pop(name) for name in _PLACE if name in row}
    row.update({attribute: settled(value) for attribute, value in row.items()})
    name, parent = row.pop("object"), row.pop("parent", None)
    for attribute in ("owner", "grantee"):
        if row.get(attribute) == migrator:
            row[attribute] = "current_user"
    if kind == "policy":
        plain = quoted(migrator)
        roles = ("current_user" if name == plain else name for name in row["roles"].split(", "))
        row["roles"] = ", ".join(sorted(roles))
    elif kind == "other" and row["grantee"]:
        name = f"user mapping for {role(row['grantee'])} {name}"
    elif kind == "grant":
        name += row["grantee"]
    elif kind == "database_setting" and row["grantee"]:
        name = f"{row['name']} of {row['grantee']}"
    elif kind == "default_privilege":  # two roles may have one each
        name = f"of {row['owner']} on {name}{row['grantee']}"
    return Item(kind, name, parent, row), place
