"""Runs a file statement by statement, each in a transaction of its own.

Before a statement its intent is written into the ledger, after it that it is done. So
a later run knows what was done, and which one statement is in doubt.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.batches import BatchRun, first_state
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


@dataclass
class StepwiseRun:
    """One file on its way, from where an earlier run left it; a hook ends the whole."""

    link: MigrationLink
    writer: Writer
    migration: Migration
    direction: Direction
    events: Events
    hook: Script | None = None
    facts: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        script = self.migration.forward if self.direction == "apply" else self.migration.rollback
        assert script
        self.script: Script = script
        self.statements = script.statements
        recorded = self.link.ledger.by_id.get(self.migration.id)
        begun = recorded.progress if recorded else None
        ours = begun is not None and begun.direction == self.direction
        self.progress = begun if begun and ours else Progress(self.direction)
        self.given_up = begun if begun and not ours else None

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
        for number in range(len(self._done), len(self.statements)):
            self._run_one(number)
        if self.direction == "apply":
            seconds = time.monotonic() - began
            id, checksum = self.migration.id, self.script.checksum
            self._record(self.writer.applied(id, checksum, seconds=seconds), self.hook)
        else:
            self._record(self.writer.rolled_back(self.migration.id))

    @property
    def _done(self) -> tuple[RecordedStep, ...]:
        return tuple(step for step in self.progress.steps if step.done)

    def _clean_given_up(self) -> None:
        """Drop what the other direction left INVALID when it died: it is not gone on with."""
        steps = self.given_up.steps if self.given_up else ()
        if steps and not steps[-1].done and steps[-1].batch is None:
            begun = grammar.parse(steps[-1].sql)[0]
            self._clean(self._catalog(0, begun), begun)

    def _check_done(self) -> None:
        """Refuse a file of which a done statement was changed; later ones may be."""
        for number, step in enumerate(self._done):
            edited = self.statements[number : number + 1]
            if step.hash not in map(statement_hash, edited):
                raise PlanError(
                    f"statement {number + 1} of {self.migration.id} was done before it was edited",
                    code="M231",
                    place=self.script.place_of(edited[0]) if edited else None,
                    cause=f"it was: {in_short(step.sql)}",
                    fix="restore it; what stands after the last statement done may be edited",
                )

    def _settle_begun(self) -> None:
        """Find out what became of a statement that was begun when an earlier run died."""
        number = len(self._done)
        if number == len(self.progress.steps) or self.progress.batch is not None:
            return
        step = self.progress.steps[number]
        begun = grammar.parse(step.sql)[0]
        catalog = self._catalog(number, begun)
        fate = catalog.fate(begun)
        if fate is Fate.NOT_DONE:
            self._clean(catalog, begun)
            fate = catalog.fate(begun)
        if fate is Fate.NOT_DONE:
            self._save(self._done)
        elif fate is Fate.DONE:
            self.events.note(f"statement {number + 1} had been done: {in_short(step.sql)}")
            self._save((*self._done, replace(step, done=True)))
            self._check_done()
        else:
            raise PlanError(
                f"it is unknown whether statement {number + 1} of {self.migration.id} was done",
                code="M232",
                cause=f"a run ended in the middle of it: {in_short(step.sql)}",
                fix=f"look at the database, then run `todo-sql repair {self.migration.id} --done` "
                "or `--redo`",
            )

    def _run_one(self, number: int) -> None:
        statement = self.statements[number]
        if is_session_setting(statement):
            self._save((*self._done, _step(statement, done=True)))
        elif (made := batched_of(self.script)) is not None:
            self._run_in_batches(number, made)
        else:
            self._run_whole(number, statement)

    def _run_whole(self, number: int, statement: Statement) -> None:
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
            give_way(pause, error.finding, self.events)
        self._refuse_invalid(catalog, statement, number)
        self._save((*self._done, _step(statement, done=True)))

    def _run_in_batches(self, number: int, made: BatchedStatement) -> None:
        """Run a statement from where its batches have come to."""
        statement, id = self.statements[number], self.migration.id

        def record(state: BatchState) -> Sequence[FlightCommand]:
            step = replace(_step(statement, done=False), batch=state)
            self.progress = replace(self.progress, steps=(*self._done, step))
            return self.writer.progress(id, self.progress)

        run = BatchRun(
            self.link,
            self.script,
            number,
            made,
            self._before(number, statement),
            record,
            lambda: self.writer.locked(id, self.progress),
            lambda failure, state: failure.explained(self.script, state, self._again),
            self.events,
        )
        given_up = self._given_up_by(run.walk.table, run.walk.key.columns)
        state = self._begun_batch(number, run) or first_state(self.link, run.walk)
        if given_up is not None:
            state = replace(state, last=given_up.done_to, limited=True)
        self._record(record(state))
        state = run.run(state)
        self._save((*self._done, replace(_step(statement, done=True), batch=state)))

    def _given_up_by(self, table: str, key: Sequence[str]) -> BatchState | None:
        """Return how far the other direction came, where it walked the same way and was given up.

        What it did not do is not undone.
        """
        steps = self.given_up.steps if self.given_up else ()
        batches = (step.batch for step in steps if step.batch is not None and not step.done)
        return next((one for one in batches if (one.table, one.key) == (table, key)), None)

    def _begun_batch(self, number: int, run: BatchRun) -> BatchState | None:
        """Return the state in which an earlier run left a statement, or None: at its beginning."""
        state = self.progress.batch
        if state is None or not (state.begun or state.limited):
            return None
        statement, step = self.statements[number], self.progress.steps[number]
        now = run.walk.table, run.walk.key.columns
        if step.hash == statement_hash(statement) and (state.table, state.key) == now:
            return state
        what = "its statement" if step.hash != statement_hash(statement) else "its table or key"
        raise PlanError(
            f"{self.migration.id} was edited in the middle of its batches: {what}",
            code="M233",
            place=self.script.place_of(statement),
            cause=f"{state} are done by: {in_short(step.sql)}, along {', '.join(state.key)} of "
            f"{state.table}",
            fix="restore it; `batch-time`, `batch-pause` and `max-lag` may be edited. Or "
            "`todo-sql rollback` first: it undoes what is done",
        )

    def _execute_or_clean(self, number: int, catalog: Catalog) -> Failure | None:
        """Run a statement; if it fails or is stopped, drop at once what it left INVALID."""
        statement = self.statements[number]
        try:
            failure = self._execute(number)
        except KeyboardInterrupt:
            if not self.link.connection.closed:
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
        statement = self.statements[number]
        for setting in self._before(number, statement):
            answer = Flight(self.link.connection, [setting]).fly()[0]
            if answer.error:
                return Failure(answer.error, number)
        command = FlightCommand(statement.text, statement=number)
        max_hold = None if is_concurrent(statement) else hold_of(self.script)
        answers, exceeded = watch.fly(self.link, [command], self.script, self.events, max_hold)
        error = answers[0].error
        return Failure(error, number, exceeded=exceeded) if error else None

    def _before(self, number: int, statement: Statement) -> list[FlightCommand]:
        """Return what the session is set to before a statement: ours, then the file's own."""
        ours = settings(self.script, self.link, local=False, unbounded=is_concurrent(statement))
        theirs = [s for s in self.statements[:number] if is_session_setting(s)]
        return [*quiet(self.link, local=False), ours, *(FlightCommand(s.text) for s in theirs)]

    def _catalog(self, number: int, statement: Statement) -> Catalog:
        return Catalog(self.link, self._before(number, statement))

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
            self.events.note(f"dropping {index.name}, which was left INVALID")
            self.link.fly(ours)
            self.link.fly([FlightCommand(f"drop index concurrently if exists {index.name}")])
        if finalize := catalog.pending_detach(statement):
            self.events.note("ending a detach that was begun")
            self.link.fly([FlightCommand(finalize)])

    def _refuse_strangers(self, catalog: Catalog, statement: Statement) -> None:
        """Refuse an index of this name that we did not begin and that is not what we would make."""
        index = catalog.index_of(statement)
        if index is None:
            return
        if not index.valid:
            what = " and is INVALID"
        elif not statement.node.index_stmt.if_not_exists:
            what = ""
        elif catalog.matches(statement, index) is False:
            what = " and has another definition"
        else:
            return
        raise MigrationFailed(
            f"the index {index.name} exists already{what}",
            code="M307",
            place=self.script.place_of(statement),
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
            place=self.script.place_of(self.statements[number]),
            fix="run `todo-sql migrate` again",
        )

    def _explained(self, failure: Failure) -> MigrationFailed:
        state = f"{len(self._done)} of {len(self.statements)} statements are done and recorded"
        return failure.explained(self.script, state, self._again)

    @property
    def _again(self) -> str:
        return "todo-sql migrate" if self.direction == "apply" else "todo-sql rollback"

    def _save(self, steps: Sequence[RecordedStep]) -> None:
        self.progress = replace(self.progress, steps=tuple(steps))
        self._record(self.writer.progress(self.migration.id, self.progress))

    def _record(self, commands: Sequence[FlightCommand], hook: Script | None = None) -> None:
        """Change the ledger in a transaction that proves that we hold the lock."""
        proof, target = self.link.lock.require(), self.link.target
        body = [FlightCommand("begin read write"), *reset(target), OURS, proof]
        if hook is not None:
            theirs = settings(hook, self.link, then=(THEIR_PATH,))
            body += [*known(self.facts), *quiet(self.link), theirs, *of_file(hook)]
            body += [*reset(target), OURS, proof]
        flight = [*body, *commands, FlightCommand("commit")]
        script = hook or self.script
        answers, exceeded = watch.fly(self.link, flight, script, self.events, hold_of(script))
        for number, (command, answer) in enumerate(zip(flight, answers, strict=False)):
            if answer.error is not None:
                self.link.roll_back()
                if command is proof:
                    raise self.link.lock.lost()
                if hook is not None and number < len(body):
                    failure = Failure(answer.error, command.statement, exceeded=exceeded)
                    state = "every statement of the migration is done and recorded, it is not"
                    raise failure.explained(hook, state, self._again)
                raise self._explained(Failure(answer.error, None, recording=True))
        self.link.unsettled = False


def _step(statement: Statement, *, done: bool) -> RecordedStep:
    return RecordedStep(statement_hash(statement), statement.text, done)


def statement_hash(statement: Statement) -> str:
    """Return the hash by which the ledger knows a statement; line endings do not count."""
    return hashlib.sha256(statement.text.replace("\r\n", "\n").encode()).hexdigest()[:32]
