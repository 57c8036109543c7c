"""The size of a pool, the age of its connections, the time of a call: checked. Pure."""

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

    Raises:
        UsageError: A size or a time is out of range.
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
    """Refuse what is not a length of time.

    Raises:
        UsageError: It is not a number above zero and within a week.
    """
    if _is_number(value, int, float) and 0 < value <= LONGEST:  # type: ignore[operator]
        return
    raise UsageError(
        f"`{name}` must be a positive number of seconds, not {value!r}",
        cause="it is above zero, and a week at most",
        fix=f"pass a number such as {name}=30, or leave it out for the default",
    )


def _check_size(name: str, value: object, least: int, most: int | None) -> None:
    if _is_number(value, int) and least <= value and (most is None or value <= most):  # type: ignore[operator]
        return
    within = f"{least} or more" if most is None else f"{least} to max_size, which is {most}"
    raise UsageError(
        f"`{name}` must be a whole number of connections, not {value!r}",
        cause=f"it is a whole number, {within}",
        fix=f"pass a number such as {name}={max(least, 1)}, or leave it out for the default",
    )


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
