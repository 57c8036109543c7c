"""`todo-sql generate`: write the typed package."""

from __future__ import annotations

from todo_sql.cli.context import Context
from todo_sql.cli.options import Offline, OnlyCheck
from todo_sql.cli.written import tell
from todo_sql.errors import ConfigError, ExitCode


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
