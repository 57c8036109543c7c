"""What a verb that writes files says of them, or with ``--check`` of those that it would write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from todo_sql.cli.context import Context
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode
from todo_sql.sql.source import shown_path


def tell(
    context: Context, verb: str, folder: Path, changed: Sequence[str], *, of: int, check: bool
) -> ExitCode:
    """Say which files changed and return the exit code.

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
