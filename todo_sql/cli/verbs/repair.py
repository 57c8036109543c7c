"""`todo-sql repair`: repair the ledger, showing every change first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.migrating import OnlyShown, migrator_of
from todo_sql.cli.options import Migrations, WaitForMigrator, Yes, migration_ids
from todo_sql.errors import UsageError

if TYPE_CHECKING:
    from todo_sql.migrations.repair import Change, Fate


def command(
    context: Context,
    id: Annotated[
        str | None,
        Argument(metavar="ID", help="Only this migration.", autocompletion=migration_ids),
    ] = None,
    done: Annotated[bool, Option("--done", help="The statement in doubt was done.")] = False,
    redo: Annotated[bool, Option("--redo", help="Run the statement in doubt again.")] = False,
    move_ledger: Annotated[
        bool, Option("--move-ledger", help="Move the ledger to the schema that `ledger` says.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="Show the changes only.")] = False,
    yes: Yes = False,
    wait: WaitForMigrator = None,
    migrations: Migrations = None,
) -> None:
    """Make the ledger agree with the folder, showing every change first.

    A modified migration gets the checksum of its file; one whose file is missing is
    removed from the ledger. The schema itself is left alone.
    """
    if done and redo:
        raise UsageError("`--done` and `--redo` exclude each other")
    if (done or redo) and id is None:
        raise UsageError("`--done` and `--redo` need the ID of a migration")
    if move_ledger and (done or redo or id is not None):
        raise UsageError("`--move-ledger` moves all of the ledger: it takes no ID")
    if move_ledger and context.config.ledger is None:
        raise UsageError(
            "the configuration does not say where the ledger is to stand",
            fix='set `ledger = "SCHEMA"` in [tool.todo-sql], then run the command again',
        )
    output = context.output
    shown: list[Change] = []

    def confirm(changes: list[Change]) -> None:
        shown.extend(changes)
        if not output.json:
            for change in changes:
                output.message(f"{change.id}: {change.words}")
        if dry_run:
            raise OnlyShown
        output.confirm("Apply these changes to the ledger?", yes=yes)

    with migrator_of(context, migrations) as migrator, suppress(OnlyShown):
        fate: Fate | None = "done" if done else "redo" if redo else None
        if move_ledger:
            migrator.move_ledger(confirm=confirm, wait=wait)
        else:
            migrator.repair(id, fate=fate, confirm=confirm, wait=wait)
    if output.json:
        entries = [{"id": change.id, "change": change.words} for change in shown]
        output.document({"dry_run": dry_run, "changes": entries})
    elif not shown:
        place = "is where the configuration says" if move_ledger else "agrees with the folder"
        output.message(f"nothing to repair: the ledger {place}")
    elif not dry_run:
        output.message(f"{len(shown)} repaired")
