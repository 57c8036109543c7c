"""Makes rows for whatever tables a catalog has, and reads them back for comparison.

The rows are made from the catalog alone: types, foreign keys, and the literals that CHECK
constraints name. What a constraint still refuses is tried again with other values.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import literal, quoted
from todo_sql.catalog.read import ours
from todo_sql.catalog.snapshot import Snapshot

ROWS = 2
_TRIES = 40

Rows = Mapping[str, list[dict[str, Any]]]
"""The rows of each table, by qualified name."""

_VALUES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"text|character|varchar|citext", ("a", "value {n}", "user{n}@example.org", "{n:032d}")),
    (r"smallint|integer|bigint|numeric|real|double precision|money", ("{n}", "0", "100")),
    (r"boolean", ("true", "false")),
    (r"date|timestamp", ("2026-06-{day:02d}", "2026-05-04", "2000-01-01")),
    (r"time", ("12:{day:02d}",)),
    (r"interval", ("{n} hours",)),
    (r"uuid", ("00000000-0000-4000-8000-{n:012d}",)),
    (r"jsonb?", ('{{"n": {n}}}',)),
    (r"bytea", ("\\x{n:04x}",)),
    (r"inet|cidr", ("10.0.0.{day}",)),
    (r"macaddr", ("08:00:2b:01:02:{day:02x}",)),
    (r"bit", ("1",)),
    (r"tsvector|xml", ("word",)),
    (r"\w*range", ("empty",)),
)


def fill(connection: Connection[Any], snapshot: Snapshot, tables: Iterable[str]) -> list[str]:
    """Insert rows into each of `tables` (qualified names); return those that took none."""
    wanted = set(tables)
    maker = _Maker(connection, snapshot)
    tables = {table.name: table for table in fillable(snapshot)}
    return [
        name
        for name in parents_first(snapshot, tables)
        if name in wanted and not sum(maker.insert(tables[name]) for _ in range(ROWS))
    ]


def read(connection: Connection[Any], snapshot: Snapshot) -> Rows:
    """Return every row of every table, a column by name."""
    tables = [table.name for table in fillable(snapshot)]
    if not tables:
        return {}
    parts = (
        f"select {number} as n, pg_catalog.to_jsonb(r.*) as row from {table} as r"
        for number, table in enumerate(tables)
    )
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in tables}
    for number, row in connection.execute(" union all ".join(parts).encode()):
        found[tables[number]].append(row)
    return found


def remove(connection: Connection[Any], snapshot: Snapshot) -> bool:
    """Take all rows away; return whether there were any, and they are gone."""
    if not any(read(connection, snapshot).values()):
        return False
    names = ", ".join(table.name for table in fillable(snapshot))
    try:
        connection.execute(f"truncate {names} cascade".encode())
    except psycopg.Error:  # a trigger, a privilege
        return False
    return True


def lost(before: Rows, after: Rows, kept: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the tables in which a row of `before` is missing from `after`.

    Of each table that is compared, `kept` names the columns that are.
    """
    found = []
    for table, columns in kept.items():
        names = sorted(columns)
        needs, has = (
            Counter(repr([row.get(name) for name in names]) for row in rows.get(table, ()))
            for rows in (before, after)
        )
        if needs - has:
            found.append(table)
    return found


def fillable(snapshot: Snapshot) -> list[Item]:
    """Return the tables that take rows of their own: partitions take their parent's."""
    return [
        table
        for table in snapshot.of("table")
        if table["form"] != "foreign" and not table["partition_bound"]
    ]


def parents_first(snapshot: Snapshot, names: Iterable[str]) -> list[str]:
    """Return tables in an order in which what they refer to comes first, but for circles."""
    left, ordered = list(names), list[str]()
    needs: dict[str, set[str]] = {name: set() for name in left}
    for constraint in snapshot.of("constraint"):
        name = (constraint.parent or "").removeprefix("table ")
        if name in needs and constraint["references"] in needs:
            needs[name].add(constraint["references"])
    while left:
        ready = [name for name in left if needs[name] <= {name, *ordered}] or left[:1]
        ordered += ready
        left = [name for name in left if name not in ready]
    return ordered


