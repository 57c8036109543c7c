"""What a rollback would lose: the tables and columns that its statements drop or empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from todo_sql.catalog.names import dotted, quoted, relation_name
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine.settings import OURS
from todo_sql.migrations.files.migration import Migration
from todo_sql.sql.grammar import Statement
from todo_sql.sql.walking import enum, strings
from todo_sql.wire.flight import Flight, FlightCommand

_MOST = 100_000  # counting stops here

_QUALIFIED = (
    "select pg_catalog.format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class as c "
    "join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace "
    "where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1) "
    "and c.relkind operator(pg_catalog.=) any ('{r,p}'::pg_catalog.\"char\"[])"
)
# Where policies hide rows the count would be theirs; the statement will not get far, either.
_ALL_OR_NONE = FlightCommand("select pg_catalog.set_config('row_security', 'off', true)")

_IN_SCHEMA = (
    "select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) "
    "from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = $1"
)


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows or values that would be gone.

    Attributes:
        what: The table, or ``table.column``, or the table that is emptied in part.
        rows: How many rows hold something there; `at_least` if counting stopped.
    """

    what: str
    rows: int
    at_least: bool

    def __str__(self) -> str:
        number = f"more than {_MOST:,}" if self.at_least else f"{self.rows:,}"
        return f"{self.what} ({number} {'row' if number == '1' else 'rows'})"


@dataclass(frozen=True, slots=True)
class _Target:
    """A quoted table name, and a quoted column of it or None."""

    table: str
    column: str | None = None


def find(link: MigrationLink, migrations: Sequence[Migration]) -> list[Loss]:
    """Return what rolling these back would lose, where there is anything to lose; read-only."""
    targets: dict[_Target, None] = {}
    for migration in migrations:
        if migration.rollback is None:
            continue
        for statement in migration.rollback.statements:
            for target in _targets(link, statement):
                targets[target] = None
    losses = []
    for target in targets:
        what = target.table if target.column is None else f"{target.table}.{target.column}"
        where = f" where {target.column} is not null" if target.column else ""
        # What is no table, or may not be read, has nothing that we could count; a view put
        # in a table's place would run whatever its maker likes.
        named = Flight(link.connection, [FlightCommand(_QUALIFIED, (target.table,))]).fly()[0].rows
        if not named:
            continue
        count = (
            "select pg_catalog.count(*) from "
            f"(select from {named[0][0]}{where} limit {_MOST + 1}) as counted"
        )
        answer = Flight(link.connection, [OURS, _ALL_OR_NONE, FlightCommand(count)]).fly()[-1]
        rows = int(answer.rows[0][0] or 0) if answer.rows else 0
        if rows:
            losses.append(Loss(what.replace('"', ""), min(rows, _MOST), rows > _MOST))
    return losses


def _targets(link: MigrationLink, statement: Statement) -> Iterator[_Target]:
    node = statement.root
    if statement.kind == "truncate_stmt":
        for relation in node.relations:
            yield _Target(relation_name(relation.range_var))
    elif statement.kind == "delete_stmt":
        yield _Target(relation_name(node.relation))
    elif statement.kind == "alter_table_stmt":
        for item in node.cmds:
            if enum(item.alter_table_cmd, "subtype") == "AT_DropColumn":
                yield _Target(relation_name(node.relation), quoted(item.alter_table_cmd.name))
    elif statement.kind == "drop_stmt":
        yield from _dropped(link, node)


def _dropped(link: MigrationLink, node: Any) -> Iterator[_Target]:
    kind = enum(node, "remove_type")
    if kind == "OBJECT_TABLE":
        for dropped in node.objects:
            yield _Target(dotted(*strings(dropped.list.items)))
    elif kind == "OBJECT_SCHEMA":
        for dropped in node.objects:
            answers = link.fly([OURS, FlightCommand(_IN_SCHEMA, (dropped.string.sval,))])
            for row in answers[-1].rows:
                yield _Target(str(row[0]))
