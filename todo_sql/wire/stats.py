"""What `db.stats()` tells: the pools at this moment, and what was counted since they opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The connections to one server.

    Attributes:
        max_size: Connections at most.
        size: Connections that are open or being opened.
        idle: Those of them that nobody uses.
        waiting: Calls that are waiting for one.
        opened: Connections opened so far.
        waits: Calls that had to wait for a connection so far.
        waited: Seconds that they waited, all together.
    """

    max_size: int
    size: int
    idle: int
    waiting: int
    opened: int
    waits: int
    waited: float


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """The pools of a database.

    Attributes:
        primary: Connections to the primary.
        replica: Connections to the replica, or None without one.
        replica_rests: Whether the replica failed just now, and the primary serves its reads.
        retries: Calls, connects and units of work that were tried again so far.
        cancels: Calls that a server was told to stop so far.
    """

    primary: PoolStats
    replica: PoolStats | None
    replica_rests: bool
    retries: int
    cancels: int
