"""`todo-sql rollback`: undo migrations, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.migrating import migrator_of
from todo_sql.cli.options import Migrations, WaitForServer, migration_ids
from todo_sql.cli.screen import count_of
from todo_sql.errors import UsageError

if TYPE_CHECKING:
    from todo_sql.cli.output import Output
    from todo_sql.migrations.files.migration import Migration
    from todo_sql.migrations.losses import Loss


def command(
    context: Context,
    steps: Annotated[int | None, Option(metavar="N", min=1, help="How many; default: 1.")] = None,
    to: Annotated[
        str | None,
        Option(
            metavar="ID",
            help="Undo what came after this id or version, which is kept.",
            autocompletion=migration_ids,
        ),
    ] = None,
    repeatable: Annotated[
        str | None,
        Option(metavar="NAME", help="Bring back the former text of this repeatable file alone."),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", "-n", help="Show the SQL and what would be lost; read-only.")
    ] = False,
    yes: Annotated[bool, Option("--yes", help="Do not ask when rows are lost.")] = False,
    wait: WaitForServer = None,
    migrations: Migrations = None,
) -> None:
    """Undo migrations in the reverse of the order in which they were applied.

    Says which tables and how many rows would be lost, and asks.
    """
    if steps is not None and to is not None:
        raise UsageError("`--steps` and `--to` exclude each other")
    if repeatable is not None and (steps is not None or to is not None or dry_run):
        raise UsageError("`--repeatable` excludes `--steps`, `--to` and `--dry-run`")
    output = context.output
    with migrator_of(context, migrations) as migrator:
        if dry_run:
            chosen, lost = migrator.to_roll_back(steps=steps, to=to, wait=wait)
            _show(output, chosen, lost)
            return

        def confirm(lost: list[Loss]) -> None:
            _say_losses(output, lost)
            output.confirm("Roll back and lose them?", yes=yes)

        if repeatable is not None:
            done = [migrator.bring_back(repeatable, wait=wait)]
        else:
            done = migrator.rollback(steps=steps, to=to, wait=wait, confirm=confirm)
    if output.json:
        rolled_back = [{"id": entry.id, "duration_ms": entry.duration_ms} for entry in done]
        output.document({"rolled_back": rolled_back} | output.said())
    else:
        message = f"{count_of(len(done))} rolled back" if done else "nothing to roll back"
        output.message(message)


def _show(output: Output, chosen: list[Migration], lost: list[Loss]) -> None:
    if output.json:
        entries = [{"id": m.id, "sql": m.rollback.source.text} for m in chosen if m.rollback]
        losses = [{"what": loss.what, "rows": loss.rows} for loss in lost]
        output.document({"to_roll_back": entries, "lost": losses})
        return
    for migration in chosen:
        if migration.rollback:
            source = migration.rollback.source
            output.data(f"-- {source.file}\n{source.text.strip()}\n", verbatim=True)
    _say_losses(output, lost)
    output.message(f"{count_of(len(chosen))} to roll back")


def _say_losses(output: Output, lost: list[Loss]) -> None:
    for loss in lost:
        output.warning(f"this loses {loss}")
