"""`todo-sql generate`: write the typed package."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.errors import ConfigError, ExitCode


def command(
    context: Context,
    check: Annotated[
        bool, Option("--check", help="Write nothing; exit 1 if something would change.")
    ] = False,
    offline: Annotated[
        bool, Option("--offline", help="Ask the cache in queries/.cache, and no server.")
    ] = False,
) -> ExitCode:
    """Write the typed package from the named queries."""
    from todo_sql.compiler import generate
    from todo_sql.compiler.project import analyse_folder, demand_no_errors

    config, output = context.config, context.output
    if config.generate is None:
        raise ConfigError(
            "this project generates nothing",
            fix='write generate = "PACKAGE FOLDER" under [tool.todo-sql]',
        )
    queries, analysis = analyse_folder(config, offline=offline)
    demand_no_errors(analysis)
    files = generate.render(analysis.described, queries.files, config)
    if check:
        changed = generate.stale(files, config.generate)
    else:
        changed = generate.write(files, config.generate)
    folder = config.generate
    shown = folder.relative_to(config.root) if folder.is_relative_to(config.root) else folder
    names = [f"{shown.as_posix()}/{name}" for name in changed]
    if output.json:
        output.document({"stale" if check else "written": names, "files": len(files)})
    else:
        for name in names:
            output.data(name)
    if check and changed:
        output.message("stale: run `todo-sql generate`")
        return ExitCode.FINDINGS
    output.message(f"{len(files)} files, {len(changed)} changed" if changed else "up to date")
    return ExitCode.OK
