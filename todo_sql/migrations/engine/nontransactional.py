"""Runs a file statement by statement, each in a transaction of its own.

Before a statement its intent is written into the ledger, after it that it is done. So
a later run knows what was done, and which one statement is in doubt.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import failure, watch
from todo_sql.migrations.engine.batches import BatchRun
from todo_sql.migrations.engine.concurrent import Catalog, Fate
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.lock_retry import give_way, pauses
from todo_sql.migrations.engine.settings import OURS, hold_of, quiet, reset, settings
from todo_sql.migrations.engine.transactional import known, of_file
from todo_sql.migrations.files.batched import BatchedStatement, batched_of
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.migrations.files.rerun import detached_partition, is_concurrent, is_session_setting
from todo_sql.migrations.files.statements import in_short
from todo_sql.migrations.ledger import Direction, Progress, RecordedStep
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.migration_errors import MigrationFailed, PlanError
from todo_sql.migrations.progress import Events
from todo_sql.sql import grammar
from todo_sql.sql.grammar import Statement
from todo_sql.sql.trust import THEIR_PATH
from todo_sql.wire.flight import Flight, FlightCommand


class StepwiseRun:
    """One file on its way, from where an earlier run left it.

    Args:
        link: The connection, which holds the migration lock.
        writer: Changes the ledger.
        migration: Whose file it is.
        direction: Which of its files.
        events: Is told what is at work.
        hook: A file that runs in the transaction which records the whole.
        facts: What the hook may read.
    """

    def __init__(
        self,
        link: MigrationLink,
        writer: Writer,
        migration: Migration,
        direction: Direction,
        events: Events,
        hook: Script | None = None,
        facts: Sequence[tuple[str, str]] = (),
    ) -> None:
        script = migration.forward if direction == "apply" else migration.rollback
        assert script
        self._link = link
        self._writer = writer
        self._migration = migration
        self._direction = direction
        self._events = events
        self._script: Script = script
        self._statements = script.statements
        self._hook = hook
        self._facts = facts
        recorded = link.ledger.by_id.get(migration.id)
        begun = recorded.progress if recorded else None
        ours = begun is not None and begun.direction == direction
        self._progress = begun if begun and ours else Progress(direction)
        self._given_up = begun if begun and not ours else None

    def run(self) -> None:
        """Run what is not done yet, and record the whole.

        Raises:
            MigrationFailed: A statement failed; those before it are done and recorded.
            PlanError: The file was edited where it is done, or a statement is in doubt.
            LockNotHeld: This backend does not hold the migration lock.
        """
        began = time.monotonic()
        self._clean_given_up()
        self._check_done()
        self._settle_begun()
        for number in range(len(self._done), len(self._statements)):
            self._run_one(number)
        if self._direction == "apply":
            seconds = time.monotonic() - began
            id, checksum = self._migration.id, self._script.checksum
            self._record(self._writer.applied(id, checksum, seconds=seconds), self._hook)
        else:
            self._record(self._writer.rolled_back(self._migration.id))

    @property
    def _done(self) -> tuple[RecordedStep, ...]:
        return tuple(step for step in self._progress.steps if step.done)

    def _clean_given_up(self) -> None:
        """Drop what the other direction left INVALID when it died: it is not gone on with."""
        steps = self._given_up.steps if self._given_up else ()
        if steps and not steps[-1].done and steps[-1].batch is None:
            begun = grammar.parse(steps[-1].sql)[0]
            self._clean(self._catalog(0, begun), begun)

    def _check_done(self) -> None:
        """Refuse a file of which a done statement was changed; later ones may be."""
        for number, step in enumerate(self._done):
            same = number < len(self._statements) and step.hash == statement_hash(
                self._statements[number]
            )
            if not same:
                place = None
                if number < len(self._statements):
                    span = failure.first_line(self._statements[number])
                    place = self._script.source.place(*span)
                raise PlanError(
                    f"statement {number + 1} of {self._migration.id} was done before it was edited",
                    code="M231",
                    place=place,
                    cause=f"it was: {in_short(step.sql)}",
                    fix="restore it; what stands after the last statement done may be edited",
                )

    def _settle_begun(self) -> None:
        """Find out what became of a statement that was begun when an earlier run died."""
        number = len(self._done)
        if number == len(self._progress.steps) or self._progress.batch is not None:
            return
        step = self._progress.steps[number]
        begun = grammar.parse(step.sql)[0]
        same = number < len(self._statements) and step.hash == statement_hash(
            self._statements[number]
        )
        catalog = self._catalog(number, begun)
        fate = catalog.fate(begun)
        if fate is Fate.NOT_DONE:
            self._clean(catalog, begun)
            fate = catalog.fate(begun)
        if fate is Fate.NOT_DONE:
            self._save(self._done)
        elif fate is Fate.DONE:
            self._events.note(f"statement {number + 1} had been done: {in_short(step.sql)}")
            self._save((*self._done, replace(step, done=True)))
            if not same:
                self._check_done()
        else:
            raise PlanError(
                f"it is unknown whether statement {number + 1} of {self._migration.id} was done",
                code="M232",
                cause=f"a run ended in the middle of it: {in_short(step.sql)}",
                fix=f"look at the database, then run `todo-sql repair {self._migration.id} --done` "
                "or `--redo`",
            )

    def _run_one(self, number: int) -> None:
        statement = self._statements[number]
        if is_session_setting(statement):
            self._save((*self._done, _step(statement, done=True)))
            return
        made = batched_of(self._script)
        if made is not None:
            self._run_in_batches(number, made)
            return
        catalog = self._catalog(number, statement)
        self._refuse_strangers(catalog, statement)
        for pause in pauses():
            self._save((*self._done, _step(statement, done=False)))
            failure = self._execute_or_clean(number, catalog)
            if failure is None:
                break
            if detached_partition(statement) and catalog.fate(statement) is Fate.DONE:
                break
            self._save(self._done)
            error = self._explained(failure)
            if pause is None or not failure.may_pass:
                raise error
            give_way(pause, error.finding, self._events)
        self._refuse_invalid(catalog, statement, number)
        self._save((*self._done, _step(statement, done=True)))

    def _run_in_batches(self, number: int, made: BatchedStatement) -> None:
        """Run a statement from where its batches have come to."""
        statement, id = self._statements[number], self._migration.id

        def record(state: BatchState) -> Sequence[FlightCommand]:
            step = replace(_step(statement, done=False), batch=state)
            self._progress = replace(self._progress, steps=(*self._done, step))
            return self._writer.progress(id, self._progress)

        run = BatchRun(
            self._link,
            self._script,
            number,
            made,
            self._before(number, statement),
            record,
            lambda: self._writer.locked(id, self._progress),
            lambda failure, state: failure.explained(self._script, state, f"todo-sql {self._verb}"),
            self._events,
        )
        given_up = self._given_up_by(run.walk.table, run.walk.key.columns)
        state = self._begun_batch(number, run)
        if state is None:
            state = run.start()
        if given_up is not None:
            last = given_up.done_to if given_up.begun else None
            state = replace(state, last=last, limited=True)
        self._record(record(state))
        state = run.run(state)
        self._save((*self._done, replace(_step(statement, done=True), batch=state)))

    def _given_up_by(self, table: str, key: Sequence[str]) -> BatchState | None:
        """Return how far the other direction came, where it walked the same way and was given up.

        What it did not do is not undone.
        """
        for step in self._given_up.steps if self._given_up else ():
            batch = step.batch
            if batch is not None and not step.done and (batch.table, batch.key) == (table, key):
                return batch
        return None

    def _begun_batch(self, number: int, run: BatchRun) -> BatchState | None:
        """Return the state in which an earlier run left a statement, or None: at its beginning.

        Raises:
            PlanError: The statement was edited after the first batch.
        """
        state = self._progress.batch
        if state is None or not (state.begun or state.limited):
            return None
        statement, step = self._statements[number], self._progress.steps[number]
        now = run.walk.table, run.walk.key.columns
        if step.hash == statement_hash(statement) and (state.table, state.key) == now:
            return state
        what = "its statement" if step.hash != statement_hash(statement) else "its table or key"
        raise PlanError(
            f"{self._migration.id} was edited in the middle of its batches: {what}",
            code="M233",
            place=self._script.source.place(*failure.first_line(statement)),
            cause=f"{state} are done by: {in_short(step.sql)}, along {', '.join(state.key)} of "
            f"{state.table}",
            fix="restore it; `batch-time`, `batch-pause` and `max-lag` may be edited. Or "
            "`todo-sql rollback` first: it undoes what is done",
        )

    def _execute_or_clean(self, number: int, catalog: Catalog) -> Failure | None:
        """Run a statement; if it fails or is stopped, drop at once what it left INVALID."""
        statement = self._statements[number]
        try:
            failure = self._execute(number)
        except KeyboardInterrupt:
            if not self._link.connection.closed:
                self._clean(catalog, statement)
                self._save(self._done)
            raise
        # An index of that name that was there before is somebody else's.
        if failure is not None and failure.error.sqlstate != "42P07":
            self._clean(catalog, statement)
        return failure

    def _execute(self, number: int) -> Failure | None:
        """Run a statement; return why it failed, if it did.

        Concurrent work is not cancelled for the locks that it holds: it takes them at its
        very end, and would leave INVALID what it had done.
        """
        statement = self._statements[number]
        for setting in self._before(number, statement):
            answer = Flight(self._link.connection, [setting]).fly()[0]
            if answer.error:
                return Failure(answer.error, number)
        command = FlightCommand(statement.text, statement=number)
        max_hold = None if is_concurrent(statement) else hold_of(self._script)
        answers, exceeded = watch.fly(self._link, [command], self._script, self._events, max_hold)
        error = answers[0].error
        return Failure(error, number, exceeded=exceeded) if error else None

    def _before(self, number: int, statement: Statement) -> list[FlightCommand]:
        """Return what the session is set to before a statement: ours, then the file's own."""
        ours = settings(
            self._script,
            self._link,
            local=False,
            unbounded=is_concurrent(statement),
        )
        theirs = [s for s in self._statements[:number] if is_session_setting(s)]
        silence = quiet(self._link, local=False)
        return [*silence, ours, *(FlightCommand(s.text) for s in theirs)]

    def _catalog(self, number: int, statement: Statement) -> Catalog:
        return Catalog(self._link, self._before(number, statement))

    def _clean(self, catalog: Catalog, statement: Statement) -> None:
        """Drop the INVALID indexes that our statement left, and end its pending detach."""
        ours = self._before(0, statement)
        for index in list(catalog.leftovers(statement)):
            if index.builder is not None:
                raise MigrationFailed(
                    f"pid {index.builder} is at work on {index.name}, which an earlier run left "
                    "INVALID",
                    code="M306",
                    cause="it is not dropped while another session works on it; nothing was "
                    "changed",
                    fix="wait until that is done, then run the command again",
                )
            self._events.note(f"dropping {index.name}, which was left INVALID")
            self._link.fly(ours)
            self._link.fly([FlightCommand(f"drop index concurrently if exists {index.name}")])
        finalize = catalog.pending_detach(statement)
        if finalize:
            self._events.note("ending a detach that was begun")
            self._link.fly([FlightCommand(finalize)])

    def _refuse_strangers(self, catalog: Catalog, statement: Statement) -> None:
        """Refuse an index of this name that we did not begin and that is not what we would make."""
        index = catalog.index_of(statement)
        if index is None:
            return
        what = None
        if not index.valid:
            what = " and is INVALID"
        elif not statement.node.index_stmt.if_not_exists:
            what = ""
        elif catalog.matches(statement, index) is False:
            what = " and has another definition"
        if what is not None:
            raise MigrationFailed(
                f"the index {index.name} exists already{what}",
                code="M307",
                place=self._script.source.place(*failure.first_line(statement)),
                cause=f"no migration created it, so it is left alone: {index.definition}",
                fix=f"drop it (`drop index concurrently {index.name}`) or rename one of the two",
            )

    def _refuse_invalid(self, catalog: Catalog, statement: Statement, number: int) -> None:
        index = catalog.index_of(statement)
        if index is None or index.valid or index.partitioned:
            return
        self._clean(catalog, statement)
        raise MigrationFailed(
            f"the index {index.name} came out INVALID and was dropped",
            code="M308",
            place=self._script.source.place(*failure.first_line(self._statements[number])),
            fix="run `todo-sql migrate` again",
        )

    def _explained(self, failure: Failure) -> MigrationFailed:
        state = f"{len(self._done)} of {len(self._statements)} statements are done and recorded"
        return failure.explained(self._script, state, f"todo-sql {self._verb}")

    @property
    def _verb(self) -> str:
        return "migrate" if self._direction == "apply" else "rollback"

    def _save(self, steps: Sequence[RecordedStep]) -> None:
        self._progress = replace(self._progress, steps=tuple(steps))
        self._record(self._writer.progress(self._migration.id, self._progress))

    def _record(self, commands: Sequence[FlightCommand], hook: Script | None = None) -> None:
        """Change the ledger in a transaction that proves that we hold the lock."""
        proof = self._link.lock.require()
        target = self._link.target
        body = [FlightCommand("begin read write"), *reset(target), OURS, proof]
        if hook is not None:
            body += [
                *known(self._facts),
                *quiet(self._link),
                settings(hook, self._link, then=(THEIR_PATH,)),
                *of_file(hook),
            ]
            body += [*reset(target), OURS, proof]
        flight = [*body, *commands, FlightCommand("commit")]
        script = hook or self._script
        answers, exceeded = watch.fly(self._link, flight, script, self._events, hold_of(script))
        for number, (command, answer) in enumerate(zip(flight, answers, strict=False)):
            if answer.error is not None:
                self._link.roll_back()
                if command is proof:
                    raise self._link.lock.lost()
                if hook is not None and number < len(body):
                    failure = Failure(answer.error, command.statement, exceeded=exceeded)
                    state = "every statement of the migration is done and recorded, it is not"
                    raise failure.explained(hook, state, f"todo-sql {self._verb}")
                raise self._explained(Failure(answer.error, None, recording=True))
        self._link.unsettled = False


def _step(statement: Statement, *, done: bool) -> RecordedStep:
    return RecordedStep(statement_hash(statement), statement.text, done)


def statement_hash(statement: Statement) -> str:
    """Return the hash by which the ledger knows a statement; line endings do not count."""
    return hashlib.sha256(statement.text.replace("\r\n", "\n").encode()).hexdigest()[:32]
