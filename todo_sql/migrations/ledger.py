"""The ledger: what was applied, by which file, how far.

`_yoyo_migration` is the truth about what is applied and stays readable by plain yoyo,
as does `_yoyo_log`. `_todo_sql_ledger` beside them knows what yoyo does not: the file's
checksum, the duration, and how far a non-transactional file has come. A row there
counts only while it agrees with yoyo's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import psycopg

from todo_sql.catalog.names import quoted
from todo_sql.migrations import vetting
from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import FlightCommand, Reply

FORMAT = 1
_TIME = "'YYYY-MM-DD\"T\"HH24:MI:SS.US'"

Direction = Literal["apply", "rollback"]


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One statement of a non-transactional file that was begun.

    Attributes:
        done: Whether it is known to have been done.
        batch: How far it has come, where it runs in batches.
    """

    hash: str
    sql: str
    done: bool
    batch: BatchState | None = None

    def dump(self) -> dict[str, object]:
        """Return what the ledger keeps, for JSON."""
        found: dict[str, object] = {"hash": self.hash, "sql": self.sql, "done": self.done}
        return found if self.batch is None else found | {"batch": self.batch.dump()}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a non-transactional file has come."""

    direction: Direction
    steps: tuple[RecordedStep, ...] = ()

    def dump(self) -> str:
        """Return the JSON that the ledger keeps."""
        steps = [step.dump() for step in self.steps]
        return json.dumps({"direction": self.direction, "statements": steps})

    @classmethod
    def load(cls, text: str) -> Progress:
        """Read what `dump` wrote."""
        try:
            document = json.loads(text)
            steps = tuple(
                RecordedStep(**step | {"batch": BatchState.load(step.get("batch"))})
                for step in document.pop("statements")
            )
            return cls(**document, steps=steps)
        except (TypeError, ValueError, KeyError, AttributeError):
            raise LedgerError(
                "how far a migration has come is written in a way that this todo-sql does not know",
                code="M401",
                cause="a newer todo-sql left it half done; nothing was changed",
                fix="finish it with that one, or upgrade todo-sql",
            ) from None

    @property
    def batch(self) -> BatchState | None:
        """How far the statement has come that runs in batches and is not done."""
        return self.steps[-1].batch if self.steps and not self.steps[-1].done else None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger knows of one migration.

    Attributes:
        applied_at: When it was applied, in UTC; None: begun, never finished.
        checksum: Of the file that was applied; None: recorded by plain yoyo, unverified.
        progress: How far an unfinished non-transactional file, or its rollback, has come.
    """

    id: str
    applied_at: datetime | None
    checksum: str | None = None
    duration_ms: int | None = None
    tool_version: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class RecordedRepeatable:
    """A run of a repeatable file.

    Attributes:
        sql: The text that ran; None: it was not read.
        after: The id of the migration that was applied last at the time.
    """

    name: str
    position: int
    checksum: str
    applied_at: datetime
    duration_ms: int | None
    after: str | None
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of a database as it was read, in the order of application.

    Attributes:
        repeatables: The last run of each repeatable file, by name.
        repeats: Whether there is a table for them.
    """

    recorded: tuple[Recorded, ...] = ()
    complete: bool = False
    extended: bool = False
    repeatables: Mapping[str, RecordedRepeatable] = field(default_factory=dict)
    repeats: bool = False
    by_id: dict[str, Recorded] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {entry.id: entry for entry in self.recorded})

    @property
    def applied(self) -> tuple[Recorded, ...]:
        """What is applied, oldest first."""
        return tuple(entry for entry in self.recorded if entry.applied_at is not None)

    def created(self, *, repeats: bool = False) -> Ledger:
        """Return it with all its tables, and that of repeatable files where it is needed."""
        return replace(self, complete=True, extended=True, repeats=repeats or self.repeats)

    @property
    def unfinished(self) -> tuple[Recorded, ...]:
        """What was begun and not finished."""
        return tuple(entry for entry in self.recorded if entry.progress is not None)


def read_commands(schema: str | None = None) -> tuple[FlightCommand, ...]:
    """Return the commands that read the ledger; without a schema, along the search path.

    Each table in a transaction of its own, since one may be missing: locked, looked at,
    and read under a path on which it stands behind pg_catalog.
    """
    found = f"pg_catalog.quote_ident({vetting.FIND})" if schema is None else "$1::pg_catalog.text"
    path = FlightCommand(
        "select pg_catalog.set_config('search_path', "
        f"pg_catalog.concat_ws(', ', 'pg_catalog', {found}, 'pg_temp'), true)",
        () if schema is None else (quoted(schema),),
    )
    return tuple(
        command
        for table, columns, order in _READ
        for command in (
            FlightCommand("begin read only"),
            path,
            FlightCommand(f"lock table {table} in access share mode"),
            vetting.readable(table),
            FlightCommand(f"select {columns} from {table} {order}", sync=True),
            FlightCommand("commit", sync=True),
        )
    )


_RUN = (
    f"name, position, checksum, pg_catalog.to_char(applied_at_utc, {_TIME}), duration_ms, after_id"
)
_READ = (
    (
        "_yoyo_migration",
        f"migration_id, pg_catalog.to_char(applied_at_utc, {_TIME})",
        "order by applied_at_utc, migration_id",
    ),
    (
        "_todo_sql_ledger",
        "migration_id, checksum, duration_ms, tool_version, progress, "
        f"pg_catalog.to_char(applied_at_utc, {_TIME}), "
        "pg_catalog.obj_description(tableoid, 'pg_class')",
        "order by position",
    ),
    ("_yoyo_version", "pg_catalog.max(version)", ""),
    (vetting.REPEATABLE, f"distinct on (name) {_RUN}, null", "order by name, position desc"),
)
_MISSING = "42P01"
_UNTRUSTED = re.compile(r'"(.+)"', re.DOTALL)


def read(answers: Sequence[Reply]) -> Ledger:
    """Return the ledger from the answers to `read_commands`."""
    each = len(answers) // len(_READ)
    yoyo, own, version, runs = (
        _read_one(answers[at : at + each]) for at in range(0, len(answers), each)
    )
    if yoyo.error is not None and yoyo.error.sqlstate == _MISSING:
        return Ledger()
    for (table, _, _), answer in zip(_READ, (yoyo, own, version, runs), strict=True):
        error = answer.error
        if error is None or error.sqlstate == _MISSING:
            continue
        # What `vetting.readable` found is no number.
        reason = _UNTRUSTED.search(error.diag.message_primary or "")
        if error.sqlstate == "22P02" and reason:
            raise vetting.refused(f"{table} {reason[1]}")
        raise _unreadable(error)
    if version.error is not None or int(version.rows[0][0] or 0) != 2:
        raise LedgerError(
            "the ledger was made by a yoyo whose tables differ from this one's",
            code="M402",
            fix="upgrade todo-sql, or run `yoyo list` of yoyo-migrations 9 once: it "
            "brings old tables up to date",
        )
    details = {str(row[0]): row for row in own.rows}
    comment = str(own.rows[0][6]) if own.rows else ""
    digits = comment.partition("format ")[2].partition(":")[0]
    if digits.isdigit() and int(digits) > FORMAT:
        raise LedgerError(
            f"the ledger has format {digits}, this todo-sql knows format {FORMAT}",
            code="M401",
            cause="a newer todo-sql migrated this database; nothing was changed",
            fix="upgrade todo-sql",
        )
    applied = ((str(row[0]), str(row[1])) for row in yoyo.rows)
    recorded = [_recorded(id, when, details.pop(id, None)) for id, when in applied]
    begun = [
        Recorded(id, None, None, None, row[3], Progress.load(row[4]))
        for id, row in details.items()
        if row[4] is not None
    ]
    repeatables = {str(row[0]): _run_of(row) for row in runs.rows}
    return Ledger(
        (*recorded, *begun), True, own.error is None, repeatables, repeats=runs.error is None
    )


def _run_of(row: tuple[str | None, ...]) -> RecordedRepeatable:
    name, position, checksum, when, duration, after, sql = row
    return RecordedRepeatable(
        str(name),
        int(position or 0),
        str(checksum),
        datetime.fromisoformat(str(when)),
        int(duration) if duration is not None else None,
        after,
        sql,
    )


def history_commands(schema: str) -> tuple[FlightCommand, ...]:
    """Return the commands that read every run of repeatable files, oldest first, with its text."""
    table = f"{quoted(schema)}.{vetting.REPEATABLE}"
    return (
        FlightCommand(SAFE_LOCALLY),
        FlightCommand(f"select {_RUN}, sql from {table} order by position", sync=True),
    )


def history(answers: Sequence[Reply]) -> list[RecordedRepeatable]:
    """Return the runs from the answers to `history_commands`; no table, no runs."""
    error = _read_one(answers).error
    if error is not None and error.sqlstate != _MISSING:
        raise _unreadable(error)
    return [_run_of(row) for row in answers[-1].rows]


def _read_one(answers: Sequence[Reply]) -> Reply:
    """Return the first error of a transaction, or what it read."""
    return next((answer for answer in answers if answer.error), answers[-2])


def _unreadable(error: psycopg.Error) -> LedgerError:
    if error.sqlstate == "42703":
        return LedgerError(
            "the ledger has columns that this todo-sql does not know",
            code="M402",
            cause=str(error).split("\n", 1)[0],
            fix="see who owns the table: if nobody of yours made it, drop it; else upgrade "
            "todo-sql, or run `yoyo list` of yoyo-migrations 9 once if an older yoyo made it",
        )
    return LedgerError(
        f"the ledger cannot be read: {str(error).splitlines()[0]}",
        sqlstate=error.sqlstate,
        code="M403",
        fix="grant the migrating role the tables _yoyo_migration, _yoyo_log, _yoyo_version and "
        "_todo_sql_ledger, or migrate as their owner",
    )


def _recorded(id: str, applied_at: str, row: tuple[str | None, ...] | None) -> Recorded:
    when = datetime.fromisoformat(applied_at)
    if row is None or (row[5] != applied_at and row[4] is None):
        return Recorded(id, when)
    return Recorded(
        id,
        when,
        checksum=row[1] if row[5] == applied_at else None,
        duration_ms=int(row[2]) if row[2] is not None else None,
        tool_version=row[3],
        progress=Progress.load(row[4]) if row[4] is not None else None,
    )
