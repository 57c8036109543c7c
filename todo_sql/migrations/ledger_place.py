"""Which of a database's ledgers is this folder's, and how a ledger is moved."""

from __future__ import annotations

from todo_sql.migrations import ledger as ledger_of
from todo_sql.migrations import vetting
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.files.migration import MigrationSet
from todo_sql.migrations.ledger import Ledger, quoted
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.migrations.repair import Change
from todo_sql.wire.flight import Flight, FlightCommand

_SAY = '`ledger = "{}"` in [tool.todo-sql]'


def is_of(ledger: Ledger, migrations: MigrationSet) -> bool:
    """Tell whether a ledger is that of a folder: most of its rows are the folder's files."""
    known = 0
    replaced = {
        one.id: one.checksum
        for migration in migrations
        for one in migration.forward.directives.replaces
    }
    for one in ledger.recorded:
        migration = migrations.by_id.get(one.id)
        checksum = migration.forward.checksum if migration else replaced.get(one.id)
        if checksum is not None and one.checksum in (None, checksum):
            known += 1
    return 2 * known > len(ledger.recorded)


def refuse_others(link: MigrationLink, migrations: MigrationSet) -> None:
    """Refuse a ledger that is another project's, and one that is elsewhere than said.

    Raises:
        LedgerError: Nothing was changed.
    """
    target, recorded = link.target, link.ledger.recorded
    if target.pinned:
        if not target.ledger and (found := elsewhere(link, migrations)):
            raise LedgerError(
                f"the ledger of these migrations is in schema {found[0]}, and the configuration "
                f"says {target.schema}",
                code="M407",
                cause="a second one would have every migration applied again; nothing was changed",
                fix=f"move it with `todo-sql repair --move-ledger`, or say {_SAY.format(found[0])}",
            )
        return
    known = migrations.by_id.keys() | migrations.replaced.keys()
    if not target.off_path or any(one.id in known for one in recorded):
        return
    if recorded:
        raise LedgerError(
            f"there is a ledger in schema {target.schema}, which is not on the search path of "
            f"{target.role}, and it knows none of the migrations in {migrations.shown}",
            code="M406",
            cause="it may be another project's; nothing was changed",
            fix="if these migrations are to have a ledger of their own, say where: "
            f"{_SAY.format('NAME')}",
        )


def elsewhere(link: MigrationLink, migrations: MigrationSet) -> list[str]:
    """Return the schemas, but the target's, that hold a ledger of a folder."""
    found = []
    for schema in link.target.ledgers:
        if schema == link.target.schema:
            continue
        answers = Flight(link.connection, ledger_of.read_commands(schema)).fly()
        ledger = ledger_of.read(answers)
        if ledger.recorded and is_of(ledger, migrations):
            found.append(schema)
    return found


def source_of(link: MigrationLink, migrations: MigrationSet) -> str | None:
    """Return the schema from which the ledger is to be moved, or None: it is in its place.

    Raises:
        LedgerError: It cannot be moved.
    """
    target = link.target
    found = elsewhere(link, migrations)
    if not target.ledger and len(found) == 1:
        return found[0]
    if target.ledger and not found:
        return None
    if target.ledger:
        what, fix = (
            f"there are ledgers of these migrations in {target.schema} and in {', '.join(found)}",
            "see with `todo-sql status` which one is true, and drop the tables of the other",
        )
    elif found:
        what, fix = (
            f"there are several ledgers of these migrations: in {', '.join(found)}",
            "drop the tables of those that are not true",
        )
    else:
        what, fix = (
            f"there is no ledger of these migrations in {target.database}",
            "run `todo-sql migrate`: it makes one where the configuration says",
        )
    raise LedgerError(what, code="M408", cause="nothing was moved", fix=fix)


def move(source: str, schema: str, *, exists: bool) -> Change:
    """Return the change that moves a ledger from one schema into another."""
    commands = [] if exists else [f"create schema {quoted(schema)}"]
    commands += [
        f"alter table if exists {quoted(source)}.{table} set schema {quoted(schema)}"
        for table in (*vetting.EVERY, "yoyo_lock")
    ]
    made = "" if exists else ", which is made"
    words = f"moves from schema {source} to schema {schema}{made}"
    return Change("ledger", words, tuple(FlightCommand(text) for text in commands))
