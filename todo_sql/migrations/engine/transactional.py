"""Runs a file as one transaction, with its ledger rows, in one flight.

The transaction opens with our settings and the proof that this backend holds the
migration lock; it ends with deferred constraints, with the session's state as it was,
and with the rows of the ledger. Only the file's own statements run under the search path
of the role and the database. A lock that cannot be had is tried for again: the
transaction gives way to traffic in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from todo_sql.migrations import ledger
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.lock_retry import give_way, pauses
from todo_sql.migrations.engine.settings import OURS, hold_of, reset, settings
from todo_sql.migrations.files.folder import Script
from todo_sql.migrations.lock import NOT_HELD
from todo_sql.migrations.progress import Events
from todo_sql.sql.trust import THEIR_PATH
from todo_sql.wire.pipeline import FlightCommand

_STATE = "the transaction was rolled back, nothing changed"


def run(
    link: MigrationLink,
    script: Script,
    creation: Sequence[FlightCommand],
    bookkeeping: Callable[[], list[FlightCommand]],
    events: Events,
    again: str,
    *,
    waits: bool = True,
) -> None:
    """Run a file and its bookkeeping in one transaction.

    Args:
        link: The connection, which holds the migration lock.
        script: The file.
        creation: Makes what is missing of the ledger's tables.
        bookkeeping: Makes the commands that change the ledger.
        events: Is told what is at work and what is waited for.
        again: The command that one runs when the file is corrected.
        waits: Whether its commit waits for the disk. The log keeps the order of commits, so a
            crash loses the newest of those that did not wait, each whole and with its rows in
            the ledger, until a commit that waits has come through.

    Raises:
        MigrationFailed: A statement failed; the transaction was rolled back.
        LedgerError: The ledger's tables cannot be made.
        LockNotHeld: This backend does not hold the migration lock.
        ConnectionLost: The ledger knows what happened.
    """
    for pause in pauses():
        failure = _try(link, script, creation, bookkeeping, events, waits)
        if failure is None:
            link.unsettled = not waits
            return
        error = failure.explained(script, _STATE, again)
        if pause is None or not failure.may_pass:
            raise error
        give_way(pause, error.finding, events)


def _try(
    link: MigrationLink,
    script: Script,
    creation: Sequence[FlightCommand],
    bookkeeping: Callable[[], list[FlightCommand]],
    events: Events,
    waits: bool,
) -> Failure | None:
    notices_death, proof = link.target.notices_death, link.lock.proof
    opening = settings(script, notices_death=notices_death, then=(proof, THEIR_PATH))
    closing = settings(script, notices_death=notices_death, then=(proof,), waits=waits)
    constraints = FlightCommand("set constraints all immediate")
    # The first file may make the very schema that the ledger is to stand in.
    early, late = (creation, ()) if link.target.placed else ((), creation)
    commands = [
        FlightCommand("begin read write"),
        *([OURS, *early] if early else ()),
        opening,
        *_statements(script),
        constraints,
        *reset(link.target),
        closing,  # proves it again: a function may have released the lock
        *late,
        *bookkeeping(),
        FlightCommand("commit"),
    ]
    answers, exceeded = watch.fly(link, commands, script, events, hold_of(script))
    for index, (command, answer) in enumerate(zip(commands, answers, strict=False)):
        if answer.error is None:
            continue
        link.roll_back()
        if command in (opening, closing) and answer.error.sqlstate == NOT_HELD:
            raise link.lock.lost()
        if command in creation:
            raise ledger.unwritable(answer.error, link.target)
        recording = index > commands.index(constraints)
        return Failure(answer.error, command.statement, recording, exceeded)
    return None


def _statements(script: Script) -> Iterator[FlightCommand]:
    for number, statement in enumerate(script.statements):
        rows = script.data.get(number)
        yield FlightCommand(statement.text, statement=number, rows=rows.chunks if rows else None)
