"""Statements as the server gets them, and the steps of a flight. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.parameters import Parameter


class WireStatement:
    """One SQL text with ``$n`` and the types of its parameters.

    Compared by identity: one object is prepared once per connection.

    Args:
        parameters: In the order of ``$1``, ``$2``, …
        label: The query's name, for messages.
        once: Whether it is sent a few times only, and not prepared.
    """

    __slots__ = ("label", "once", "parameters", "sql")

    def __init__(
        self, sql: str, parameters: Sequence[Parameter] = (), *, label: str = "", once: bool = False
    ) -> None:
        self.sql = sql.encode()
        self.once = once
        self.parameters = tuple(parameters)
        self.label = label

    def __repr__(self) -> str:
        return f"Statement({self.label or self.sql.decode()!r})"


@dataclass(slots=True, eq=False)
class Step:
    """A statement with the values of one call; compared by identity."""

    statement: WireStatement
    values: Sequence[Any] = ()


def comment(label: str) -> str:
    """Return the comment that names a query to the server; a label cannot end it."""
    return f"/* {label.replace('*', '?')} */ "


def texts(sql: str, *names: str, label: str = "") -> WireStatement:
    """Return a statement whose parameters are all text."""
    return WireStatement(sql, [Parameter(name, "text") for name in names], label=label)


@cache
def command(sql: str) -> Step:
    """Return the step of a command without parameters; the same one for the same text."""
    return Step(WireStatement(sql))


# Before a statement of ours, in its transaction; see `todo_sql.sql.trust`.
OURS = command(SAFE_LOCALLY)
BEGIN = command("begin")
BEGIN_READ_ONLY = command("begin read only")
COMMIT = command("commit")
ROLLBACK = command("rollback")