class _Maker:
    def __init__(self, connection: Connection[Any], snapshot: Snapshot) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._number = 0

    def insert(self, table: Item) -> bool:
        """Insert one row; return whether the table took it."""
        chance = random.Random(table.name)
        for _ in range(_TRIES):
            self._number += 1
            values = self._values(table, chance)
            if values is None:
                return False
            try:
                with self._connection.transaction():
                    self._connection.execute(_insert(table, values).encode())
                return True
            except (psycopg.IntegrityError, psycopg.DataError):
                continue
            except psycopg.Error:
                return False  # a trigger, a privilege, a partition that is not there
        return False

    def _values(self, table: Item, chance: random.Random) -> dict[str, str | None] | None:
        columns = list(self._snapshot.of("column", table.key))
        values = self._references(table, columns)
        if values is None:
            return None
        for column in columns:
            name = column["name"]
            if name in values or column["generated"] or column["identity"]:
                continue
            if column["default"] is not None and chance.random() < 0.5:
                continue
            candidates = self._candidates(table, column)
            if candidates:
                values[name] = chance.choice(candidates)
        return values

    def _references(self, table: Item, columns: list[Item]) -> dict[str, str | None] | None:
        """Choose rows of the referenced tables that agree with each other, or None."""
        values: dict[str, str | None] = {}
        required = {column["name"] for column in columns if column["not_null"]}
        keys = [
            item
            for item in self._snapshot.of("constraint", table.key)
            if item["form"] == "foreign key" and not item["of_partition"]
        ]
        for key in sorted(keys, key=lambda item: -len(item["columns"])):
            targets = _referenced_columns(key["definition"])
            known = [
                f"{target} = {literal(values[name] or '')}"
                for name, target in zip(key["columns"], targets, strict=True)
                if values.get(name) is not None
            ]
            with ours(self._connection):
                row = self._connection.execute(
                    f"select {', '.join(f'{target}::text' for target in targets)} "
                    f"from {key['references']} {'where ' + ' and '.join(known) if known else ''} "
                    f"order by md5({targets[-1]}::text || '{self._number}') limit 1".encode()
                ).fetchone()
            for name, value in zip(key["columns"], row or (None,) * len(targets), strict=True):
                if values.get(name) is None:
                    values[name] = value
        # A key that is partly null refers to nothing; what is required must refer to something.
        return None if any(values[name] is None for name in values.keys() & required) else values

    def _candidates(self, table: Item, column: Item) -> list[str]:
        kind, name = column["type"], column["name"]
        domain = self._snapshot.items.get(f"domain {kind}")
        checks = [
            item["definition"]
            for item in self._snapshot.of("constraint", table.key)
            if item["form"] == "check" and name in (item["columns"] or ())
        ]
        if domain is not None:
            kind = domain["type"]
            checks += [one["definition"] for one in self._snapshot.of("constraint", domain.key)]
        enum = self._snapshot.items.get(f"type {kind}")
        if enum is not None and enum["form"] == "enum":
            return [label.strip("'") for label in enum["definition"].split(", ")]
        if kind.endswith("[]"):
            return ["{}"]
        named = [text for check in checks for text in re.findall(r"'((?:[^']|'')+)'", check)]
        for pattern, values in _VALUES:
            if re.match(rf"(?:{pattern})\b", kind):
                day = self._number % 28 + 1
                made = [value.format(n=self._number, day=day) for value in values]
                return [*named, *named, *made] if pattern.startswith("text") else made
        return []


def _insert(table: Item, values: Mapping[str, str | None]) -> str:
    names = ", ".join(map(quoted, values))
    texts = ", ".join("null" if value is None else literal(value) for value in values.values())
    what = f"({names}) values ({texts})" if values else "default values"
    return f"insert into {table.name} {what}"


def _referenced_columns(definition: str) -> list[str]:
    """Return the columns that a foreign key refers to, of a temporal one without ``PERIOD``."""
    name = r'(?:"(?:[^"]|"")+"|\w+)'
    listed = rf"(?:PERIOD )?{name}"
    match = re.search(rf"REFERENCES {name}(?:\.{name})?\(({listed}(?:, {listed})*)\)", definition)
    assert match is not None
    return list(re.findall(rf"(?:PERIOD )?({name})", match[1]))
