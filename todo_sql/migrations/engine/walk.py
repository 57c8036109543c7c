"""How a table is walked through by a key: which key, and what asks for the next rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from todo_sql.catalog.names import quoted
from todo_sql.errors import Finding
from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine.settings import OURS
from todo_sql.migrations.files.batched import (
    BatchedStatement,
    BatchKey,
    NotBatched,
    refuse_assigned,
)
from todo_sql.migrations.files.directives import BatchBy
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.queries.own import bound
from todo_sql.wire.flight import FlightCommand, Reply

READING, COMMIT = FlightCommand("begin read only"), FlightCommand("commit")


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of a key, and whether it is a date or a time."""

    name: str
    date: bool

    def text(self, alias: str) -> str:
        """Return the expression for its value as text that reads the same in every session."""
        value = f"{alias}.{quoted(self.name)}"
        if self.date:
            return f"(pg_catalog.to_json({value}) operator(pg_catalog.#>>) '{{}}')"
        return f"{value}::pg_catalog.text"


@dataclass(frozen=True, slots=True)
class Walk:
    """The table that is walked through, and its key."""

    table: str
    key: BatchKey
    columns: tuple[KeyColumn, ...]

    def _texts(self, alias: str) -> str:
        return ", ".join(column.text(alias) for column in self.columns)

    def _order(self, alias: str, direction: str = "") -> str:
        return ", ".join(f"{alias}.{quoted(name)}{direction}" for name in self.key.columns)

    def greatest(self) -> FlightCommand:
        """Return the query for the greatest key."""
        return FlightCommand(
            f"select {self._texts('t')} from {self.table} as t "
            f"order by {self._order('t', ' desc')} limit 1"
        )

    def estimate(self) -> FlightCommand:
        """Return the query for how many rows the planner believes that there are."""
        return FlightCommand(f"explain (format json) select from {self.table}")

    def next(self, state: BatchState) -> FlightCommand:
        """Return the query for the last of the next keys, and how many they are."""
        assert state.last is not None
        conditions = self.key.beyond("t", 1, "<=")
        given = state.last
        if state.position is not None:
            conditions += f" and {self.key.beyond('t', 1 + len(given), '>')}"
            given += state.position
        return FlightCommand(
            f"with w as materialized (select {self._order('t')} from {self.table} as t "
            f"where {conditions} order by {self._order('t')} "
            f"limit ${len(given) + 1}::pg_catalog.int8) "
            f"select {self._texts('w')}, (select pg_catalog.count(*) from w)::pg_catalog.text "
            f"from w order by {self._order('w', ' desc')} limit 1",
            (*given, str(state.size)),
        )


def rows_of_plan(answer: Reply) -> int:
    """Return how many rows EXPLAIN expects."""
    return int(json.loads("".join(str(row[0]) for row in answer.rows))[0]["Plan"]["Plan Rows"])


def walk_of(
    link: MigrationLink, script: Script, made: BatchedStatement, before: Sequence[FlightCommand]
) -> Walk:
    """Return how the table of a statement is walked through, after what sets the session."""
    batch = script.directives.batch
    assert batch is not None
    oids = (f"pg_catalog.to_regclass(${n})::pg_catalog.oid::pg_catalog.text" for n in (1, 2))
    asked = FlightCommand(f"select {', '.join(oids)}", (made.table, batch.named))
    ((oid, named),) = link.fly([READING, *before, asked, COMMIT])[-2].rows
    nothing = "nothing was changed"
    if oid is None or oid != named:
        other = f"the statement's {made.table} is not the directive's {batch.named}"
        raise MigrationFailed(
            f"there is no table {batch.named}" if named is None else other,
            code="M342",
            place=script.place_of_directive("batch"),
            cause=f"along the search path of the migration; {nothing}",
            fix="name the table with its schema, in both",
        )
    table, keys = (bound(__package__, name, table=oid) for name in ("batch_table", "batch_keys"))
    looking = [READING, OURS, FlightCommand(*table), FlightCommand(*keys), COMMIT]
    *_, one, found, _ = link.fly(looking)
    chosen, wrong = key_among(found.rows if one.rows else (), script, batch, made)
    if wrong is not None:
        cause = f"{wrong.cause}; {nothing}" if wrong.cause else nothing
        raise MigrationFailed(
            wrong.message, code=wrong.code, place=wrong.place, cause=cause, fix=wrong.fix
        )
    first, *others = {column["schema"] for column in chosen}
    key = BatchKey(tuple(str(column["name"]) for column in chosen), None if others else first)
    columns = tuple(KeyColumn(str(column["name"]), bool(column["date"])) for column in chosen)
    return Walk(str(one.rows[0][0]), key, columns)


def key_among(
    found: Iterable[Sequence[object]], script: Script, batch: BatchBy, made: BatchedStatement
) -> tuple[list[dict[str, Any]], Finding | None]:
    """Return the columns of the key that a directive means, and what is wrong with it."""
    every = [(row[0] in ("t", True), json.loads(str(row[1]))) for row in found]
    known = "; ".join(", ".join(quoted(c["name"]) for c in columns) for _, columns in every)
    place = script.place_of_directive("batch")
    for primary, columns in every:
        names = [column["name"] for column in columns]
        if names == list(batch.by) or (primary and not batch.by):
            try:
                refuse_assigned(made, names)
            except NotBatched as error:
                return columns, Finding.error("M130", error.message, place, fix=error.fix)
            return columns, None
    return [], Finding.error(
        "M342",
        f"{batch.named} has no such key to go along in batches",
        place,
        cause="batches go along the primary key, or a unique btree index on plain columns that are "
        f"NOT NULL, in their order; {f'there is: {known}' if known else 'there is none'}",
        fix=f"write `-- batch: {batch.named} by COLUMN`, with the columns of such an index",
    )
