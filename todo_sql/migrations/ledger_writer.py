"""Makes the commands that change the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

import psycopg

from todo_sql.catalog.names import quoted
from todo_sql.migrations import vetting
from todo_sql.migrations.ledger import FORMAT, Ledger, Progress
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.migrations.target import Target
from todo_sql.wire.flight import FlightCommand

_COMMENT = "todo-sql ledger, format {}: what _yoyo_migration does not know; see todo-sql status"

# What stands for a value in a statement that is made once.
_ID, _ROW, _WHEN, _CHECKSUM, _SECONDS = "\0id", "\0row", "\0when", "\0checksum", "\0seconds"
_NOW = "(pg_catalog.statement_timestamp() at time zone 'utc')"
_NUMBER = re.compile(r'"(?:[^"]|"")*"|\$(\d+)')


class Writer:
    """Makes the commands that change the ledger of a target."""

    def __init__(self, target: Target) -> None:
        from todo_sql.migrations.backend import Expression, YoyoBackend

        self._target = target
        self._yoyo = YoyoBackend(target.schema)
        self._now = Expression(_NOW)
        self._table = f"{quoted(target.schema)}._todo_sql_ledger"
        self._runs = f"{quoted(target.schema)}.{vetting.REPEATABLE}"
        self._version = version("todo-sql")
        self._guard = self._guarded()
        self._markings: dict[tuple[str, bool], tuple[str, tuple[str, ...]]] = {}

    def _guarded(self, *more: str) -> list[FlightCommand]:
        schema = self._target.schema
        return vetting.guard(schema, quoted(schema), *more) if self._target.shared else []

    def create(self, ledger: Ledger, *, repeats: bool = False) -> list[FlightCommand]:
        """Return the commands that make what is missing of the tables, and what `repeats` needs."""
        commands = [] if ledger.complete else self._yoyo.create(self._now)
        if not self._target.placed and not ledger.complete:
            make = f"create schema if not exists {quoted(self._target.schema)}"
            commands.insert(0, FlightCommand(make))
        if not ledger.extended:
            commands += [
                FlightCommand(
                    f"""create table {self._table} (
    migration_id varchar(255) not null,
    position bigint generated always as identity,
    checksum varchar(64),
    applied_at_utc timestamp,
    duration_ms bigint,
    progress text,
    tool_version text not null,
    constraint _todo_sql_ledger_pkey primary key (migration_id)
)"""
                ),
                FlightCommand(f"comment on table {self._table} is '{_COMMENT.format(FORMAT)}'"),
            ]
        if repeats and not ledger.repeats:
            commands += [
                FlightCommand(
                    f"""create table {self._runs} (
    position bigint generated always as identity,
    name varchar(255) not null,
    checksum varchar(64) not null,
    sql text not null,
    after_id varchar(255),
    applied_at_utc timestamp not null,
    duration_ms bigint,
    tool_version text not null,
    constraint _todo_sql_repeatable_pkey primary key (position)
)"""
                ),
                FlightCommand(
                    f"comment on table {self._runs} is "
                    "'todo-sql: the texts of repeatable files that ran; see todo-sql status'"
                ),
            ]
        return commands

    def _on_runs(self, sql: str, *values: str) -> list[FlightCommand]:
        return [*self._guarded(vetting.REPEATABLE), FlightCommand(sql, values)]

    def _on_ledger(self, sql: str, *values: str) -> list[FlightCommand]:
        return [*self._guard, FlightCommand(sql, values)]

    def repeated(self, name: str, checksum: str, sql: str) -> list[FlightCommand]:
        """Return the commands that record the run of a repeatable file."""
        schema = quoted(self._target.schema)
        return self._on_runs(
            f"insert into {self._runs} "
            "(name, checksum, sql, after_id, applied_at_utc, duration_ms, tool_version) "
            "values ($1, $2, $3, "
            f"(select m.migration_id from {schema}._yoyo_migration as m "
            "order by m.applied_at_utc desc, m.migration_id desc limit 1), "
            f"{_NOW}, (extract(epoch from pg_catalog.clock_timestamp() - "
            "pg_catalog.transaction_timestamp()) * 1000)::pg_catalog.int8, $4)",
            *(name, checksum, sql, self._version),
        )

    def unrepeated(self, position: int) -> list[FlightCommand]:
        """Return the commands that take back the record of a run of a repeatable file."""
        sql = f"delete from {self._runs} where position = $1::pg_catalog.int8"
        return self._on_runs(sql, str(position))

    def forgotten(self, name: str) -> list[FlightCommand]:
        """Return the commands that strike a repeatable file from the ledger."""
        return self._on_runs(f"delete from {self._runs} where name = $1", name)

    def applied(
        self,
        id: str,
        checksum: str | None,
        *,
        seconds: float | None = None,
        log: str = "apply",
        at: datetime | None = None,
    ) -> list[FlightCommand]:
        """Return the commands that record a migration as applied.

        Args:
            checksum: Of its file, or None: unverified.
            seconds: How long it took; None: since the transaction began.
            log: The operation that `_yoyo_log` names: apply, or mark where nothing ran.
            at: When it was applied, in UTC; default: now.
        """
        from todo_sql.migrations.backend import hash_of, new_row

        text, stands_for = self._marking(log, now=at is None)
        values = {
            _ID: id,
            hash_of(_ID): hash_of(id),
            _ROW: new_row(),
            _WHEN: str(at),
            _CHECKSUM: checksum,
            _SECONDS: None if seconds is None else str(seconds),
        }
        marking = FlightCommand(text, tuple(values.get(v, v) for v in stands_for), kept=True)
        return [*self._guard, marking]

    def _marking(self, log: str, *, now: bool) -> tuple[str, tuple[str, ...]]:
        """Return the statement that marks a migration as applied, and what its values stand for.

        Yoyo's rows and ours are written by one statement: three take the server longer.
        """
        if (log, now) not in self._markings:
            ours = FlightCommand(
                f"insert into {self._table} "
                "(migration_id, checksum, applied_at_utc, duration_ms, tool_version) "
                f"values ($1, $2, {_NOW if now else '$5::pg_catalog.timestamp'}, "
                "(coalesce($3::pg_catalog.float8, "
                "extract(epoch from pg_catalog.clock_timestamp() - "
                "pg_catalog.transaction_timestamp())) * 1000)::pg_catalog.int8, $4) "
                "on conflict (migration_id) do update set position = default, "
                "checksum = excluded.checksum, applied_at_utc = excluded.applied_at_utc, "
                "duration_ms = excluded.duration_ms, progress = null, "
                "tool_version = excluded.tool_version",
                (_ID, _CHECKSUM, _SECONDS, self._version, _WHEN),
            )
            when = self._now if now else _WHEN
            commands = [*self._yoyo.mark(_ID, when, log=log, row=_ROW), ours]
            self._markings[log, now] = _as_one(commands)
        return self._markings[log, now]

    def verified(self, id: str, checksum: str, applied_at: datetime) -> list[FlightCommand]:
        """Return the command that gives an applied migration the checksum of a file."""
        return self._on_ledger(
            f"insert into {self._table} as l "
            "(migration_id, checksum, applied_at_utc, tool_version) "
            "values ($1, $2, $3::pg_catalog.timestamp, $4) "
            "on conflict (migration_id) do update set "
            "checksum = excluded.checksum, applied_at_utc = excluded.applied_at_utc",
            *(id, checksum, str(applied_at), self._version),
        )

    def rolled_back(self, id: str, *, log: str = "rollback") -> list[FlightCommand]:
        """Return the commands that record a migration as rolled back."""
        return [
            *self._guard,
            *self._yoyo.unmark(id, self._now, log=log),
            FlightCommand(f"delete from {self._table} where migration_id = $1", (id,)),
        ]

    def succeeded(self, former: Sequence[str], id: str) -> list[FlightCommand]:
        """Return the commands by which runs of repeatable files follow a squashed migration."""
        return self._on_runs(
            f"update {self._runs} set after_id = $1 where after_id in "
            "(select pg_catalog.json_array_elements_text($2::pg_catalog.json))",
            *(id, json.dumps(list(former))),
        )

    def settled(self) -> list[FlightCommand]:
        """Return commands that leave nothing, but whose commit waits for all commits before it.

        Without a row that is written, PostgreSQL's commit would wait for nothing.
        """
        sql = f"insert into {self._table} (migration_id, tool_version) values ('', $1)"
        return [
            *self._on_ledger(sql, self._version),
            FlightCommand(f"delete from {self._table} where migration_id = ''"),
        ]

    def locked(self, id: str, progress: Progress) -> FlightCommand:
        """Return the command that locks a row, and fails (`NOT_HELD`) unless it says this."""
        return FlightCommand(
            "select 1 operator(pg_catalog./) coalesce((select case when l.progress "
            f"operator(pg_catalog.=) $2 then 1 else 0 end from {self._table} as l "
            "where l.migration_id operator(pg_catalog.=) $1 for update), 0)",
            (id, progress.dump()),
        )

    def progress(self, id: str, progress: Progress) -> list[FlightCommand]:
        """Return the command that records how far a non-transactional file has come."""
        return self._on_ledger(
            f"insert into {self._table} as l (migration_id, progress, tool_version) "
            "values ($1, $2, $3) "
            "on conflict (migration_id) do update set progress = excluded.progress",
            *(id, progress.dump(), self._version),
        )


def _as_one(commands: Sequence[FlightCommand]) -> tuple[str, tuple[str, ...]]:
    """Return one statement that does what several do, and its values, each once."""
    numbers: dict[str, int] = {}

    def renumbered(command: FlightCommand) -> str:
        def number(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            value = str(command.parameters[int(match[1]) - 1])
            return f"${numbers.setdefault(value, len(numbers) + 1)}"

        return _NUMBER.sub(number, command.sql)

    *first, last = map(renumbered, commands)
    parts = ", ".join(f"w{number} as ({text})" for number, text in enumerate(first))
    return f"with {parts} {last}", tuple(numbers)


def unwritable(error: psycopg.Error, target: Target) -> LedgerError:
    """Return the error for a ledger whose tables cannot be made or changed."""
    return LedgerError(
        f"the ledger cannot be written: {error.diag.message_primary}",
        sqlstate=error.sqlstate,
        code="M404",
        cause=f"PostgreSQL {error.sqlstate} in schema {target.schema} as role "
        f"{target.role}; nothing was changed",
        fix="let the migrating role create tables there, or migrate as the schema's owner",
    )
