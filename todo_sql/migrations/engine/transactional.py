"""Runs a file as one transaction, with its ledger rows, in one flight.

The transaction opens with our settings and the proof that this backend holds the
migration lock; it ends with deferred constraints, with the session's state as it was,
and with the rows of the ledger. Only the file's own statements run under the search path
of the role and the database. A lock that cannot be had is tried for again: the
transaction gives way to traffic in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from todo_sql.migrations import ledger_writer
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.lock_retry import give_way, pauses
from todo_sql.migrations.engine.settings import OURS, hold_of, quiet, reset, settings
from todo_sql.migrations.files.folder import Script
from todo_sql.migrations.lock import NOT_HELD
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.progress import Events
from todo_sql.sql.trust import THEIR_PATH
from todo_sql.wire.pipeline import FlightCommand

_STATE = "the transaction was rolled back, nothing changed"
CONSTRAINTS = FlightCommand("set constraints all immediate")


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is made of.

    Attributes:
        script: The file.
        bookkeeping: Makes the commands that change the ledger.
        creation: Makes what is missing of the ledger's tables.
        hook: A file that runs after the first one, in the same transaction.
        facts: What the hook, or a file that is one, may read by `current_setting`, by name.
        state: What state the database is in when it fails.
        again: The command that one runs when the file is corrected.
        waits: Whether its commit waits for the disk. The log keeps the order of commits, so a
            crash loses the newest of those that did not wait, each whole and with its rows in
            the ledger, until a commit that waits has come through.
    """

    script: Script
    bookkeeping: Callable[[], Sequence[FlightCommand]] = lambda: ()
    creation: Sequence[FlightCommand] = ()
    hook: Script | None = None
    facts: tuple[tuple[str, str], ...] = ()
    state: str = _STATE
    again: str = "todo-sql migrate"
    waits: bool = True


def run(
    link: MigrationLink,
    work: Work,
    events: Events,
    cure: Callable[[Failure], bool] = lambda failure: False,
) -> None:
    """Run a file and its bookkeeping in one transaction.

    Args:
        link: The connection, which holds the migration lock.
        work: The file, and what goes with it.
        events: Is told what is at work and what is waited for.
        cure: Does the work in another way where it can; tells whether it did.

    Raises:
        MigrationFailed: A statement failed; the transaction was rolled back.
        LedgerError: The ledger's tables cannot be made.
        LockNotHeld: This backend does not hold the migration lock.
        ConnectionLost: The ledger knows what happened.
    """

    def attempt() -> tuple[Failure, Script] | None:
        failed = _try(link, work, events)
        if failed is None:
            link.unsettled = not work.waits
            return None
        return None if cure(failed[0]) else failed

    until_done(attempt, work.state, work.again, events)


def until_done(
    attempt: Callable[[], tuple[Failure, Script] | None], state: str, again: str, events: Events
) -> None:
    """Try again while what failed may pass.

    Raises:
        MigrationFailed: The last failure, at its place.
    """
    for pause in pauses():
        failed = attempt()
        if failed is None:
            return
        failure, script = failed
        error: MigrationFailed = failure.explained(script, state, again)
        if pause is None or not failure.may_pass:
            raise error
        give_way(pause, error.finding, events)


def of_file(script: Script) -> list[FlightCommand]:
    """Return the statements of a file; what they defer is checked behind them."""
    texts = (statement_of(script, number) for number in range(len(script.statements)))
    return [*texts, CONSTRAINTS]


def _try(link: MigrationLink, work: Work, events: Events) -> tuple[Failure, Script] | None:
    proof, script = link.lock.proof, work.script
    opening = settings(script, link, then=(proof, THEIR_PATH))
    closing = settings(script, link, then=(proof,), waits=work.waits)
    # The first file may make the very schema that the ledger is to stand in.
    early, late = (work.creation, ()) if link.target.placed else ((), work.creation)
    body = [
        FlightCommand("begin read write"),
        *([OURS, *early] if early else ()),
        *quiet(link),
        *(known(work.facts) if work.hook is None else ()),
        opening,
        *of_file(script),
    ]
    own = len(body)
    if work.hook is not None:
        body += [*reset(link.target), *quiet(link), *known(work.facts)]
        body.append(settings(work.hook, link, then=(THEIR_PATH,)))
        # Their numbers are those of another file.
        body += [replace(command, statement=None) for command in of_file(work.hook)]
    recording = len(body)
    commands = [
        *body,
        *reset(link.target),
        *quiet(link),
        closing,  # proves it again: a function may have released the lock
        *late,
        *work.bookkeeping(),
        FlightCommand("commit"),
    ]
    answers, exceeded = watch.fly(link, commands, script, events, hold_of(script))
    for index, (command, answer) in enumerate(zip(commands, answers, strict=False)):
        if answer.error is None:
            continue
        link.roll_back()
        if command in (opening, closing) and answer.error.sqlstate == NOT_HELD:
            raise link.lock.lost()
        if command in work.creation:
            raise ledger_writer.unwritable(answer.error, link.target)
        if work.hook is not None and own <= index < recording:
            first = recording - len(work.hook.statements) - 1  # of the hook's own
            number = index - first if first <= index < recording - 1 else None
            return Failure(answer.error, number, exceeded=exceeded), work.hook
        return Failure(answer.error, command.statement, index >= recording, exceeded), work.script
    return None


def known(facts: Sequence[tuple[str, str]]) -> list[FlightCommand]:
    """Return the commands that let a hook read some facts."""
    return [FlightCommand("select pg_catalog.set_config($1, $2, true)", fact) for fact in facts]


def statement_of(script: Script, number: int) -> FlightCommand:
    """Return the command of a statement of a file, with the rows behind it."""
    rows = script.data.get(number)
    text = script.statements[number].text
    return FlightCommand(text, statement=number, rows=rows.chunks if rows else None)
