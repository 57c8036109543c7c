"""Read-your-writes: how far a replica must have come before a session reads from it. Pure."""

from __future__ import annotations

import threading

from todo_sql.errors import UsageError
from todo_sql.wire.statement import Step, WireStatement, command

# How long a read waits for the replica to catch up before it goes to the primary.
PATIENCE = 0.2
FIRST_PAUSE = 0.004

# The position after a COMMIT; rides behind it in the same flight.
WRITTEN = Step(
    WireStatement(
        "select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint "
        "as position",
        label="position",
    )
)
# What a replica has replayed; null where the server is none.
REPLAYED = Step(
    WireStatement(
        "select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::bigint "
        "as position",
        label="position",
    )
)
# Each statement sees what was replayed when it began, whatever the server's default.
BEGIN_ON_REPLICA = command("begin isolation level read committed read only")


class Freshness:
    """The position in the write-ahead log of a session's last change.

    Args:
        position: Of a change made before, such as another process's.

    Raises:
        UsageError: It is not a position.
    """

    def __init__(self, position: int = 0) -> None:
        if not isinstance(position, int) or position < 0:
            raise UsageError(
                f"`after` must be the position of a session, not {position!r}",
                fix="pass the `position` of another session, a whole number",
            )
        self.position = position
        self._lock = threading.Lock()

    def note(self, position: int) -> None:
        """Record a later change."""
        with self._lock:
            self.position = max(self.position, position)
