"""Runs a file as one transaction, with its ledger rows, in one flight.

The transaction opens with our settings and the proof that this backend holds the
migration lock; it ends with deferred constraints, with the session's state as it was,
and with the rows of the ledger. A lock that cannot be had is tried for again: the
transaction gives way to traffic in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from todo_sql.migrations import explain
from todo_sql.migrations.connection import Link
from todo_sql.migrations.errors import MigrationFailed
from todo_sql.migrations.files import Script
from todo_sql.migrations.flight import Answer, Command, ConnectionLost, Flight
from todo_sql.migrations.progress import Events
from todo_sql.migrations.retry import passing, pauses
from todo_sql.migrations.settings import RESET, settings
from todo_sql.migrations.watch import HoldExceeded, Watcher

MAX_LOCK_HOLD = 5.0

_STATE = "the transaction was rolled back, nothing changed"


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a try failed: the server's error, its statement, and whether we cancelled it."""

    error: psycopg.Error
    number: int | None
    exceeded: HoldExceeded | None

    @property
    def may_pass(self) -> bool:
        if self.exceeded:
            return self.exceeded.waiting
        return passing(self.error)


def run(
    link: Link,
    script: Script,
    bookkeeping: Callable[[], list[Command]],
    events: Events,
    again: str,
) -> None:
    """Run a file and its bookkeeping in one transaction.

    Args:
        link: The connection, which holds the migration lock.
        script: The file.
        bookkeeping: Makes the commands that change the ledger.
        events: Is told what is at work and what is waited for.
        again: The command that one runs when the file is mended.

    Raises:
        MigrationFailed: A statement failed; the transaction was rolled back.
        LockNotHeld: This backend does not hold the migration lock.
        ConnectionLost: The ledger knows what happened.
    """
    for pause in pauses():
        failure = _try(link, script, bookkeeping, events)
        if failure is None:
            return
        error = _explained(failure, script, again)
        if pause is None or not failure.may_pass:
            raise error
        events.waiting(f"{error.finding.message}; gives way, then tries again")
        time.sleep(pause)


def _explained(failure: _Failure, script: Script, again: str) -> MigrationFailed:
    if failure.exceeded:
        return explain.held_too_long(script, failure.number, hold_of(script), failure.exceeded)
    return explain.failed(failure.error, script, failure.number, _STATE, again)


def hold_of(script: Script) -> float:
    """Return how long a file may keep others waiting, in seconds."""
    return script.directives.max_lock_hold or MAX_LOCK_HOLD


def _try(
    link: Link, script: Script, bookkeeping: Callable[[], list[Command]], events: Events
) -> _Failure | None:
    ours = settings(script, notices_death=link.target.notices_death)
    proof = link.lock.require()
    commands = [
        Command("begin read write"),
        ours,
        proof,
        *(Command(s.text, statement=number) for number, s in enumerate(script.statements)),
        Command("set constraints all immediate"),
        *(Command(text) for text in RESET),
        ours,
        *bookkeeping(),
        Command("commit"),
    ]
    answers, exceeded = _fly(link, script, commands, events)
    for command, answer in zip(commands, answers, strict=True):
        if answer.error is None:
            continue
        link.roll_back()
        if command is proof:
            raise link.lock.lost()
        return _Failure(answer.error, command.statement, exceeded)
    return None


def _fly(
    link: Link, script: Script, commands: list[Command], events: Events
) -> tuple[list[Answer], HoldExceeded | None]:
    """Return the answers, and whether the commands were cancelled to make way."""
    with Watcher(link, hold_of(script)) as watcher:

        def watch(flight: Flight) -> None:
            number = flight.at_work.statement if flight.at_work else None
            events.at_work(None if number is None else script.statements[number], flight)
            watcher.look(flight)
            if watcher.blocked_by:
                events.blocked(watcher.blocked_by)

        flight = Flight(link.connection, commands, watch)
        try:
            return flight.fly(), None
        except HoldExceeded as exceeded:
            if link.connection.closed:
                raise ConnectionLost("the server did not answer the cancelling") from None
            return flight.answers, exceeded
