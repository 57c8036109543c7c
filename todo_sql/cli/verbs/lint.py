"""`todo-sql lint`: review migrations and queries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.screen import count_of
from todo_sql.config import Config
from todo_sql.errors import ExitCode, UsageError
from todo_sql.paths import real_path


def command(
    context: Context,
    paths: Annotated[
        list[Path] | None, Argument(metavar="PATHS", help="Files or folders; default: all.")
    ] = None,
    since: Annotated[
        str | None, Option(metavar="REV", help="Only files changed since a git revision.")
    ] = None,
    fix: Annotated[bool, Option("--fix", help="Correct what can be corrected safely.")] = False,
    format: Annotated[
        Literal["text", "github", "json"], Option(help="How findings are printed.")
    ] = "text",
    rules: Annotated[bool, Option("--rules", help="Print the page of all rules and stop.")] = False,
) -> ExitCode:
    """Review migrations and queries: our own rules, squawk, sqlfluff."""
    from todo_sql.review.linting import correction, in_git
    from todo_sql.review.linting.lint import lint
    from todo_sql.review.linting.rules_page import render

    context.output.json = context.output.json or format == "json"  # of errors, too
    if rules:
        context.output.page("rules", render())
        return ExitCode.OK
    config = context.own_config if fix else context.config
    only = _named(paths, config) if paths else None
    named = only is not None
    if since is not None:
        changed = in_git.changed_since(config, since)
        only = changed if only is None else only & changed
    each = context.output.verbose or format == "github"
    found = lint(config, only, each=each, named=named)
    if fix:
        mended = correction.mend(config, found, only, _applied(context))
        for name in mended.changed:
            context.output.message(f"corrected {name}")
        for reason in mended.left:
            context.output.message(f"left alone: {reason}")
        if mended.changed:
            found = lint(config, only, each=each, named=named)
    for reason in found.skipped:
        context.output.warning(reason)
    serious = [one for one in found.findings if one.severity != "info"]
    if context.output.json:
        context.output.document({"findings": found.findings, "waived": found.waived})
    else:
        context.output.findings(found.findings, format)
        waived = f", {len(found.waived)} waived" if found.waived else ""
        context.output.message(f"{count_of(len(found.findings), 'finding')}{waived}")
    return ExitCode.FINDINGS if serious else ExitCode.OK


def _applied(context: Context) -> frozenset[str]:
    """Return the ids of the migrations that are applied on the project's database.

    Where it cannot be asked, none may be corrected. No server is made to be asked.
    """
    from todo_sql.cli.migrating import load_migrations
    from todo_sql.embedded.server import has_server
    from todo_sql.errors import TodoSqlError
    from todo_sql.migrations.migrator import Migrator

    migrations = load_migrations(context)
    if context.config.direct_url is None and not has_server(context.config):
        return frozenset()
    try:
        migrator = Migrator(context.direct_url(), migrations, ledger=context.config.ledger)
        entries = migrator.status().entries
    except TodoSqlError as error:
        context.output.warning(f"no migration is corrected, applied or not: {error.message}")
        return frozenset(migration.id for migration in migrations)
    return frozenset(entry.id for entry in entries if entry.recorded is not None)


def _named(paths: list[Path], config: Config) -> frozenset[Path]:
    files: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found = set(_below(real_path(path), config))
            if not found:
                raise UsageError(f"there is no .sql file in {path}", fix="name another folder")
            files |= found
        elif not path.is_file():
            raise UsageError(f"there is no file {path}", fix="name a file or folder that exists")
        elif path.suffix != ".sql":
            raise UsageError(f"{path} is no .sql file", fix="lint reviews .sql files alone")
        else:
            files.add(real_path(path))
    return frozenset(files)


def _below(folder: Path, config: Config) -> Iterator[Path]:
    """Yield the SQL files of a folder, without generated ones and those of hidden folders."""
    for file in folder.rglob("*.sql"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and (config.generate is None or config.generate not in file.parents):
            yield real_path(file)
