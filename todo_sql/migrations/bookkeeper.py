"""One connection to a database with its ledger, and what changes the ledger alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from todo_sql.errors import DatabaseError, TodoSqlError
from todo_sql.migrations import ledger_place, pending, succession
from todo_sql.migrations import repair as repairing
from todo_sql.migrations.connecting import MigrationLink, open_link, refuse_pooler
from todo_sql.migrations.files import statements
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.files.migration import MigrationSet, scripts_of
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.ledger_writer import Writer
from todo_sql.migrations.progress import Discreet, Events
from todo_sql.migrations.repair import Change
from todo_sql.migrations.running import MigrationRun
from todo_sql.wire.connect_errors import beyond
from todo_sql.wire.flight import FlightCommand
from todo_sql.wire.pipeline import ConnectionLost


class Bookkeeper:
    """The ledger of a folder's migrations on one database; its schema, where one is said."""

    def __init__(
        self, url: str, migrations: MigrationSet, events: Events, ledger: str | None
    ) -> None:
        self._url = url
        self._migrations = migrations
        self._events = events
        self._ledger = ledger
        self._held: MigrationLink | None = None

    @contextmanager
    def held(self) -> Iterator[MigrationLink]:
        """Make the changes within the block on one connection, under one lock; yield it."""
        with self._open(writes=True, wait=None) as link:
            self._held = link
            try:
                yield link
            finally:
                self._held = None

    def baseline(
        self, id: str, *, wait: float | None = None, compare: Callable[[], None] | None = None
    ) -> list[str]:
        """Record migrations up to an id as applied without running them.

        Those that plain yoyo recorded get the checksum of their file.

        Args:
            id: The last one, id or version, included.
            compare: Is called under the lock before anything is recorded; raises to stop.

        Returns:
            The ids that were recorded or verified.
        """
        wanted = pending.up_to(self._migrations, id)
        with self._open(writes=True, wait=wait) as link:
            link.take_lock(wait, self._events)
            every = pending.compare(self._migrations, self._seen(link))
            entries = [(one, one.migration) for one in every if one.id in wanted and one.migration]
            pending.refuse_unfinished(link.ledger)
            unknown = [migration for entry, migration in entries if entry.recorded is None]
            statements.check(self._migrations, scripts_of(unknown), link.takes)
            if compare:
                compare()
            recorded = self._carry_over(link, wanted)
            run = self._run(link)
            writer = run.prepare()
            commands: list[FlightCommand] = []
            for entry, migration in entries:
                checksum, known = migration.forward.checksum, link.ledger.by_id.get(entry.id)
                if known is None:
                    commands += writer.applied(entry.id, checksum, seconds=0, log="mark")
                elif known.checksum is None and known.applied_at:
                    commands += writer.verified(entry.id, checksum, known.applied_at)
                else:
                    continue
                recorded.append(entry.id)
            run.change_ledger(commands)
            return list(dict.fromkeys(recorded))

    def adopt(
        self,
        decide: Callable[[MigrationLink], tuple[Mapping[str, str | None], list[FlightCommand]]],
        *,
        replaced: Mapping[str, str],
        wait: float | None = None,
    ) -> list[str]:
        """Record what another tool applied, in one transaction under the lock.

        Args:
            decide: Is called under the lock; returns when each id was applied (UTC, None: not
                known), and commands that come first in the transaction. Raises to stop.
            replaced: Ids under which the same table has some of them, by ours.

        Returns:
            The ids that were recorded.
        """
        with self._open(writes=True, wait=wait) as link:
            link.take_lock(wait, self._events)
            times, commands = decide(link)
            run = self._run(link)
            writer = run.prepare()
            for id, when in times.items():
                if id in replaced:
                    commands += writer.rolled_back(replaced[id], log="unmark")
                checksum = self._migrations.by_id[id].forward.checksum
                at = datetime.fromisoformat(when) if when else None
                commands += writer.applied(id, checksum, seconds=0, log="mark", at=at)
            run.change_ledger(commands)
            return list(times)

    def repair(
        self,
        id: str | None = None,
        *,
        fate: repairing.Fate | None = None,
        confirm: Callable[[list[Change]], None],
        wait: float | None = None,
    ) -> list[Change]:
        """Make the ledger agree with the folder, or say what became of a statement.

        Args:
            id: Only this migration (id or version).
            fate: What became of its statement in doubt; needs `id`.
            confirm: Is shown every change before anything is done; raises to stop.
        """
        with self._open(writes=True, wait=wait) as link:
            if not link.ledger.complete:
                return []
            link.take_lock(wait, self._events)
            writer = Writer(link.target)
            if id is not None and fate is not None:
                changes = [repairing.settle(link.ledger, writer, id, fate)]
            else:
                changes = repairing.changes(self._migrations, link.ledger, writer, id)
            if changes:
                confirm(changes)
                run = self._run(link)
                run.prepare()
                run.change_ledger([c for change in changes for c in change.commands])
            return changes

    def move_ledger(
        self, *, confirm: Callable[[list[Change]], None], wait: float | None = None
    ) -> list[Change]:
        """Move the ledger to the schema that the configuration says.

        Args:
            confirm: Is shown the change before anything is done; raises to stop.

        Raises:
            LedgerError: There is none, or one in the schema already; nothing was changed.
        """
        with self._link(writes=True, wait=wait, ledger=self._ledger) as link:
            source, place = ledger_place.source_of(link, self._migrations), link.target
        if source is None:
            return []
        with self._link(writes=True, wait=wait, ledger=source) as link:
            refuse_pooler(link)
            link.take_lock(wait, self._events)
            goes = ledger_place.goes(link, self._migrations)
            change = ledger_place.move(source, place.schema, exists=place.placed, goes=goes)
            confirm([change])
            self._run(link).change_ledger(change.commands)
            return [change]

    @contextmanager
    def _open(self, *, writes: bool, wait: float | None) -> Iterator[MigrationLink]:
        if self._held is not None:
            self._held.take_lock(wait, self._events)  # also reads the ledger again
            yield self._held
            return
        settings = self._migrations.outside.resolved() if writes else Settings()
        if settings.secrets and not isinstance(self._events, Discreet):
            self._events = Discreet(self._events, settings)
        try:
            with self._link(writes=writes, wait=wait, ledger=self._ledger) as link:
                link.settings = settings
                ledger_place.refuse_others(link, self._migrations)
                if writes:
                    refuse_pooler(link)
                yield link
        except (TodoSqlError, KeyboardInterrupt) as error:
            settings.hide_in(error)
            raise
        except ConnectionLost as error:
            raise DatabaseError(
                f"the connection was lost: {error}",
                code="M331",
                cause="no migration was under way; nothing was changed",
                fix=beyond(error, "run the command again"),
            ) from None

    def _link(self, *, writes: bool, wait: float | None, ledger: str | None) -> MigrationLink:
        return open_link(self._url, writes=writes, ledger=ledger, wait=wait, events=self._events)

    def _run(self, link: MigrationLink) -> MigrationRun:
        return MigrationRun(self._url, self._ledger, self._migrations, link, self._events)

    def _seen(self, link: MigrationLink) -> Ledger:
        """Return the ledger as it is once squashed migrations have taken their places."""
        return succession.carried(self._migrations, link.ledger)

    def _carry_over(self, link: MigrationLink, wanted: Collection[str] | None = None) -> list[str]:
        """Record those squashed migrations that are whole, or wanted, in place of the replaced."""
        every = succession.find(self._migrations, link.ledger)
        found = [s for s in every if (s.complete if wanted is None else s.migration.id in wanted)]
        if not found:
            return []
        run, ledger = self._run(link), link.ledger
        writer = run.prepare()
        run.change_ledger([c for one in found for c in succession.commands(one, writer, ledger)])
        link.ledger = succession.after(found, link.ledger)
        for one in found:
            self._events.note(f"recorded {one.migration.id}: {one.words()}")
        return [one.migration.id for one in found]
