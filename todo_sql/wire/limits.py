"""The limits of pools and calls, checked, and what `db.stats()` tells of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from todo_sql.errors import UsageError

# What poll(2) and the clocks of threads can still count, and nobody waits for.
LONGEST = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pool may hold, and for how long.

    Attributes:
        min_size: How many idle connections are kept for longer than `max_idle`.
        max_size: How many connections there may be.
        max_idle: Seconds after which an unused connection is closed.
        max_lifetime: Seconds after which a connection is replaced, give or take a tenth.
    """

    min_size: int = 0
    max_size: int = 10
    max_idle: float = 240.0
    max_lifetime: float = 1800.0

    def __post_init__(self) -> None:
        _check_size("max_size", self.max_size, 1, None)
        _check_size("min_size", self.min_size, 0, self.max_size)
        check_seconds("max_idle", self.max_idle)
        check_seconds("max_lifetime", self.max_lifetime)


def check_seconds(name: str, value: object) -> None:
    """Refuse what is not a number of seconds above zero and within a week."""
    if not (_is_number(value, int, float) and 0 < value <= LONGEST):  # type: ignore[operator]
        within = "it is above zero, and a week at most"
        raise _wrong(name, value, "positive number of seconds", within, 30)


def _check_size(name: str, value: object, least: int, most: int | None) -> None:
    if _is_number(value, int) and least <= value and (most is None or value <= most):  # type: ignore[operator]
        return
    within = f"{least} or more" if most is None else f"{least} to max_size, which is {most}"
    within = f"it is a whole number, {within}"
    raise _wrong(name, value, "whole number of connections", within, max(least, 1))


def _wrong(name: str, value: object, what: str, within: str, example: int) -> UsageError:
    fix = f"pass a number such as {name}={example}, or leave it out for the default"
    return UsageError(f"`{name}` must be a {what}, not {value!r}", cause=within, fix=fix)


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


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
