"""`todo-sql generate`: write the typed package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from todo_sql.cli.context import Context
from todo_sql.cli.options import Offline, OnlyCheck
from todo_sql.cli.screen import count_of
from todo_sql.errors import ConfigError, ExitCode
from todo_sql.sql.source import shown_path


def command(context: Context, check: OnlyCheck = False, offline: Offline = False) -> ExitCode:
    """Write the typed package from the named queries."""
    from todo_sql.compiler.generating import generate
    from todo_sql.compiler.project import analyse_folder, demand_no_errors

    config = context.config
    if config.generate is None:
        raise ConfigError(
            "`generate` is not set in [tool.todo-sql]",
            fix='write generate = "PACKAGE FOLDER" under [tool.todo-sql]',
        )
    queries, analysis = analyse_folder(config, offline=offline)
    demand_no_errors(analysis)
    files = generate.render(analysis.described, queries.files, config)
    folder = config.generate
    changed = generate.stale(files, folder) if check else generate.write(files, folder, config.root)
    return tell(context, "generate", config.generate, changed, of=len(files), check=check)


def tell(
    context: Context, verb: str, folder: Path, changed: Sequence[str], *, of: int, check: bool
) -> ExitCode:
    """Say which files changed, or with ``--check`` would, and return the exit code.

    Args:
        context: Of the command.
        verb: The command that writes them.
        folder: Where they are.
        changed: The names of those that changed or would change.
        of: How many there are.
        check: Whether nothing was written, so that a change is a finding.
    """
    output = context.output
    shown = shown_path(folder, context.config.root)
    names = [f"{shown}/{name}" for name in changed]
    if output.json:
        output.document({"stale" if check else "written": names, "files": of})
    else:
        for name in names:
            output.data(name)
    if check and changed:
        output.message(f"stale: run `todo-sql {verb}`")
        return ExitCode.FINDINGS
    output.message(f"{count_of(of, 'file')}, {len(changed)} changed" if changed else "up to date")
    return ExitCode.OK
