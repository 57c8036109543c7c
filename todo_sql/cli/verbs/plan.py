"""`todo-sql plan`: what pending migrations lock, rewrite and risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import AcrossMajors, Format, NoDataChecks
from todo_sql.cli.screen import count_of
from todo_sql.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from todo_sql.migrations.files.from_outside import Settings
    from todo_sql.migrations.files.migration import Migration, MigrationSet, Script
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
    across_majors: AcrossMajors = False,
    allow_out_of_order: Annotated[
        bool, Option("--allow-out-of-order", help="Plan also what is older than the newest.")
    ] = False,
    no_data_checks: NoDataChecks = False,
    format: Format = "text",
) -> ExitCode:
    """Run what is pending on a copy of the live schema and show what it does.

    Reads the target only. The copy has no rows; how many are concerned is taken from the live
    statistics, and whether they fit is asked of the target, each question for 5 s at most.
    """
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.migrations.repeating import as_migration
    from todo_sql.review import plan_report

    config, output = context.config, context.output
    output.annotating = format == "github"
    migrations = load_project(config)
    migrator = Migrator(context.direct_url(), migrations, ledger=config.ledger)
    todo, repeatables = migrator.pending(to=to, allow_out_of_order=allow_out_of_order)
    pending = [*todo, *map(as_migration, repeatables)]
    settings, former = migrations.outside.resolved(), migrator.texts() if repeatables else {}
    asks = not no_data_checks
    plan = _plan(context, pending, settings, former, across_majors=across_majors, asks=asks)
    findings = plan.findings
    if output.json:
        output.document(plan_report.document(plan))
    elif markdown:
        sequences = _sequences(context, plan, todo, migrations, across_majors=across_majors)
        output.data(plan_report.markdown(plan, sequences))
    elif output.annotating:
        output.findings(findings, format)
    else:
        # In a pipe nothing is cut; on a terminal a statement is one line.
        room = output.out.console.width - 6 if output.out.is_terminal else None
        output.data(plan_report.text(plan, room) + ("\n" if findings else ""))
        output.findings(findings)
    counts = {name: sum(f.severity == name for f in findings) for name in reversed(_ORDER)}
    said = ", ".join(
        f"{count} info" if name == "info" else count_of(count, name)
        for name, count in counts.items()
        if count
    )
    output.message(f"{len(pending)} pending: {said or 'no hazards'}")
    failing = _ORDER[_ORDER.index(fail_on) :] if fail_on != "never" else ()
    return ExitCode.FINDINGS if any(f.severity in failing for f in findings) else ExitCode.OK


def _sequences(
    context: Context,
    plan: Plan,
    pending: Sequence[Migration],
    migrations: MigrationSet,
    *,
    across_majors: bool,
) -> dict[str, str]:
    """Return what `todo-sql rewrite` would make of each migration that it is named for."""
    from todo_sql.rewriting.rewrite import rewrites
    from todo_sql.rewriting.rewrite_report import markdown

    named = {
        one.migration.id
        for one in plan.migrations
        if any("`todo-sql rewrite " in (finding.fix or "") for finding in one.findings)
    }
    wanted = [migration for migration in pending if migration.id in named]
    if not wanted or any(finding.code == "P101" for finding in plan.findings):
        return {}
    found = rewrites(
        context.config,
        context.direct_url(),
        migrations,
        pending,
        wanted,
        asks=False,
        across_majors=across_majors,
        adopts=False,
    )
    return {one.original.id: markdown(one) for one in found}


def _plan(
    context: Context,
    pending: Sequence[Migration],
    settings: Settings,
    former: Mapping[str, Script],
    *,
    across_majors: bool,
    asks: bool,
) -> Plan:
    import psycopg

    from todo_sql.migrations.connecting import setting
    from todo_sql.queries.loader import read_folder
    from todo_sql.review.broken import Queries
    from todo_sql.review.copy import copies
    from todo_sql.review.plan import LiveTarget, Plan, distrust, estimator, sizes_of, trace

    config = context.config
    named = read_folder(config.queries, config.root) if config.queries.is_dir() else {}
    with psycopg.connect(context.direct_url(), autocommit=True) as live:
        live.execute(setting(live, "lock_timeout", "5s").encode())
        database, version = live.info.dbname, live.info.server_version
        if not pending:
            return Plan(database, version, ())
        refused = distrust(live)
        estimate = (lambda _: None) if refused else estimator(live)
        silent = refused or (None if asks else "--no-data-checks")
        target = LiveTarget(live, sizes_of(live), estimate, silent)

        def tried(*, alone: bool) -> Plan:
            copying = copies(config, live, pending, across_majors=across_majors, alone=alone)
            with copying as make, make() as copy:
                planned = tuple(trace(copy, pending, target, Queries(named), settings, former))
            untried = tuple(migration.id for migration in pending[len(planned) :])
            return Plan(database, version, planned, copy.missing, untried)

        try:
            return tried(alone=False)
        except ConfigError as error:
            if error.finding.code != "P201" or config.scratch_url is not None:
                raise
            return tried(alone=True)
