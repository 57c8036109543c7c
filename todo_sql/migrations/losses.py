"""What a rollback would lose, or touch though it was never done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from todo_sql.catalog.names import dotted, quoted, relation_name
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine.settings import OURS
from todo_sql.migrations.files.migration import Migration
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.migration_errors import PlanError
from todo_sql.sql.grammar import Statement
from todo_sql.sql.walking import enum, strings
from todo_sql.wire.flight import Flight, FlightCommand

_MOST = 100_000  # counting stops here
_WRITES = ("insert_stmt", "merge_stmt")

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


def find(link: MigrationLink, migrations: Sequence[Migration]) -> list[Loss]:
    """Return what rolling these back would lose, where there is anything to lose; read-only."""
    scripts = [migration.rollback for migration in migrations if migration.rollback]
    statements = (statement for script in scripts for statement in script.statements)
    losses = []
    targets = dict.fromkeys(one for each in statements for one in _targets(link, each))
    for table, column in targets:
        what, where = table, ""
        if column is not None:
            what, where = f"{table}.{column}", f" where {column} is not null"
        # What is no table, or may not be read, has nothing that we could count; a view put
        # in a table's place would run whatever its maker likes.
        named = Flight(link.connection, [FlightCommand(_QUALIFIED, (table,))]).fly()[0].rows
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


def _targets(link: MigrationLink, statement: Statement) -> Iterator[tuple[str, str | None]]:
    """Yield the tables that a statement empties or drops, or a column of one; all quoted."""
    node = statement.root
    if statement.kind == "truncate_stmt":
        for relation in node.relations:
            yield relation_name(relation.range_var), None
    elif statement.kind == "delete_stmt":
        yield relation_name(node.relation), None
    elif statement.kind == "alter_table_stmt":
        for item in node.cmds:
            if enum(item.alter_table_cmd, "subtype") == "AT_DropColumn":
                yield relation_name(node.relation), quoted(item.alter_table_cmd.name)
    elif statement.kind == "drop_stmt" and enum(node, "remove_type") == "OBJECT_TABLE":
        for dropped in node.objects:
            yield dotted(*strings(dropped.list.items)), None
    elif statement.kind == "drop_stmt" and enum(node, "remove_type") == "OBJECT_SCHEMA":
        for dropped in node.objects:
            answers = link.fly([OURS, FlightCommand(_IN_SCHEMA, (dropped.string.sval,))])
            for row in answers[-1].rows:
                yield str(row[0]), None


def refuse_half_done(chosen: Iterable[Migration], ledger: Ledger) -> None:
    """Refuse a rollback that cannot tell the rows that batches have done from the others."""
    for migration in chosen:
        recorded = ledger.by_id.get(migration.id)
        progress = recorded.progress if recorded else None
        script = migration.rollback
        if progress is None or progress.direction != "apply" or script is None:
            continue
        state = progress.batch
        there, back = migration.forward.directives.batch, script.directives.batch
        along = there is not None and back is not None and there.table == back.table
        if state is None or not state.begun or along:
            continue
        for statement in script.statements:
            if _depends_on_rows(statement):
                raise PlanError(
                    f"{migration.id} is half done, and its rollback would write every row",
                    code="M216",
                    place=script.source.place(statement.start),
                    cause=f"{state} are done; nothing was changed",
                    fix="let the rollback run in batches along the same key (`-- batch:`), so that "
                    "it ends where the migration did; or finish with `todo-sql migrate` first",
                )


def _depends_on_rows(statement: Statement) -> bool:
    """Tell whether what a statement writes may be another for each row."""
    if statement.kind != "update_stmt":
        return statement.kind in _WRITES
    values = (target.res_target.val for target in statement.node.update_stmt.target_list)
    return any(
        not (value.type_cast.arg if value.HasField("type_cast") else value).HasField("a_const")
        for value in values
    )
