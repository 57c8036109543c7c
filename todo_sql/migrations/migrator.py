"""Applies and rolls back the migrations of a folder on one database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from todo_sql.errors import Finding
from todo_sql.migrations import losses, pending, repeating, succession
from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.bookkeeper import Bookkeeper
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.files import statements
from todo_sql.migrations.files.directives import Phase
from todo_sql.migrations.files.migration import Migration, MigrationSet, Script, scripts_of
from todo_sql.migrations.losses import Loss
from todo_sql.migrations.migration_errors import MigrationFailed, PlanError, TargetRefused
from todo_sql.migrations.pending import Entry
from todo_sql.migrations.progress import Events
from todo_sql.migrations.repeating import RepeatableEntry
from todo_sql.migrations.running import Done
from todo_sql.migrations.succession import Succession


@dataclass(frozen=True, slots=True)
class Status:
    """The state of every migration on a database.

    Attributes:
        schema: Where the ledger stands, or would be made.
        successions: The squashed migrations that the ledger has in parts.
    """

    database: str
    schema: str
    ledger: bool
    entries: tuple[Entry, ...]
    repeatables: tuple[RepeatableEntry, ...] = ()
    successions: tuple[Succession, ...] = ()


class Migrator(Bookkeeper):
    """The migrations of a folder on one database.

    Each `wait` is how long to wait for the server and for another migrator, in seconds.

    Args:
        foreign: Whether to go ahead on a database that holds other objects and no ledger.
        ledger: The schema of the ledger; default: where there is one, else the path's first.
    """

    def __init__(
        self,
        url: str,
        migrations: MigrationSet,
        *,
        events: Events | None = None,
        foreign: bool = True,
        ledger: str | None = None,
    ) -> None:
        super().__init__(url, migrations, events or Events(), ledger)
        self._foreign = foreign
        self._checked: set[Path] = set()  # files that may run

    def status(self, *, wait: float | None = None) -> Status:
        """Return the state of every migration; read-only, takes no lock."""
        with self._open(writes=False, wait=wait) as link:
            entries = tuple(pending.compare(self._migrations, self._seen(link)))
            target = link.target
            repeatables = tuple(repeating.compare(self._migrations, link.ledger))
            found = tuple(succession.find(self._migrations, link.ledger))
            place = target.database, target.schema, target.ledger
            return Status(*place, entries, repeatables, found)

    def pending(
        self,
        *,
        to: str | None = None,
        allow_out_of_order: bool = False,
        phase: Phase | None = None,
        wait: float | None = None,
    ) -> tuple[list[Migration], list[Script]]:
        """Return what `migrate` would apply, and run again; read-only, takes no lock."""
        with self._open(writes=False, wait=wait) as link:
            todo = self._to_apply(link, to, allow_out_of_order, phase)
            for one in succession.find(self._migrations, link.ledger):
                self._events.note(f"the next `migrate` records {one.migration.id}: {one.words()}")
            return todo

    def batches(self, todo: Iterable[Migration]) -> dict[str, BatchState]:
        """Return how far those of some migrations are that run in batches; read-only.

        One whose table is not there yet, or cannot be walked through, is not among them.
        """
        chosen = [one for one in todo if one.forward.directives.batch is not None]
        if not chosen:
            return {}
        from todo_sql.migrations.engine.batches import foreseen

        with self._open(writes=False, wait=None) as link:
            begun = {one.id: one.progress for one in link.ledger.unfinished}
            states = {
                one.id: (progress.batch if (progress := begun.get(one.id)) else None)
                or foreseen(link, one.forward)
                for one in chosen
            }
        return {id: state for id, state in states.items() if state is not None}

    def texts(self) -> dict[str, Script]:
        """Return the texts of repeatable files that ran last, by name; read-only."""
        with self._open(writes=False, wait=None) as link:
            return {run.name: repeating.of_text(run) for run in self._run(link).runs()}

    def migrate(
        self,
        *,
        to: str | None = None,
        allow_out_of_order: bool = False,
        phase: Phase | None = None,
        wait: float | None = None,
        confirm: Callable[[list[Migration]], None] = lambda todo: None,
    ) -> list[Done]:
        """Apply what is pending.

        Args:
            to: The last id or version to apply; default: all.
            allow_out_of_order: Apply also what sorts before an applied migration.
            phase: What of it: before the release, or after it; default: both.
            confirm: Is shown what is about to run before anything is changed; raises to stop.

        Raises:
            InvalidFiles: A file of what is pending is wrong; nothing was changed.
            LedgerMismatch: Folder and ledger disagree; nothing was changed.
            MigrationFailed: A statement failed; its place, and the state of things, are told.
        """
        with self._open(writes=True, wait=wait) as link:
            if not (self._foreign or link.target.ledger or link.target.empty):
                raise TargetRefused(
                    f"database {link.target.database} is not empty and has no ledger",
                    code="M505",
                    cause="the Todo schema that todo-sql carries is not made among the tables of "
                    "others; nothing was changed",
                    fix="name an empty database, or your own project with `--project DIR`",
                )
            self._warn(link)
            todo, repeatables = self._to_apply(link, to, allow_out_of_order, phase)
            if phase == "expand":
                for entry in pending.compare(self._migrations, self._seen(link)):
                    if entry.holding:
                        others = f"{', '.join(entry.holding)}, of the contract phase"
                        self._events.note(f"{entry.id} waits with {others}, on which it depends")
            if not (todo or repeatables or succession.find(self._migrations, link.ledger)):
                return []
            confirm(todo)
            link.take_lock(wait, self._events)
            todo, repeatables = self._to_apply(link, to, allow_out_of_order, phase)
            self._carry_over(link)
            return self._run(link).apply(todo, repeatables)

    def to_roll_back(
        self, *, steps: int | None = None, to: str | None = None, wait: float | None = None
    ) -> tuple[list[Migration], list[Loss]]:
        """Return what `rollback` would undo, newest first, and what that would lose; read-only."""
        with self._open(writes=False, wait=wait) as link:
            chosen = self._to_roll_back(link, steps, to)
            return chosen, losses.find(link, chosen)

    def rollback(
        self,
        *,
        steps: int | None = None,
        to: str | None = None,
        wait: float | None = None,
        confirm: Callable[[list[Loss]], None] | None = None,
    ) -> list[Done]:
        """Undo migrations, newest first.

        Args:
            steps: How many; default: 1.
            to: Undo everything that was applied after this id or version, which is kept.
            confirm: Is asked when rows would be lost, before the lock is taken; raises to stop.

        Raises:
            PlanError: `to` is not applied, or one of them is irreversible; nothing was changed.
            MigrationFailed: A statement failed; its place, and the state of things, are told.
        """
        with self._open(writes=True, wait=wait) as link:
            chosen = self._to_roll_back(link, steps, to)
            if not chosen:
                return []
            self._warn(link)
            if confirm and (lost := losses.find(link, chosen)):
                confirm(lost)
            link.take_lock(wait, self._events)
            if self._to_roll_back(link, steps, to) != chosen:
                raise MigrationFailed(
                    "another migrator changed the ledger in the meantime",
                    code="M309",
                    cause="nothing was changed",
                    fix="look at `todo-sql status`, then run `todo-sql rollback` again",
                )
            self._carry_over(link)
            return self._run(link).roll_back(chosen)

    def repeat(self, script: Script) -> Done:
        """Run a repeatable file, whether its text changed or not."""
        with self._open(writes=True, wait=None) as link:
            statements.check(self._migrations, [script], link.takes)
            link.take_lock(None, self._events)
            return self._run(link).repeat(script)

    def bring_back(self, name: str, *, wait: float | None = None) -> Done:
        """Bring back the text that a repeatable file had before its last run.

        Args:
            name: Of the file, without ``.sql``.

        Raises:
            PlanError: It ran once at most; nothing was changed.
            MigrationFailed: A statement failed; nothing was changed.
        """
        name = name.removeprefix(repeating.PREFIX).removesuffix(".sql")
        with self._open(writes=True, wait=wait) as link:
            link.take_lock(wait, self._events)
            run = self._run(link)
            former = repeating.before_the_last(run.runs(), name)
            if former is None:
                raise PlanError(
                    f"the ledger has no former text of {repeating.PREFIX}{name}",
                    code="M215",
                    cause="it ran once at most, as far as the ledger knows; nothing was changed",
                    fix="see `todo-sql status`; a versioned migration drops what it made",
                )
            return run.bring_back(former)

    def _warn(self, link: MigrationLink) -> None:
        """Say what surrounds the run and could change what comes of it."""
        target = link.target
        if target.off_path:
            where = f"which is not on the search path of {target.role}"
            self._events.note(f"the ledger is in schema {target.schema}, {where}")
        for one in target.overridden:
            self._events.note(str(one))
        if opened := target.open_schemas:
            found = Finding(
                "M507",
                "warning",
                f"others may create in {opened}, on the search path of the migrations",
                cause=f"a function, operator or type that they make there may run as {target.role}",
                fix="revoke create on the schema (`todo-sql doctor` says from whom), or take "
                "it off the search_path of the migrating role",
            )
            self._events.warning(found)

    def _to_apply(
        self, link: MigrationLink, to: str | None, allow_out_of_order: bool, phase: Phase | None
    ) -> tuple[list[Migration], list[Script]]:
        """Return what is to be applied and run again; only these files are parsed, and hooks."""
        ledger = self._seen(link)
        todo = pending.pending(
            self._migrations, ledger, to=to, allow_out_of_order=allow_out_of_order, phase=phase
        )
        repeatables = repeating.pending(self._migrations, ledger, {one.id for one in todo})
        if todo or repeatables:
            files = [*scripts_of(todo), *repeatables, *self._migrations.hooks.values()]
            new = [script for script in files if script.path not in self._checked]
            statements.check(self._migrations, new, link.takes)
            self._checked.update(script.path for script in new)
        return todo, repeatables

    def _to_roll_back(
        self, link: MigrationLink, steps: int | None, to: str | None
    ) -> list[Migration]:
        seen = self._seen(link)
        chosen = pending.to_roll_back(self._migrations, seen, steps=steps, to=to)
        scripts = [migration.rollback for migration in chosen if migration.rollback]
        statements.check(self._migrations, scripts, link.takes)
        losses.refuse_half_done(chosen, seen)
        return chosen
