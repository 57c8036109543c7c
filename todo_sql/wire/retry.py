"""When a call may be sent again, and how long to wait before. Pure.

A read is sent again after a lost connection. A change is not, because COMMIT travels in
the same flight and may have been done, unless the compiler proved that a key makes it
idempotent, and the call gives that key.
What the server refused is rolled back for certain, so 40001 and 40P01 are redone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from time import monotonic

from todo_sql.wire.call_errors import Conflict, Unavailable

MOST_ATTEMPTS = 4
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

CONFLICTS = frozenset({"40001", "40P01"})
_PASSING = (
    *("starting up", "shutting down", "recovery", "too many", "remaining connection slots"),
    *("terminating connection", "server_login_retry", "query_wait_timeout"),
)

# No other attempt makes these right.
_FINAL = ("certificate", "does not support SSL", "no password supplied")


def may_pass(reason: str) -> bool:
    """Say whether a failure to connect may be over soon.

    libpq gives no SQLSTATE here. What did not come from a server (FATAL) is the network, or
    TLS; of what did, a server that starts, stops or is full.
    """
    if any(words in reason for words in _FINAL):
        return False
    return "FATAL" not in reason or any(words in reason for words in _PASSING)


def pause(attempt: int) -> float:
    """Return the seconds to wait before attempt 2, 3, …: doubling, bounded, jittered."""
    return random.uniform(longest(attempt) / 2, longest(attempt))


def longest(attempt: int) -> float:
    """Return the longest that `pause` may be."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1))


def is_idempotent(keys: frozenset[str], tenant: str | None, values: Mapping[str, object]) -> bool:
    """Say whether a change may be sent twice: a key that is not the tenant alone is given."""
    own = keys - {tenant}
    return bool(own) and all(values.get(name) is not None for name in own)


def time_left(deadline: float, attempt: int) -> bool:
    """Say whether another attempt is allowed and has a chance before the deadline."""
    return attempt < MOST_ATTEMPTS and monotonic() + _LONGEST_PAUSE / 8 < deadline


def may_redo_unit(error: Exception, attempt: int) -> bool:
    """Say whether a whole unit of work is to be run again after this error."""
    lost = isinstance(error, Unavailable) and not error.outcome_unknown
    return attempt < MOST_ATTEMPTS and (isinstance(error, Conflict) or lost)
