"""The shape of the tables of a copy (columns, constraints, keys, partitions), and its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Found = Mapping[str, list[Row]]
Columns = dict[int, dict[int, Row]]


def queries(since: int | None) -> dict[str, dict[str, object]]:
    """Return the named queries that read a shape, or what changed of it since a transaction."""
    kinds = ("columns", "constraints", "indexes", "children", "domains")
    return {f"shape_{kind}": {"since": since} for kind in kinds}


@dataclass(frozen=True)
class ShapeChange:
    """What one statement changed of the shape.

    Attributes:
        before: The columns of each changed table, by its oid and their number.
        after: The same, now.
        not_null: Columns that may no longer be null.
        constraints: Those that hold now and did not.
        indexes: Unique ones that are new.
        domains: Those that may no longer be null.
        children: Those that came to a parent.
        dropped: Columns that are gone from a table that stays, as they were.
        renamed: Columns, as they were and as they are.
    """

    before: Mapping[int, Mapping[int, Row]] = field(default_factory=dict)
    after: Mapping[int, Mapping[int, Row]] = field(default_factory=dict)
    not_null: Sequence[Row] = ()
    constraints: Sequence[Row] = ()
    indexes: Sequence[Row] = ()
    domains: Sequence[Row] = ()
    children: Sequence[Row] = ()
    dropped: Sequence[Row] = ()
    renamed: Sequence[tuple[Row, Row]] = ()


NOTHING = ShapeChange()


class TableShape:
    """The shape as of the last look, beginning with what the queries without `since` found."""

    def __init__(self, found: Found, version: int) -> None:
        self._marks_unproved = version >= 180000  # NOT NULL … NOT VALID
        self.columns: Columns = {}
        self.domains: dict[int, Row] = {}
        self.parents: dict[int, set[int]] = {}
        self._held: dict[int, bool] = {}
        self.constraints: dict[int, Row] = {}
        self.indexes: dict[int, Row] = {}
        self.update(found)

    def update(self, found: Found) -> ShapeChange:
        """Take in what changed, and return it."""
        before, touched = self._take_columns(found["shape_columns"])
        not_null = [
            now
            for oid, columns in touched.items()
            for number, now in columns.items()
            if now["not_null"] and not before[oid].get(number, {}).get("not_null")
        ]
        constraints, proved = [], set()
        for row in found["shape_constraints"]:
            if row["validated"] and not self._held.get(row["oid"]):
                if row["form"] != "n":
                    constraints.append(row)
                elif row["table_oid"]:
                    proved.add((row["table_oid"], row["columns"][0]))
            self._held[row["oid"]] = row["validated"]
            self.constraints[row["oid"]] = row
        if self._marks_unproved:
            not_null = [
                self.columns[oid][number]
                for oid, number in sorted(proved)
                if number in self.columns.get(oid, {}) and not self.columns[oid][number]["proved"]
            ]
            for column in not_null:
                column["proved"] = True
        indexes = [row for row in found["shape_indexes"] if row["oid"] not in self.indexes]
        self.indexes |= {row["oid"]: row for row in indexes}
        children = []
        for row in found["shape_children"]:
            parents = self.parents.setdefault(row["oid"], set())
            if row["parent_oid"] not in parents:
                parents.add(row["parent_oid"])
                children.append(row)
        domains = [
            row
            for row in found["shape_domains"]
            if row["not_null"] and not self.domains.get(row["oid"], {}).get("not_null")
        ]
        self.domains |= {row["oid"]: row for row in found["shape_domains"]}
        dropped, renamed = [], []
        for oid, columns in before.items():
            for number, was in columns.items():
                now = touched[oid].get(number)
                above = (before.get(parent, {}).values() for parent in self.parents.get(oid, ()))
                if any(was["name"] == column["name"] for columns in above for column in columns):
                    continue  # it is told of the parent, whose columns changed, too
                if now is None:
                    dropped.append(was)
                elif now["name"] != was["name"]:
                    renamed.append((was, now))
        gained = not_null, constraints, indexes, domains, children
        return ShapeChange(before, touched, *gained, dropped, renamed)

    def topmost(self, oids: set[int]) -> set[int]:
        """Return tables without those that have a parent among them."""
        return {oid for oid in oids if not self.parents.get(oid, set()) & oids}

    def linked(self, oids: set[int]) -> set[int]:
        """Return tables with all that foreign keys and parents link to them."""
        links = [
            (row["table_oid"], row["references_oid"])
            for row in self.constraints.values()
            if row["references_oid"]
        ]
        links += [(oid, up) for oid, parents in self.parents.items() for up in parents]
        while True:
            more = {a for a, b in links if b in oids} | {b for a, b in links if a in oids}
            if more <= oids:
                return oids
            oids = oids | more

    def _take_columns(self, found: list[Row]) -> tuple[Columns, Columns]:
        """Return the columns of the tables that changed, as they were and as they are."""
        before: Columns = {}
        for row in found:
            columns = self.columns.setdefault(row["oid"], {})
            before.setdefault(row["oid"], dict(columns))
            if row["dropped"]:
                columns.pop(row["number"], None)
            else:
                kept = columns.get(row["number"], {}).get("proved", False)
                columns[row["number"]] = row | {"proved": kept and row["not_null"]}
        return before, {oid: self.columns[oid] for oid in before}

    def of_domain(self, oid: int) -> list[Row]:
        """Return the columns whose type is a domain, or one over it."""
        types = {oid}
        while over := {d["oid"] for d in self.domains.values() if d["base_oid"] in types} - types:
            types |= over
        found = (column for columns in self.columns.values() for column in columns.values())
        return [column for column in found if column["type_oid"] in types]
