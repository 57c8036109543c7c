"""`todo-sql check`: every named query, every variant of it, against the migrated schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import Format, Offline, Queries
from todo_sql.cli.screen import count_of
from todo_sql.config import Lint
from todo_sql.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from todo_sql.compiler.describe import Analysis


def command(
    context: Context,
    format: Format = "text",
    queries: Queries = None,
    watch: Annotated[
        bool, Option("--watch", help="Keep running; check each file again when it is saved.")
    ] = False,
    offline: Offline = False,
    cache: Annotated[
        bool, Option("--cache", help="Write queries/.cache; later runs keep it in line.")
    ] = False,
    plans: Annotated[
        int | None,
        Option(metavar="N", min=1, help="Plan each on load-test data, too: seeds/scale.sql, N."),
    ] = None,
) -> ExitCode:
    """Check every variant of every query on a scratch database; executes none."""
    from todo_sql.compiler.describe import Analysis
    from todo_sql.compiler.project import check_folder
    from todo_sql.compiler.watching import watch_folder

    if offline and (watch or cache or plans):
        raise UsageError("--offline only reads", fix="leave out --watch, --cache and --plans")
    if watch:
        for analysis, seconds in watch_folder(context.config):
            show(context, analysis, format)
            context.output.message(f"{seconds * 1000:.0f} ms; watching, Ctrl-C ends")
    if queries is None and not context.config.queries.is_dir():
        context.output.message(f"there are no queries: there is no folder {context.config.queries}")
        return show(context, Analysis((), ()), format)
    folder = queries.absolute() if queries else None
    analysis = check_folder(context.config, folder, offline=offline, keep=cache, scale=plans)
    if plans and context.config.lint.profile == "citus" and context.config.direct_url is None:
        context.output.message(
            "no coordinator is named (--database): no query's shards are counted"
        )
    return show(context, analysis, format)


def show(context: Context, analysis: Analysis, format: str = "text") -> ExitCode:
    """Print an analysis, and return the exit code: 1 for errors and warnings."""
    output, lint = context.output, context.config.lint
    findings = analysis.findings
    if lint != Lint():
        from todo_sql.review.linting.choices import chosen, refuse_unknown

        refuse_unknown(lint)
        findings = tuple(chosen(findings, lint))
    serious = [finding for finding in findings if finding.severity != "info"]
    if output.json:
        output.document({"queries": analysis.described, "findings": findings})
    else:
        output.findings(findings, format)
        variants = sum(entry.variants for entry in analysis.described)
        state = f"{len(serious)} to correct" if serious else "clean"
        queries = count_of(len(analysis.described), "query")
        output.message(f"{queries}, {count_of(variants, 'variant')}: {state}")
    return ExitCode.FINDINGS if serious else ExitCode.OK
