"""`todo-sql migrate`: apply what is pending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.migrating import migrator_of
from todo_sql.cli.options import Format, Migrations, WaitForServer, migration_ids
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from todo_sql.cli.output import Output
    from todo_sql.migrations.batch_state import BatchState
    from todo_sql.migrations.files.migration import Migration, Script


def command(
    context: Context,
    to: Annotated[
        str | None,
        Option(
            metavar="ID",
            help="Apply up to this id or version, included.",
            autocompletion=migration_ids,
        ),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", "-n", help="Show the SQL of what is pending; read-only.")
    ] = False,
    check: Annotated[
        bool, Option("--check", help="Exit 1 if anything is pending; read-only.")
    ] = False,
    wait: WaitForServer = None,
    allow_out_of_order: Annotated[
        bool,
        Option("--allow-out-of-order", help="Apply also what is older than the newest."),
    ] = False,
    phase: Annotated[
        Literal["expand", "contract"] | None,
        Option("--phase", help="Only what comes before the release, or after it."),
    ] = None,
    migrations: Migrations = None,
    format: Format = "text",
) -> ExitCode:
    """Apply what is pending, oldest first.

    Each migration and its row in the ledger are one transaction. One migrator works at a
    time: others wait.
    """
    if dry_run and check:
        raise UsageError("`--dry-run` and `--check` exclude each other")
    from todo_sql.migrations.repeating import PREFIX, name_of

    output = context.output
    output.annotating = format == "github"
    with migrator_of(context, migrations) as migrator:
        if dry_run or check:
            todo, repeatables = migrator.pending(
                to=to, allow_out_of_order=allow_out_of_order, phase=phase, wait=wait
            )
            pending = {migration.id: migration.forward for migration in todo}
            pending |= {PREFIX + name_of(script): script for script in repeatables}
            _show(output, pending, migrator.batches(todo) if dry_run else {}, sql=dry_run)
            return ExitCode.FINDINGS if check and pending else ExitCode.OK
        done = migrator.migrate(
            to=to,
            allow_out_of_order=allow_out_of_order,
            phase=phase,
            wait=wait,
            confirm=lambda todo: _refuse_taken(context, todo),
        )
    if output.json:
        applied = [{"id": entry.id, "duration_ms": entry.duration_ms} for entry in done]
        output.document({"applied": applied} | output.said())
    elif done:
        seconds = sum(entry.duration_ms for entry in done) / 1000
        output.message(f"{count_of(len(done))} applied in {seconds:.1f} s")
    else:
        output.message("nothing to apply")
    return ExitCode.OK


def _refuse_taken(context: Context, todo: Sequence[Migration]) -> None:
    """Refuse contract files that take away what a query of the project reads."""
    folder = context.config.queries
    contracts = any(migration.forward.directives.contracts for migration in todo)
    if not contracts or not folder.is_dir():
        return
    from todo_sql.migrations.migration_errors import InvalidFiles
    from todo_sql.queries.loader import read_folder
    from todo_sql.review.contracting import taken_from_queries

    problems = taken_from_queries(todo, read_folder(folder, context.config.root))
    if problems:
        raise InvalidFiles(
            "a contract file takes away what queries read; nothing was changed",
            problems,
            fix="release without these queries first, then run the command again",
        )


def _show(
    output: Output, pending: Mapping[str, Script], batches: Mapping[str, BatchState], *, sql: bool
) -> None:
    if output.json:
        entries = [
            ({"id": id, "sql": script.source.text} if sql else {"id": id})
            | ({"batches": batches[id].foreseen()} if id in batches else {})
            for id, script in pending.items()
        ]
        output.document({"pending": entries})
        return
    for id, script in pending.items():
        if not sql:
            output.data(f"pending {id}")
            continue
        begin, end = ("begin;\n", "\ncommit;\n")
        if not script.directives.transactional:
            begin = end = "\n"
        text = script.source.text.strip()
        if id in batches:
            state = batches[id]
            key = ", ".join(state.key)
            end = (
                f"\n-- in batches along {key} of {state.table}: about {state.estimate:,} rows, "
                f"{state.count:,} batches of {state.size:,} at first\n"
            )
        output.data(f"-- {script.source.file}\n{begin}{text}{end}", verbatim=True)
    output.message(f"{count_of(len(pending))} pending" if pending else "nothing to apply")
