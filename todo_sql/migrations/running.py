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


class MigrationRun:
    """Applies or rolls back on a link that holds the lock.

    Args:
        url: Of the database, for another look after a lost connection.
        schema: Of the ledger, where the configuration says it.
        migrations: The project.
        link: The connection.
        events: Is told what happens.
    """

    def __init__(
        self,
        url: str,
        schema: str | None,
        migrations: MigrationSet,
        link: MigrationLink,
        events: Events,
    ) -> None:
        self._url = url
        self._schema = schema
        self._hooks = migrations.hooks
        self._link = link
        self._events = events
        self._writer = Writer(link.target)
        self._done: list[Done] = []
        self._at, self._began = "", 0.0  # what is at work, since when

    def prepare(self, *, repeats: bool = False) -> Writer:
        """Make what is missing of the ledger's tables."""
        link = self._link
        self.change_ledger(self._writer.create(link.ledger, repeats=repeats))
        link.ledger = link.ledger.created(repeats=repeats)
        return self._writer

    def change_ledger(self, commands: Sequence[FlightCommand]) -> None:
        """Change the ledger in a transaction of its own, which proves that we hold the lock."""
        if not commands:
            return
        link = self._link
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
                self._tell_failed(self._at, error)
                raise
            self._hook("after", _ALL_APPLIED)
        return self._done

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Of the commits within, have one at the end wait for the disk, for all of them."""
        try:
            yield
        finally:
            self._link.settle(self._writer.settled())

    def repeat(self, script: Script) -> Done:
        """Run a repeatable file, whether its text changed or not."""
        self._repeat([script], 0, 1)
        return self._done[0]

    def roll_back(self, migrations: Sequence[Migration]) -> list[Done]:
        """Roll migrations back, with the former texts of repeatable files."""
        with self._settled():
            self._all(migrations, "rollback", len(migrations))
        return self._done

    def bring_back(self, one: Return) -> Done:
        """Bring the former text of a repeatable file back."""
        id = repeating.PREFIX + one.name
        self._timed(id, "rollback", 1, 1, lambda: self._return((), [one]))
        return self._done[0]

    def _all(self, migrations: Sequence[Migration], direction: Direction, total: int) -> None:
        """Apply or roll back migrations; those that are one transaction each go together."""
        left = list(migrations)
        while left:
            chain = list(takewhile(self._is_plain(direction), left))
            before = len(migrations) - len(left)
            if chain:
                self._together(chain, direction, before, total)
            else:
                one, work = left[0], self._step if direction == "apply" else self._undo
                with self._cutting_off(left[:1], direction):
                    self._timed(one.id, direction, before + 1, total, partial(work, one))
            del left[: len(chain) or 1]

    def _is_plain(self, direction: Direction) -> Callable[[Migration], bool]:
        """Return what tells whether a migration is one transaction of its file and its mark."""
        runs = self.runs() if direction == "rollback" else []

        def is_plain(migration: Migration) -> bool:
            script = migration.forward if direction == "apply" else migration.rollback
            assert script
            returns = repeating.returning(runs, {migration.id}) if runs else ()
            return script.directives.transactional and not returns

        return is_plain

    def _together(
        self, chain: Sequence[Migration], direction: Direction, before: int, total: int
    ) -> None:
        link = self._link
        make = self._applying if direction == "apply" else self._undoing
        works = [make(migration) for migration in chain]
        creation = self._writer.create(link.ledger)
        works[0] = replace(works[0], creation=creation)
        last = before + len(chain) == total and not (
            direction == "apply" and "after" in self._hooks
        )
        works[-1] = replace(works[-1], waits=last)

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
            transactional.run(link, works, self._events, done)

    def _applying(self, migration: Migration) -> Work:
        hook = self._hooks.get("after_each")
        return Work(
            migration.forward,
            lambda: self._writer.applied(migration.id, migration.forward.checksum),
            hook=hook,
            facts=_facts(migration) if hook else (),
            waits=False,
        )

    def _undoing(self, migration: Migration) -> Work:
        assert migration.rollback
        return Work(
            migration.rollback,
            lambda: self._writer.rolled_back(migration.id),
            again="todo-sql rollback",
            waits=False,
        )

    def _step(self, migration: Migration) -> None:
        """Apply a migration statement by statement."""
        from todo_sql.migrations.engine.nontransactional import StepwiseRun

        self._warn_of(migration.forward)
        if not self._link.ledger.extended:
            self.prepare()
        hook = self._hooks.get("after_each")
        link, writer, facts = self._link, self._writer, _facts(migration)
        StepwiseRun(link, writer, migration, "apply", self._events, hook, facts).run()

    def _undo(self, migration: Migration) -> None:
        """Roll a migration back that is more than one transaction of its file and its mark."""
        from todo_sql.migrations.engine.nontransactional import StepwiseRun

        script, link = migration.rollback, self._link
        assert script
        self._warn_of(script)
        returns = repeating.returning(self.runs(), {migration.id})
        if script.directives.transactional:
            self._return((script,), returns, self._writer.rolled_back(migration.id))
            return
        StepwiseRun(link, self._writer, migration, "rollback", self._events).run()
        if returns:
            self._return((), returns)

    def _begin(self, id: str, direction: Direction, number: int, total: int) -> None:
        self._at, self._began = id, time.monotonic()
        self._events.started(id, direction, number, total)

    def _end(self, id: str, direction: Direction) -> None:
        seconds = time.monotonic() - self._began
        self._events.finished(id, direction, seconds)
        self._done.append(Done(id, round(seconds * 1000)))

    def _timed(
        self, id: str, direction: Direction, number: int, total: int, work: Callable[[], None]
    ) -> None:
        self._begin(id, direction, number, total)
        work()
        self._end(id, direction)

    def runs(self) -> list[ledger_of.RecordedRepeatable]:
        """Return every run of repeatable files, with its text."""
        if not self._link.ledger.repeats:
            return []
        commands = ledger_of.history_commands(self._link.target.schema)
        return ledger_of.history(Flight(self._link.connection, commands).fly())

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
            statements.refuse_wrong(script, self._link.takes)

        def views(link: MigrationLink) -> list[str]:
            keys = [key for script in now for key in resolve(link, script).values()]
            return [key for key in keys if not key.startswith("function ")]

        def gone(link: MigrationLink) -> list[str]:
            return [key for script in new for key in resolve(link, script).values()]

        commands = [
            command
            for one in returns
            for run in one.undone
            for command in self._writer.unrepeated(run.position)
        ]
        every = [*scripts, *former]
        remake = Remake(
            self._link,
            [*every, *now][0],
            every,
            self._events,
            lambda _: [*record, *commands],
            down=views,
            gone=gone,
            again="todo-sql rollback",
        )
        remake.run()

    def _repeat(self, scripts: Sequence[Script], before: int, total: int) -> None:
        waiting = list(scripts)
        number = before
        while waiting:
            script = waiting.pop(0)
            id = repeating.PREFIX + repeating.name_of(script)
            ran: list[Script] = []

            def work(script: Script = script, ran: list[Script] = ran) -> None:
                self._run_again(script, waiting, ran)

            number += 1
            with self._cutting_off([repeating.as_migration(script)], "apply"):
                self._timed(id, "apply", number, total, work)
            for other in ran:  # in the same transaction
                waiting.remove(other)
                id, number = repeating.PREFIX + repeating.name_of(other), number + 1
                self._timed(id, "apply", number, total, lambda: None)

    def _run_again(self, script: Script, waiting: Sequence[Script], ran: list[Script]) -> None:
        link, writer = self._link, self._writer
        self._warn_of(script)

        def record(scripts: Sequence[Script]) -> list[FlightCommand]:
            return [
                command
                for one in scripts
                for command in writer.repeated(
                    repeating.name_of(one), one.checksum, one.source.text
                )
            ]

        creation = writer.create(link.ledger, repeats=True)

        def cure(failure: Failure) -> bool:
            from todo_sql.migrations.engine.remake import Remake

            remake = Remake(
                link,
                script,
                [script],
                self._events,
                record,
                others=tuple(waiting),
                creation=creation,
            )
            if not remake.takes(failure):
                return False
            ran.extend(remake.run()[1:])
            return True

        work = Work(script, lambda: record([script]), creation, waits=not waiting)
        transactional.run(link, [work], self._events, cure=cure)
        link.ledger = link.ledger.created(repeats=True)

    def _hook(self, name: str, state: str, facts: tuple[tuple[str, str], ...] = ()) -> None:
        script = self._hooks.get(name)
        if script is not None:
            self._warn_of(script)
            work = Work(script, facts=facts, state=state, waits=name != "before")
            transactional.run(self._link, [work], self._events)

    def _tell_failed(self, id: str, error: MigrationFailed) -> None:
        """Run the hook for failures; where it fails itself, that is only told."""
        facts = (
            ("todo_sql.migration", id),
            ("todo_sql.error", self._link.settings.hide(error.message)),
            ("todo_sql.sqlstate", error.sqlstate or ""),
        )
        if self._link.connection.closed or "on_error" not in self._hooks:
            return
        try:
            self._hook("on_error", "the hook was rolled back", facts)
        except (TodoSqlError, ConnectionLost) as other:
            found = (
                other.finding
                if isinstance(other, TodoSqlError)
                else Finding("M341", "warning", str(other))
            )
            self._events.warning(
                replace(
                    found,
                    code="M341",
                    severity="warning",
                    message=f"the hook for failures failed itself: {found.message}",
                    fix=None,
                )
            )

    def _warn_of(self, script: Script) -> None:
        found = [*statements.unexamined(script.source, script.statements)]
        if not script.is_rollback and "M131" not in script.directives.allow:
            found += statements.without_effect(script.source, script.statements)
        for finding in found:
            self._events.warning(finding)

    @contextmanager
    def _cutting_off(self, chain: Sequence[Migration], direction: Direction) -> Iterator[None]:
        """Say what state things are in where a run is cut off in the middle of migrations."""
        try:
            yield
        except (ConnectionLost, KeyboardInterrupt) as error:
            told = [one.id for one in self._done]
            last = chain[-1].id  # told as well, where the end of the flight alone was missing
            ids = [one.id for one in chain if one.id not in told] or [last]
            before = [id for id in told if id != last]
            raise self._cut_off(ids, before, direction, error) from None

    def _cut_off(
        self, ids: Sequence[str], told: Sequence[str], direction: Direction, error: BaseException
    ) -> BaseException:
        self._link.connection.close()
        before = told if self._link.unsettled else []
        state = aftermath.of(self._url, self._schema, ids, direction, self._events, before)
        if isinstance(error, KeyboardInterrupt):
            return KeyboardInterrupt(state)
        verb = "migrate" if direction == "apply" else "rollback"
        return MigrationFailed(
            f"the connection was lost at {self._at}: {error}",
            code="M330",
            cause=state,
            fix=beyond(error, f"run `todo-sql {verb}` again"),
        )


def _facts(migration: Migration) -> tuple[tuple[str, str], ...]:
    return (("todo_sql.migration", migration.id),)
