"""One run on one connection under the lock: migrations, repeatable files and hooks, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile

from todo_sql.errors import Finding, TodoSqlError
from todo_sql.migrations import ledger as ledger_of
from todo_sql.migrations import repeating
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.engine import aftermath, transactional
from todo_sql.migrations.engine.failure import Failure
from todo_sql.migrations.engine.settings import OURS
from todo_sql.migrations.engine.transactional import Work
from todo_sql.migrations.files import statements
from todo_sql.migrations.files.migration import Migration, MigrationSet, Script
from todo_sql.migrations.ledger import Direction
from todo_sql.migrations.ledger_writer import Writer, unwritable
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.progress import Events
from todo_sql.migrations.repeating import Return
from todo_sql.wire.connect_errors import beyond
from todo_sql.wire.flight import Flight, FlightCommand
from todo_sql.wire.pipeline import ConnectionLost

_NOTHING_RAN = "nothing was run, nothing changed"
_ALL_APPLIED = "what was pending is applied and recorded; the hook alone was rolled back"


@dataclass(frozen=True, slots=True)
class Done:
    """What was applied or rolled back, and how long that took."""

    id: str
    duration_ms: int


@dataclass(repr=False)  # the URL may hold a password
class MigrationRun:
    """Applies or rolls back on a link that holds the lock."""

    url: str
    schema: str | None
    migrations: MigrationSet
    link: MigrationLink
    events: Events

    def __post_init__(self) -> None:
        self.hooks = self.migrations.hooks
        self.writer = Writer(self.link.target)
        self.done: list[Done] = []
        self.at, self.began = "", 0.0  # what is at work, since when

    def prepare(self) -> Writer:
        """Make what is missing of the ledger's tables."""
        link = self.link
        self.change_ledger(self.writer.create(link.ledger))
        link.ledger = link.ledger.created()
        return self.writer

    def change_ledger(self, commands: Sequence[FlightCommand]) -> None:
        """Change the ledger in a transaction of its own, which proves that we hold the lock."""
        if not commands:
            return
        link = self.link
        proof = link.lock.require()
        begin, commit = FlightCommand("begin read write"), FlightCommand("commit")
        flight = [begin, OURS, proof, *commands, commit]
        for command, answer in zip(flight, Flight(link.connection, flight).fly(), strict=True):
            if answer.error is None:
                continue
            link.roll_back()
            if command is proof:
                raise link.lock.lost()
            raise unwritable(answer.error, link.target)

    def apply(self, migrations: Sequence[Migration], repeatables: Sequence[Script]) -> list[Done]:
        """Apply migrations, then repeatable files, with the hooks around them."""
        total = len(migrations) + len(repeatables)
        if total == 0:
            return []
        self._hook("before", _NOTHING_RAN)
        with self._settled():
            try:
                self._all(migrations, "apply", total)
                self._repeat(repeatables, len(migrations), total)
            except MigrationFailed as error:
                self._tell_failed(self.at, error)
                raise
            self._hook("after", _ALL_APPLIED)
        return self.done

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Of the commits within, have one at the end wait for the disk, for all of them."""
        try:
            yield
        finally:
            self.link.settle(self.writer.settled())

    def repeat(self, script: Script) -> Done:
        """Run a repeatable file, whether its text changed or not."""
        self._repeat([script], 0, 1)
        return self.done[0]

    def roll_back(self, migrations: Sequence[Migration]) -> list[Done]:
        """Roll migrations back, with the former texts of repeatable files."""
        with self._settled():
            self._all(migrations, "rollback", len(migrations))
        return self.done

    def bring_back(self, one: Return) -> Done:
        """Bring the former text of a repeatable file back."""
        self._timed(repeating.PREFIX + one.name, "rollback", 1, 1, lambda: self._return((), [one]))
        return self.done[0]

    def _all(self, migrations: Sequence[Migration], direction: Direction, total: int) -> None:
        """Apply or roll back migrations; those that are one transaction each go together."""
        left = list(migrations)
        while left:
            runs = self.runs() if direction == "rollback" else []
            chain = list(takewhile(partial(_is_plain, runs, direction), left))
            before = len(migrations) - len(left)
            if chain:
                self._together(chain, direction, before, total)
            else:
                one, work = left[0], self._step if direction == "apply" else self._undo
                with self._cutting_off(left[:1], direction):
                    self._timed(one.id, direction, before + 1, total, partial(work, one))
            del left[: len(chain) or 1]

    def _together(
        self, chain: Sequence[Migration], direction: Direction, before: int, total: int
    ) -> None:
        link = self.link
        make = self._applying if direction == "apply" else self._undoing
        works = [make(migration) for migration in chain]
        works[0] = replace(works[0], creation=self.writer.create(link.ledger))
        behind = direction == "apply" and "after" in self.hooks
        works[-1] = replace(works[-1], waits=before + len(chain) == total and not behind)

        def begin(number: int) -> None:
            self._begin(chain[number].id, direction, before + number + 1, total)
            self._warn_of(works[number].script)

        def done(number: int) -> None:
            link.ledger = link.ledger.created()
            self._end(chain[number].id, direction)
            if number + 1 < len(chain):
                begin(number + 1)

        with self._cutting_off(chain, direction):
            begin(0)
            transactional.run(link, works, self.events, done)

    def _applying(self, migration: Migration) -> Work:
        hook = self.hooks.get("after_each")
        return Work(
            migration.forward,
            lambda: self.writer.applied(migration.id, migration.forward.checksum),
            hook=hook,
            facts=_facts(migration) if hook else (),
            waits=False,
        )

    def _undoing(self, migration: Migration) -> Work:
        assert migration.rollback
        return Work(
            migration.rollback,
            lambda: self.writer.rolled_back(migration.id),
            again="todo-sql rollback",
            waits=False,
        )

    def _step(self, migration: Migration) -> None:
        """Apply a migration statement by statement."""
        from todo_sql.migrations.engine.nontransactional import StepwiseRun

        self._warn_of(migration.forward)
        if not self.link.ledger.extended:
            self.prepare()
        hook = self.hooks.get("after_each")
        link, writer, facts = self.link, self.writer, _facts(migration)
        StepwiseRun(link, writer, migration, "apply", self.events, hook, facts).run()

    def _undo(self, migration: Migration) -> None:
        """Roll a migration back that is more than one transaction of its file and its mark."""
        from todo_sql.migrations.engine.nontransactional import StepwiseRun

        script, link = migration.rollback, self.link
        assert script
        self._warn_of(script)
        returns = repeating.returning(self.runs(), {migration.id})
        if script.directives.transactional:
            self._return((script,), returns, self.writer.rolled_back(migration.id))
            return
        StepwiseRun(link, self.writer, migration, "rollback", self.events).run()
        if returns:
            self._return((), returns)

    def _begin(self, id: str, direction: Direction, number: int, total: int) -> None:
        self.at, self.began = id, time.monotonic()
        self.events.started(id, direction, number, total)

    def _end(self, id: str, direction: Direction) -> None:
        seconds = time.monotonic() - self.began
        self.events.finished(id, direction, seconds)
        self.done.append(Done(id, round(seconds * 1000)))

    def _timed(
        self, id: str, direction: Direction, number: int, total: int, work: Callable[[], None]
    ) -> None:
        self._begin(id, direction, number, total)
        work()
        self._end(id, direction)

    def runs(self) -> list[ledger_of.RecordedRepeatable]:
        """Return every run of repeatable files, with its text."""
        if not self.link.ledger.repeats:
            return []
        commands = ledger_of.history_commands(self.link.target.schema)
        return ledger_of.history(Flight(self.link.connection, commands).fly())

    def _return(
        self,
        scripts: Sequence[Script],
        returns: Sequence[Return],
        record: Sequence[FlightCommand] = (),
    ) -> None:
        """Undo what repeatable files made, run a rollback, and run their former texts."""
        from todo_sql.migrations.engine.made import resolve
        from todo_sql.migrations.engine.remake import Remake

        former = repeating.in_order(repeating.of_text(one.former) for one in returns if one.former)
        now = [repeating.of_text(one.undone[0]) for one in returns]
        new = [repeating.of_text(one.undone[0]) for one in returns if one.former is None]
        for script in (*former, *now):
            statements.refuse_wrong(script, self.link.takes)

        def made(link: MigrationLink, scripts: Sequence[Script]) -> list[str]:
            return [key for script in scripts for key in resolve(link, script).values()]

        undone = (run.position for one in returns for run in one.undone)
        commands = [command for at in undone for command in self.writer.unrepeated(at)]
        every = [*scripts, *former]
        Remake(
            self.link,
            [*every, *now][0],
            every,
            self.events,
            lambda _: [*record, *commands],
            down=lambda link: [k for k in made(link, now) if not k.startswith("function ")],
            gone=lambda link: made(link, new),
            again="todo-sql rollback",
        ).run()

    def _repeat(self, scripts: Sequence[Script], before: int, total: int) -> None:
        waiting, number = list(scripts), before
        while waiting:
            script, number = waiting.pop(0), number + 1
            ran: list[Script] = []
            one = repeating.as_migration(script)
            with self._cutting_off([one], "apply"):
                work = partial(self._run_again, script, waiting, ran)
                self._timed(one.id, "apply", number, total, work)
            for other in ran:  # in the same transaction
                waiting.remove(other)
                number += 1
                self._timed(repeating.as_migration(other).id, "apply", number, total, lambda: None)

    def _run_again(self, script: Script, waiting: Sequence[Script], ran: list[Script]) -> None:
        link, writer = self.link, self.writer
        self._warn_of(script)

        def record(scripts: Sequence[Script]) -> list[FlightCommand]:
            texts = [(repeating.name_of(one), one.checksum, one.source.text) for one in scripts]
            return [command for text in texts for command in writer.repeated(*text)]

        creation = writer.create(link.ledger, repeats=True)

        def cure(failure: Failure) -> bool:
            from todo_sql.migrations.engine.remake import Remake

            remake = Remake(link, script, [script], self.events, record, tuple(waiting), creation)
            if not remake.takes(failure):
                return False
            ran.extend(remake.run()[1:])
            return True

        work = Work(script, lambda: record([script]), creation, waits=not waiting)
        transactional.run(link, [work], self.events, cure=cure)
        link.ledger = link.ledger.created(repeats=True)

    def _hook(self, name: str, state: str, facts: tuple[tuple[str, str], ...] = ()) -> None:
        if script := self.hooks.get(name):
            self._warn_of(script)
            work = Work(script, facts=facts, state=state, waits=name != "before")
            transactional.run(self.link, [work], self.events)

    def _tell_failed(self, id: str, error: MigrationFailed) -> None:
        """Run the hook for failures; where it fails itself, that is only told."""
        if self.link.connection.closed or "on_error" not in self.hooks:
            return
        said = self.link.settings.hide(error.message)
        told = {"migration": id, "error": said, "sqlstate": error.sqlstate or ""}
        facts = tuple((f"todo_sql.{name}", value) for name, value in told.items())
        try:
            self._hook("on_error", "the hook was rolled back", facts)
        except (TodoSqlError, ConnectionLost) as other:
            known = other.finding if isinstance(other, TodoSqlError) else None
            message = f"the hook for failures failed itself: {known.message if known else other}"
            found = known or Finding("M341", "warning", message)
            self.events.warning(
                replace(found, code="M341", severity="warning", message=message, fix=None)
            )

    def _warn_of(self, script: Script) -> None:
        found = [*statements.unexamined(script.source, script.statements)]
        if not script.is_rollback and "M131" not in script.directives.allow:
            found += statements.without_effect(script.source, script.statements)
        for finding in found:
            self.events.warning(finding)

    @contextmanager
    def _cutting_off(self, chain: Sequence[Migration], direction: Direction) -> Iterator[None]:
        """Say what state things are in where a run is cut off in the middle of migrations."""
        try:
            yield
        except (ConnectionLost, KeyboardInterrupt) as error:
            told = [one.id for one in self.done]
            last = chain[-1].id  # told as well, where the end of the flight alone was missing
            ids = [one.id for one in chain if one.id not in told] or [last]
            before = [id for id in told if id != last] if self.link.unsettled else []
            self.link.connection.close()
            state = aftermath.of(self.url, self.schema, ids, direction, self.events, before)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(state) from None
            verb = "migrate" if direction == "apply" else "rollback"
            raise MigrationFailed(
                f"the connection was lost at {self.at}: {error}",
                code="M330",
                cause=state,
                fix=beyond(error, f"run `todo-sql {verb}` again"),
            ) from None


def _is_plain(
    runs: Sequence[ledger_of.RecordedRepeatable], direction: Direction, migration: Migration
) -> bool:
    """Tell whether a migration is one transaction of its file and its mark."""
    script = migration.forward if direction == "apply" else migration.rollback
    assert script
    whole = script.directives.transactional
    return whole and not (runs and repeating.returning(runs, {migration.id}))


def _facts(migration: Migration) -> tuple[tuple[str, str], ...]:
    return (("todo_sql.migration", migration.id),)
