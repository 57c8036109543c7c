"""What an ad hoc statement may leave on its connection, for whoever gets it next. Pure.

A named query was read by the compiler and a reviewer; a text that a caller writes on the
spot may end the transaction it stands in, or set what outlives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from todo_sql.errors import UsageError
from todo_sql.sql.scanner import COMMENTS, Kind, scan
from todo_sql.wire.statement import Step, command


@dataclass(frozen=True, slots=True)
class Residue:
    """What has to be done behind a statement.

    Attributes:
        resets: What is sent behind COMMIT, in the same flight.
        closes: Whether the connection is closed afterwards.
    """

    resets: tuple[Step, ...] = ()
    closes: bool = False


NOTHING = Residue()
# set_config(…, false) can hide in any function, so these follow every ad hoc statement.
_RESETS = (command("reset session authorization"), command("reset role"), command("reset all"))
_SETTINGS = Residue(_RESETS)
# A temporary table, a listener, a loaded library: nothing short of the end removes all.
_ANYTHING = Residue(_RESETS, closes=True)

_PLAIN = frozenset(
    {"select", "insert", "update", "delete", "merge", "with", "values", "table", "explain", "set"}
)
_TRANSACTION = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}
)
_SESSION = frozenset({"reset", "discard", "prepare", "deallocate"})
_HARMLESS_SET = frozenset({"local", "transaction", "constraints"})
_IDENTITY = frozenset({"role", '"role"', "session", "session_authorization"})
_TEMPORARY = frozenset({"temp", "temporary", "pg_temp"})


def residue(sql: str) -> Residue:
    """Return what a statement may leave behind.

    Raises:
        UsageError: It controls the transaction, or changes the session.
    """
    tokens = [
        sql[token.start : token.end].lower()
        for token in scan(sql)
        if token.kind not in COMMENTS and token.kind is not Kind.STRING
    ]
    words = [token for token in tokens if token not in ("(", ";")]
    first, second, third = (*words, "", "", "")[:3]
    if first in _TRANSACTION:
        raise _refused(first, "use `with session.transaction()`, nested for a savepoint")
    if first in _SESSION:
        raise _refused(first, "leave it out: each call resets what it has set")
    if first == "set" and (
        second not in _HARMLESS_SET or (second == "local" and third in _IDENTITY)
    ):
        raise _refused(
            f"{first} {second}",
            "use `set local` in a transaction, `session.within(seconds)`, "
            "`db.session(role)`, or `options` in the URL",
        )
    if _sets_for_the_session(tokens):
        raise _refused("set_config(…, false)", "pass true: until the end of the transaction")
    into_temporary = any(word == "into" and after in _TEMPORARY for word, after in pairwise(words))
    return _SETTINGS if first in _PLAIN and not into_temporary else _ANYTHING


def _sets_for_the_session(tokens: Sequence[str]) -> bool:
    """Tell whether the last argument of a ``set_config`` is ``false``."""
    for index, token in enumerate(tokens):
        if token not in ("set_config", '"set_config"'):
            continue
        depth = 0
        for place in range(index + 1, len(tokens)):
            depth += {"(": 1, ")": -1}.get(tokens[place], 0)
            if depth == 0:
                if tokens[place - 2 : place] == [",", "false"]:
                    return True
                break
    return False


def _refused(what: str, fix: str) -> UsageError:
    return UsageError(
        f"ad hoc SQL cannot `{what}`",
        code="D207",
        cause="the connection and its transaction belong to the session; nothing was sent",
        fix=fix,
    )
