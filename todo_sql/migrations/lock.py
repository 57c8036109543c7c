"""The migration lock: one migrator at a time on one ledger.

A session-level advisory lock, tried and never waited for: a waiter in
`pg_advisory_lock` would hold a snapshot, for which a concurrent index build in the
holder would wait in turn.

It is held twice. To prove that a backend holds it, one hold is given back and taken again:
that succeeds in the holder alone, where the lock is never free meanwhile, and it costs
next to nothing. Looking into pg_locks took a tenth of the time of a small migration.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from todo_sql.migrations.migration_errors import LockNotHeld
from todo_sql.migrations.target import Target
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import FlightCommand, Reply

NOT_HELD = "22012"  # division by zero


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock, as far as the server tells us."""

    pid: int
    application: str
    user: str
    since: datetime | None

    def __str__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"pid {self.pid} ({self.application or 'unnamed'}, role {self.user}){since}"


def held_by_another(holder: Holder | None, target: Target) -> LockNotHeld:
    """Return the error of somebody who waited in vain."""
    return LockNotHeld(
        f"another migrator holds the lock of {target.database}: {holder}",
        code="M311",
        cause="nothing was changed",
        fix="wait for it, give more time with `--wait SECONDS`, or end it with "
        f"`select pg_terminate_backend({holder.pid if holder else 'pid'})`",
    )


@dataclass(frozen=True, slots=True)
class MigrationLock:
    """The lock of one ledger."""

    key: int

    @classmethod
    def of(cls, target: Target) -> MigrationLock:
        """Return the lock of a target's ledger."""
        name = f"todo-sql\0{target.database}\0{target.schema}._yoyo_migration"
        digest = hashlib.sha256(name.encode()).digest()
        return cls(int.from_bytes(digest[:8], "big", signed=True))

    @property
    def _try(self) -> str:
        return f"pg_catalog.pg_try_advisory_lock({self.key})"

    def take(self) -> tuple[FlightCommand, ...]:
        """Return the commands that try for the lock and say who holds it."""
        unsigned = self.key % 2**64
        return (
            FlightCommand(
                f"select case when {self._try} then {self._try} else false end", sync=True
            ),
            FlightCommand(SAFE_LOCALLY),
            FlightCommand(
                "select l.pid, a.application_name, a.usename, pg_catalog.to_char("
                "a.backend_start at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS') "
                "from pg_catalog.pg_locks as l "
                "left join pg_catalog.pg_stat_activity as a on a.pid = l.pid "
                "where l.locktype = 'advisory' and l.granted and l.objsubid = 1 "
                f"and l.classid = {unsigned >> 32} and l.objid = {unsigned % 2**32} "
                "and l.database = (select d.oid from pg_catalog.pg_database as d "
                "where d.datname = pg_catalog.current_database()) limit 1",
                sync=True,
            ),
        )

    @staticmethod
    def taken(answers: list[Reply]) -> tuple[bool, Holder | None]:
        """Return from the answers to `take` whether we have it, else who does."""
        tried, _, holder = answers
        for answer in answers:
            if answer.error:
                raise answer.error
        if tried.rows[0][0] == "t":
            return True, None
        if not holder.rows:
            return False, None
        pid, application, user, since = holder.rows[0]
        when = datetime.fromisoformat(since) if since else None
        return False, Holder(int(pid or 0), application or "", user or "unknown", when)

    @property
    def proof(self) -> str:
        """An expression that fails (`NOT_HELD`) unless this backend holds the lock."""
        return (
            f"1 operator(pg_catalog./) case when pg_catalog.pg_advisory_unlock({self.key}) "
            f"then {self._try}::pg_catalog.int4 else 0 end"
        )

    def require(self) -> FlightCommand:
        """Return the command that fails unless this backend holds the lock."""
        return FlightCommand(f"select {self.proof}")

    @staticmethod
    def lost() -> LockNotHeld:
        """Return the error for a failed `require`."""
        return LockNotHeld(
            "this session lost the migration lock",
            code="M312",
            cause="a pooler, a reconnect or an unlock came between; "
            "the statement at hand was not run",
            fix="connect to the server directly and run the command again",
        )
