"""`todo-sql rewrite`: a hazardous pending migration as a sequence of safe ones, proved."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import AcrossMajors, NoDataChecks, Yes, migration_ids
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode, UsageError
from todo_sql.sql.source import shown_path


def command(
    context: Context,
    id: Annotated[
        str | None,
        Argument(
            metavar="ID",
            help="The pending migration, id or version.",
            autocompletion=migration_ids,
        ),
    ] = None,
    all_pending: Annotated[
        bool, Option("--all-pending", help="Every pending migration that holds up tables in use.")
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", "-n", help="Prove and show the files; write nothing.")
    ] = False,
    yes: Yes = False,
    no_data_checks: NoDataChecks = False,
    across_majors: AcrossMajors = False,
    in_part: Annotated[
        bool,
        Option("--in-part", help="Keep what no recipe does as it is, in a file of its own."),
    ] = False,
    recipes: Annotated[
        bool, Option("--recipes", help="Print the page of all recipes and stop.")
    ] = False,
) -> ExitCode:
    """Put a sequence of safe migrations in place of a pending one that holds up its tables.

    Copies of the target's schema prove first that both end in the same catalog, that the
    rollbacks lead back, and that no step reads or copies a table under a lock that stops reads.
    What no sequence can do is told, with what comes nearest, and nothing is written for it;
    with `--in-part` the rest is rewritten, and it stays as it is in a file of its own.
    """
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.files.statements import check
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.rewriting import rewrite_report
    from todo_sql.rewriting.rewrite import chosen, rewrites
    from todo_sql.rewriting.sequence_files import write

    output = context.output
    if recipes:
        from todo_sql.rewriting.recipes_page import render

        output.page("recipes", render())
        return ExitCode.OK
    if (id is None) is not all_pending:
        raise UsageError("name one migration, or `--all-pending`", code="U100")
    config = context.own_config
    migrations = load_project(config)
    url = context.direct_url()
    pending, _ = Migrator(url, migrations, ledger=config.ledger).pending(to=None)
    wanted = pending if id is None else [chosen(migrations, pending, id)]
    check(migrations, [script for one in pending for script in one.scripts])
    found = list(
        rewrites(
            config,
            url,
            migrations,
            pending,
            wanted,
            asks=not no_data_checks,
            across_majors=across_majors,
            adopts=not all_pending,
            in_part=in_part,
        )
    )
    findings = [finding for one in found for finding in one.asks]
    done = [one for one in found if one.files]
    if not output.json:
        for one in found:
            if one.files or id is not None:
                folder = shown_path(one.original.forward.path.parent, config.root)
                for name, text in one.texts() if dry_run else ():
                    output.data(f"-- {folder}/{name}\n{text}", verbatim=True)
                output.message(rewrite_report.text(one))
        output.findings(findings)
    if done and not dry_run:
        moved = {id for one in done for id, _ in one.renumbered}
        more = f", and give {count_of(len(moved))} after it later versions" if moved else ""
        output.confirm(f"Replace {count_of(len(done))} by the sequence{more}?", yes=yes)
        for path in write(config, migrations, done):
            if not output.json:
                output.data(shown_path(path, config.root))
    if output.json:
        documents = [rewrite_report.document(one) for one in found]
        output.document({"migrations": documents} if id is None else documents[0])
    failed = any(finding.severity == "error" for finding in findings)
    output.message(f"{len(done)} of {len(found)} rewritten" + (", as a trial" * dry_run))
    return ExitCode.FINDINGS if failed else ExitCode.OK
