"""Runs files, each as one transaction with its ledger rows, many in one flight.

A transaction opens with our settings and the proof that this backend holds the
migration lock; it ends with deferred constraints, with the session's state as it was,
and with the rows of the ledger. Only the file's own statements run under the search path
of the role and the database. A lock that cannot be had is tried for again: the
transaction gives way to traffic in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from todo_sql.migrations import ledger_writer
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.lock_retry import give_way, pauses
from todo_sql.migrations.engine.settings import OURS, ending, hold_of, quiet, reset, settings
from todo_sql.migrations.engine.watch import HoldExceeded
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.lock import NOT_HELD
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.progress import Events
from todo_sql.sql.trust import THEIR_PATH
from todo_sql.wire.flight import FlightCommand, Reply

_STATE = "the transaction was rolled back, nothing changed"
_CANCELED = "57014"
_MOST, _LARGEST = 100, 1 << 20  # files, and characters, that go to the server at once
CONSTRAINTS = FlightCommand("set constraints all immediate")


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is made of.

    Attributes:
        bookkeeping: Makes the commands that change the ledger.
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
    works: Sequence[Work],
    events: Events,
    done: Callable[[int], None] = lambda number: None,
    cure: Callable[[Failure], bool] = lambda failure: False,
) -> None:
    """Run files, each with its bookkeeping in one transaction, one after another.

    They go to the server together, and it does each as soon as the one before is committed:
    where one fails, it skips all that stand behind.

    Args:
        done: Is told which one is committed, by its number from 0.
        cure: Does the work in another way where it can; tells whether it did.

    Raises:
        MigrationFailed: A statement failed; its transaction was rolled back.
        LedgerError: The ledger's tables cannot be made.
        LockNotHeld: This backend does not hold the migration lock.
        ConnectionLost: The ledger knows what happened.
    """
    at = 0
    known_of: tuple[Failure, Script] | None = None  # of the one at work

    def told() -> None:
        nonlocal at
        link.unsettled = not works[at].waits
        at += 1
        done(at - 1)

    def attempt() -> tuple[Failure, Script] | None:
        nonlocal at, known_of
        first = at
        failed, known_of = known_of, None
        while failed is None and at < len(works):
            failed = _try(link, _together(link, works[at:]), events, told)
        if failed is not None and cure(failed[0]):
            failed, at = None, at + 1
        if at > first:
            known_of, failed = failed, None  # `first` is done
        return failed

    while at < len(works):
        until_done(attempt, works[at].state, works[at].again, events)


def until_done(
    attempt: Callable[[], tuple[Failure, Script] | None], state: str, again: str, events: Events
) -> None:
    """Try again while what failed may pass; then raise it, at its place."""
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


def _together(link: MigrationLink, works: Sequence[Work]) -> Sequence[Work]:
    """Return how many of the first files go to the server at once.

    A migrator that is killed leaves behind it what the server has: that must notice.
    """
    if not link.target.notices_death:
        return works[:1]
    size = 0
    for number, work in enumerate(works[:_MOST]):
        size += len(work.script.source.text)
        if size > _LARGEST:
            return works[: max(1, number)]
    return works[:_MOST]


@dataclass(frozen=True, slots=True)
class _Sent:
    """The commands of one transaction as they are sent, by what they are for.

    Attributes:
        opening: Of the commands, the one that proves that we hold the lock.
        closing: And the one that does so again: a function may have released it.
        own: How many there are up to the end of the file.
        recording: How many there are up to the end of its hook.
    """

    work: Work
    commands: list[FlightCommand]
    opening: FlightCommand
    closing: FlightCommand
    own: int
    recording: int


def _sending(link: MigrationLink, work: Work) -> _Sent:
    proof, script = link.lock.proof, work.script
    opening = settings(script, link, then=(proof, THEIR_PATH))
    closing = ending(link, proof, waits=work.waits)
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
    commands = [*body, *reset(link.target), *quiet(link), closing, *late, *work.bookkeeping()]
    commands.append(FlightCommand("commit"))
    return _Sent(work, commands, opening, closing, own, len(body))


def _try(
    link: MigrationLink, works: Sequence[Work], events: Events, told: Callable[[], None]
) -> tuple[Failure, Script] | None:
    """Run files; return why the first that is not told as committed failed.

    None: all are, or that one was cancelled in place of the one before it, which held its
    locks for too long and came to its end all the same.
    """
    sent: list[_Sent] = []
    answers: list[Reply] = []  # of the transaction at work
    at = 0

    def commands() -> Iterator[FlightCommand]:
        for work in works:
            sent.append(_sending(link, work))
            yield from sent[-1].commands

    def answered(reply: Reply) -> None:
        nonlocal at
        answers.append(reply)
        if reply.error or reply.skipped or len(answers) < len(sent[at].commands):
            return
        answers.clear()
        at += 1
        if at < len(works):
            watcher.turn(works[at].script, hold_of(works[at].script))
        told()

    with watch.Watcher(link, works[0].script, events, hold_of(works[0].script)) as watcher:
        _, exceeded = watch.along(link, commands(), watcher, answered)
    failed = next((number for number, answer in enumerate(answers) if answer.error), None)
    if failed is None:
        return None
    link.roll_back()
    error = answers[failed].error
    if exceeded and exceeded.script is not works[at].script:
        if error and error.sqlstate == _CANCELED:
            return None
        exceeded = None
    return _why(link, sent[at], failed, answers[failed], exceeded)


def _why(
    link: MigrationLink, sent: _Sent, number: int, answer: Reply, exceeded: HoldExceeded | None
) -> tuple[Failure, Script]:
    """Return why a transaction failed at a command, and in what file."""
    work, command = sent.work, sent.commands[number]
    assert answer.error
    if command in (sent.opening, sent.closing) and answer.error.sqlstate == NOT_HELD:
        raise link.lock.lost()
    if command in work.creation:
        raise ledger_writer.unwritable(answer.error, link.target)
    if work.hook is not None and sent.own <= number < sent.recording:
        first = sent.recording - len(work.hook.statements) - 1  # of the hook's own
        inside = first <= number < sent.recording - 1
        failure = Failure(answer.error, number - first if inside else None, exceeded=exceeded)
        return failure, work.hook
    recording = number >= sent.recording
    return Failure(answer.error, command.statement, recording, exceeded), work.script


def known(facts: Sequence[tuple[str, str]]) -> list[FlightCommand]:
    """Return the commands that let a hook read some facts."""
    return [FlightCommand("select pg_catalog.set_config($1, $2, true)", fact) for fact in facts]


def statement_of(script: Script, number: int) -> FlightCommand:
    """Return the command of a statement of a file, with the rows behind it."""
    rows = script.data.get(number)
    text = script.statements[number].text
    return FlightCommand(text, statement=number, rows=rows.chunks if rows else None)
