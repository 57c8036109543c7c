"""Looks at the server through a second connection while a migration takes long.

It is opened only when a flight is under way for a while. It sees whom the migration
waits for, and for how long the migration has kept others waiting: from the first ACCESS
EXCLUSIVE lock on a table that existed before, which is to say that this connection can
see it. Where it cannot be had, that is said: nothing is bounded then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Self

import psycopg
from psycopg.errors import Diagnostic

from todo_sql.errors import Finding, TodoSqlError
from todo_sql.migrations.connecting import MigrationLink, ask
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.progress import Events
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import TICK, CopyFlight, Flight, FlightCommand, Reply
from todo_sql.wire.pipeline import ConnectionLost

_PATIENCE = 0.5  # seconds before the second connection is opened
_ANSWER = 2.0  # seconds for an answer there
_INTERVAL = 0.5  # seconds between two looks
_BLIND = 5.0  # seconds before another try where there was nothing to be seen


class HoldExceeded(Exception):
    """The migration kept others waiting for longer than it may, or while `waiting` itself."""

    def __init__(self, script: Script, waiting: bool) -> None:
        super().__init__()
        self.script = script
        self.waiting = waiting


def fly(
    link: MigrationLink,
    commands: Sequence[FlightCommand],
    script: Script,
    events: Events,
    max_hold: float | None,
) -> tuple[list[Reply], HoldExceeded | None]:
    """Fly commands with statements of a file under watch.

    Args:
        commands: Those of the file say which of its statements they are.
        max_hold: Longest time in seconds that an exclusive lock may be held; None: any.

    Returns:
        The answers up to that of the flight in which there was an error, and whether the
        commands were cancelled to make way for others.
    """
    with Watcher(link, script, events, max_hold) as watcher:
        return along(link, commands, watcher)


def along(
    link: MigrationLink,
    commands: Iterable[FlightCommand],
    watcher: Watcher,
    told: Callable[[Reply], None] | None = None,
) -> tuple[list[Reply], HoldExceeded | None]:
    """Fly commands under the eyes of a watcher, which knows what file is at work; see `fly`.

    Args:
        commands: May be made on the way; a COPY with its rows flies alone.
        told: Called with each answer.
    """
    answers: list[Reply] = []
    flight: Flight

    def heard(said: Diagnostic) -> None:
        # What is said while a statement is read may come before the answer to ours before it.
        at = len(flight.answers)
        ahead = flight.commands[at : at + 2]
        number = next((one.statement for one in ahead if one.statement is not None), None)
        if number is not None:
            watcher.notice(said, number)

    link.connection.add_notice_handler(heard)
    try:
        for copied, leg in groupby(commands, lambda one: one.statement if one.rows else None):
            kind = Flight if copied is None else CopyFlight
            flight = kind(link.connection, leg, watcher.watch, told)
            answers += flight.fly()
            if any(answer.error for answer in flight.answers):
                break
    except HoldExceeded as exceeded:
        if link.connection.closed:
            raise ConnectionLost("the server did not answer the cancel request") from None
        return [*answers, *flight.answers], exceeded
    finally:
        link.connection.remove_notice_handler(heard)
    return answers, None


class Watcher:
    """Watches a flight of a link, several times a second at most; see `fly` and `turn`."""

    def __init__(
        self, link: MigrationLink, script: Script, events: Events, max_hold: float | None = None
    ) -> None:
        self._link = link
        self._events = events
        self._pid = link.target.backend
        self._connection: psycopg.Connection[Any] | None = None
        self._blind = False
        self.turn(script, max_hold)

    def turn(self, script: Script, max_hold: float | None) -> None:
        """Look at another file from now on, whose transaction begins."""
        self._script = script
        self._max_hold = max_hold
        self._free_at = time.monotonic()
        self._held_since: float | None = None
        patience = min(_PATIENCE, max_hold / 4) if max_hold else _PATIENCE
        self._interval = min(_INTERVAL, patience)
        self._next_look = self._free_at + patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def notice(self, said: Diagnostic, number: int) -> None:
        """Pass on what the server said at a statement."""
        # What is said while the next is read may come before this one's answer is taken.
        statement, *others = self._script.statements[number : number + 2]
        named = re.search(r'"([^"]+)"', said.message_primary or "")
        if named and others and named[1] not in statement.text and named[1] in others[0].text:
            statement = others[0]
        found = Finding(
            "M332",
            "warning" if said.severity_nonlocalized == "WARNING" else "info",
            said.message_primary or "",
            self._script.place_of(statement),
            cause=said.message_detail,
            fix=said.message_hint,
        )
        self._events.notice(found)

    def watch(self, flight: Flight) -> None:
        """Tell what is at work; look, if it is time to.

        Raises:
            HoldExceeded: The migration has to make way.
        """
        number = flight.at_work.statement if flight.at_work else None
        self._events.at_work(None if number is None else self._script.statements[number], flight)
        now = time.monotonic()
        hold_ends = self._max_hold is not None and (
            self._held_since is not None and now + TICK > self._held_since + self._max_hold
        )
        if now < self._next_look and not hold_ends:
            return
        waits, blocked_by = self._look(now)
        if hold_ends:
            raise HoldExceeded(self._script, waits)
        if blocked_by:
            self._events.blocked(blocked_by)

    def _look(self, now: float) -> tuple[bool, str | None]:
        """Return whether we wait for a lock and, in words, who blocks us, if that is to be seen."""
        try:
            if self._connection is None:
                self._connection = self._link.second_connection()
            from todo_sql.queries.own import bound  # and what reads queries, when it is needed

            look, (pid,) = bound(__package__, "look", pid=str(self._pid))
            text = f"{SAFE_LOCALLY};{look.replace('$1', str(pid))}"  # both in one message
            rows = ask(self._connection, text, _ANSWER)
            why = f"no answer in {_ANSWER:g} s"
        except (TodoSqlError, psycopg.Error) as error:
            said = error.message if isinstance(error, TodoSqlError) else str(error)
            rows, why = None, said.split("\n", 1)[0]
        if not rows:
            self._see_nothing(now, why)
            return False, None
        self._next_look = now + self._interval
        holds, waits, blocked_by = rows[0]  # what others can see, by an exclusive lock
        if holds != "t" or self._blind:
            self._free_at = now
        if holds == "t" and self._held_since is None:
            self._held_since = self._free_at  # it was taken after that, we don't know when
        self._blind = False
        return waits == "t", blocked_by

    def _see_nothing(self, now: float, why: str) -> None:
        """Say once in a run that nobody looks; try again later."""
        self._next_look = now + _BLIND
        self._blind = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if not self._link.warned:
            self._link.warned = True
            self._events.note(
                "warning: `max-lock-hold` is not enforced and blocking sessions are not shown, "
                f"because no second connection could be opened: {why}"
            )
