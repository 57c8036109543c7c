"""Runs one statement of a file in batches, by ranges of a key.

Each batch is a transaction that locks the migration's row in the ledger first, runs the
statement for the next keys, and writes how far it came. So whatever is killed, a row is done
once, and the next run goes on behind the last batch that was committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg import pq

from todo_sql.catalog.names import quoted
from todo_sql.migrations.batch_state import SMALLEST, BatchState, Bound
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import watch
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.lock_retry import give_way, pauses
from todo_sql.migrations.engine.settings import OURS, THEIRS, hold_of, reset
from todo_sql.migrations.engine.transactional import CONSTRAINTS
from todo_sql.migrations.engine.walk import COMMIT, READING, Walk, rows_of_plan, walk_of
from todo_sql.migrations.files.batched import BatchedStatement, batched_of
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.migrations.lock import NOT_HELD
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.progress import Events
from todo_sql.queries.own import bound
from todo_sql.wire.flight import Flight, FlightCommand, Reply

BATCH_TIME = 0.1
BATCH_PAUSE = 0.25
_FIRST_LOOK, _LONGEST_LOOK = 0.1, 2.0  # seconds between two looks at the standbys


def foreseen(link: MigrationLink, script: Script) -> BatchState | None:
    """Return the state before the first batch of a file; None: nothing can be said."""
    made = batched_of(script)
    if made is None:
        return None
    sets = [FlightCommand(s.text) for s in script.statements if is_session_setting(s)]
    try:
        return first_state(link, walk_of(link, script, made, sets))
    except (MigrationFailed, psycopg.Error):
        if link.connection.pgconn.transaction_status == pq.TransactionStatus.INERROR:
            link.roll_back()
        return None


def first_state(link: MigrationLink, walk: Walk) -> BatchState:
    """Return the state before the first batch, which goes to the greatest key of now."""
    *_, greatest, plan, _ = link.fly([READING, OURS, walk.greatest(), walk.estimate(), COMMIT])
    last = _bound(greatest.rows[0]) if greatest.rows else None
    return BatchState(walk.table, walk.key.columns, last, estimate=rows_of_plan(plan))


@dataclass
class BatchRun:
    """One statement on its way through its table.

    Args:
        before: What the session is set to before it.
        record: Makes the commands that write a state into the ledger.
        locked: Makes the command that locks the row of the ledger, and fails if it is another.
        explained: Makes the error of a failure from what state things are in.
    """

    link: MigrationLink
    script: Script
    number: int
    made: BatchedStatement
    before: Sequence[FlightCommand]
    record: Callable[[BatchState], Sequence[FlightCommand]]
    locked: Callable[[], FlightCommand]
    explained: Callable[[Failure, str], MigrationFailed]
    events: Events

    def __post_init__(self) -> None:
        said = self.script.directives
        self.target = said.batch_time or BATCH_TIME
        self.pause = BATCH_PAUSE if said.batch_pause is None else said.batch_pause
        self.throttle = Throttle(self.link, said.max_lag, self.events)
        self.walk = walk_of(self.link, self.script, self.made, self.before)
        self.mark = time.monotonic()

    def run(self, state: BatchState) -> BatchState:
        """Run to the end, and once more where rows still match; return the last state."""
        again = False
        while True:
            state = self._round(state)
            if not self.made.excludes or not self._left(state):
                return state
            if again:
                raise MigrationFailed(
                    f"rows of {state.table} match the statement still",
                    code="M343",
                    place=self.script.source.place(self.script.statements[self.number].start),
                    cause=f"two rounds through the table changed {state.rows:,} rows, and there "
                    "are rows that match its WHERE: others write them, or the statement leaves "
                    "them as they are; what is done stays",
                    fix="see that new rows come with the value (a default, a trigger) and that "
                    "the statement gives one to each row that it matches, then run the command "
                    "again",
                )
            self.events.note(f"rows of {state.table} match still: another round")
            again = True
            last = state.last if state.limited else first_state(self.link, self.walk).last
            state = replace(state, round=state.round + 1, position=None, keys=0, last=last)

    def _round(self, state: BatchState) -> BatchState:
        coming = self._look(state)
        while coming is not None:
            self.throttle.wait()
            state, coming, seconds = self._batch(state, coming)
            self.events.batched(state)
            if coming is not None:
                time.sleep(seconds * self.pause)
        return state

    def _batch(
        self, state: BatchState, coming: tuple[Bound, int]
    ) -> tuple[BatchState, tuple[Bound, int] | None, float]:
        """Run one batch; where it meets another's lock, give way and try a smaller one."""
        found: tuple[Bound, int] | None = coming
        for pause in pauses():
            assert found is not None
            began = time.monotonic()
            done = self._try(state, found[0])
            if isinstance(done, int):
                seconds = time.monotonic() - began
                return *self._keep(state, found, done, seconds), seconds
            error = self._told(done, state, found[0])
            if pause is None or not done.may_pass:
                raise error
            give_way(pause, error.finding, self.events)
            state = replace(state, size=max(SMALLEST, state.size // 2))
            found = self._look(state)
            if found is None:  # they were deleted meanwhile
                return state, None, 0.0
        raise AssertionError

    def _try(self, state: BatchState, upper: Bound) -> int | Failure:
        """Run the statement for the next keys; return how many rows it changed."""
        proof, locked = self.link.lock.require(), self.locked()
        text = self.made.ranged(self.walk.key, lower=state.position is not None)
        statement = FlightCommand(text, (*upper, *(state.position or ())), statement=self.number)
        opening = [FlightCommand("begin read write"), *self.before, OURS, proof, locked]
        commands = [*opening, THEIRS, *self.before, statement, CONSTRAINTS]
        answers = self._fly(commands, proof, locked)
        if isinstance(answers, Failure):
            return answers
        return answers[commands.index(statement)].changed

    def _keep(
        self, state: BatchState, found: tuple[Bound, int], rows: int, seconds: float
    ) -> tuple[BatchState, tuple[Bound, int] | None]:
        """Write how far it came, commit, and look at the next keys."""
        now = time.monotonic()
        state = replace(
            state,
            position=found[0],
            rows=state.rows + rows,
            keys=state.keys + found[1],
            batches=state.batches + 1,
            seconds=state.seconds + now - self.mark,
            size=state.resized(seconds, self.target),
        )
        self.mark = now
        proof = self.link.lock.require()
        commands = [*reset(self.link.target), OURS, proof, *self.record(state), COMMIT]
        commands += [READING, OURS, self.walk.next(state), COMMIT]
        answers = self._fly(commands, proof)
        if isinstance(answers, Failure):
            raise self._told(replace(answers, recording=True), state, found[0])
        return state, _coming(answers[-2])

    def _fly(
        self,
        commands: list[FlightCommand],
        proof: FlightCommand,
        locked: FlightCommand | None = None,
    ) -> list[Reply] | Failure:
        """Fly commands of an open transaction; where one fails, it is rolled back."""
        hold = hold_of(self.script)
        answers, exceeded = watch.fly(self.link, commands, self.script, self.events, hold)
        for command, answer in zip(commands, answers, strict=False):
            if answer.error is None:
                continue
            self.link.roll_back()
            if answer.error.sqlstate == NOT_HELD and command is proof:
                raise self.link.lock.lost()
            if answer.error.sqlstate == NOT_HELD and command is locked:
                raise MigrationFailed(
                    "another migrator changed the ledger in the meantime",
                    code="M309",
                    cause="the batch was rolled back; those before it stay",
                    fix="look at `todo-sql status`, then run the command again",
                )
            return Failure(answer.error, command.statement, exceeded=exceeded, rewritten=True)
        return answers

    def _look(self, state: BatchState) -> tuple[Bound, int] | None:
        """Return the last of the next keys and how many they are; None: there are no more."""
        if state.last is None:
            return None
        commands = [READING, *self.before, OURS, self.walk.next(state), COMMIT]
        answers = Flight(self.link.connection, commands).fly()
        for answer in answers:
            if answer.error is not None:
                self.link.roll_back()
                failure = Failure(answer.error, self.number, rewritten=True)
                raise self.explained(failure, _state(state))
        return _coming(answers[-2])

    def _left(self, state: BatchState) -> bool:
        """Tell whether a row matches that should not any more."""
        if state.limited and state.last is None:
            return False
        upper = state.last if state.limited else None
        text = self.made.left(self.walk.key, upper=upper is not None)
        asked = FlightCommand(text, upper or (), statement=self.number)
        answers = self._fly([READING, *self.before, asked, COMMIT], asked)
        if isinstance(answers, Failure):
            raise self.explained(answers, _state(state))
        return answers[-2].rows[0][0] == "t"

    def _told(self, failure: Failure, state: BatchState, upper: Bound) -> MigrationFailed:
        columns = ", ".join(map(quoted, self.walk.key.columns))
        from_ = f" > ({', '.join(state.position)}) and" if state.position else ""
        where = f"in the batch ({columns}){from_} <= ({', '.join(upper)}), which was rolled back"
        return self.explained(failure, f"{where}; {_state(state)}")


@dataclass
class Throttle:
    """Keeps the standbys of a server from falling more than so many bytes behind."""

    link: MigrationLink
    max_lag: int | None
    events: Events

    def wait(self) -> None:
        """Wait until every standby is near enough; where that is not to be seen, say so once."""
        pause = _FIRST_LOOK
        while self.max_lag is not None:
            text, _ = bound(__package__, "standbys")
            seen, behind = self.link.fly([OURS, FlightCommand(text)])[1].rows[0]
            if seen != "t":
                self.max_lag = None
                self.events.note(
                    f"warning: `max-lag` is not kept: role {self.link.target.role} does not see "
                    "how far the standbys are; grant it pg_monitor"
                )
                return
            if behind is None or float(behind) <= self.max_lag:
                return
            self.events.waiting(f"a standby is more than {_size(self.max_lag)} behind")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def _state(state: BatchState) -> str:
    if not state.begun:
        return "no batch is done"
    return f"{state} are done and recorded ({state.rows:,} changed), and stay"


def _bound(row: Sequence[str | None]) -> Bound:
    return tuple(str(value) for value in row)


def _coming(answer: Reply) -> tuple[Bound, int] | None:
    if not answer.rows:
        return None
    *key, count = answer.rows[0]
    return _bound(key), int(count or 0)
