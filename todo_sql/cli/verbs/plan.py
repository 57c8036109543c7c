"""`todo-sql plan`: what pending migrations lock, rewrite and risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.errors import Finding
    from todo_sql.migrations.files.folder import MigrationSet
    from todo_sql.review.plan import Plan

_ORDER = ("info", "warning", "error")


def command(
    context: Context,
    to: Annotated[
        str | None, Option(metavar="ID", help="Plan up to this id or version, included.")
    ] = None,
    markdown: Annotated[
        bool, Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    fail_on: Annotated[
        Literal["info", "warning", "error", "never"],
        Option(help="Exit 1 from this severity on."),
    ] = "error",
    across_majors: Annotated[
        bool, Option("--across-majors", help="Try on another major version than the target's.")
    ] = False,
    allow_out_of_order: Annotated[
        bool, Option("--allow-out-of-order", help="Plan also what is older than the newest.")
    ] = False,
) -> ExitCode:
    """Run what is pending on a copy of the live schema and show what it does.

    Reads the target only. The copy has no rows, on a server of its own; how many rows are
    concerned is taken from the live statistics.
    """
    from todo_sql.migrations.files.folder import load
    from todo_sql.review import plan_report

    config, output = context.config, context.output
    migrations = load(config.migrations, config.root)
    plan = _plan(context, migrations, to, across_majors, allow_out_of_order)
    findings = [finding for planned in plan.migrations for finding in planned.findings]
    if output.json:
        output.document(plan_report.document(plan))
    elif markdown:
        output.data(plan_report.markdown(plan))
    else:
        # In a pipe nothing is cut; on a terminal a statement is one line.
        room = output.out.console.width - 6 if output.out.is_terminal else None
        output.data(plan_report.text(plan, room))
        if findings:
            output.data("")
        output.findings(findings)
    counts = {name: sum(f.severity == name for f in findings) for name in reversed(_ORDER)}
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    output.message(f"{len(plan.migrations)} pending: {said or 'no hazards'}")
    failing = _ORDER[_ORDER.index(fail_on) :] if fail_on != "never" else ()
    return ExitCode.FINDINGS if any(f.severity in failing for f in findings) else ExitCode.OK


def _plan(
    context: Context,
    migrations: MigrationSet,
    to: str | None,
    across_majors: bool,
    allow_out_of_order: bool,
) -> Plan:
    import psycopg

    from todo_sql.catalog.snapshot import take
    from todo_sql.compiler.scratch import empty_database
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.queries.loader import read_folder
    from todo_sql.review import copy
    from todo_sql.review.broken import Queries
    from todo_sql.review.plan import Plan, estimator, sizes_of, trace

    config, url = context.config, context.direct_url()
    pending = Migrator(url, migrations).pending(to=to, allow_out_of_order=allow_out_of_order)
    with psycopg.connect(url, autocommit=True) as live:
        database, version = live.info.dbname, live.info.server_version
        if not pending:
            return Plan(database, version, ())
        sizes = sizes_of(live)
        queries = Queries(read_folder(config.queries, config.root))
        with (
            copy.cluster(config, live, across_majors=across_majors) as server,
            empty_database(server) as scratch,
        ):
            with psycopg.connect(scratch, autocommit=True) as connection:
                not_copied = copy.load(connection, take(live), server)
            findings = _lint_by_file(context)
            planned = trace(scratch, pending, sizes, queries, estimator(live), findings)
            return Plan(database, version, tuple(planned), tuple(not_copied), sizes)


def _lint_by_file(context: Context) -> dict[str, list[Finding]]:
    from todo_sql.review.linting.lint import lint

    by_file: dict[str, list[Finding]] = {}
    for finding in lint(context.config).findings:
        if finding.place is not None:
            by_file.setdefault(finding.place.file, []).append(finding)
    return by_file
