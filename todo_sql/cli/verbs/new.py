"""`todo-sql new`: a new pair of migration files."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from typer import Argument

from todo_sql.cli.context import Context
from todo_sql.errors import ExitCode, UsageError


def command(
    context: Context,
    name: Annotated[str, Argument(help="What it does, such as add_notes.")],
) -> ExitCode:
    """Write a new pair of migration files from a template."""
    from todo_sql.migrations.files.template import write_pair

    description = _description(name)
    if not description:
        raise UsageError(
            f"`{name}` holds no letter or digit", fix="describe the change, such as add_notes"
        )
    if context.config.packaged:
        raise UsageError(
            "there is no project here to add a migration to",
            fix="make one with `todo-sql init DIR`, or name it with `--project`",
        )
    forward, rollback = write_pair(context.config.migrations, description, context.config.root)
    root = context.config.root
    shown = [
        (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        for path in (forward, rollback)
    ]
    if context.output.json:
        context.output.document({"id": forward.stem, "files": shown})
    else:
        for path in shown:
            context.output.data(path)
    return ExitCode.OK


def _description(name: str) -> str:
    """Return a name as words of ASCII joined by underscores; accents are taken off."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    foreign = [sign for sign in plain if sign.isalnum() and not sign.isascii()]
    if foreign:
        raise UsageError(
            f"`{foreign[0]}` cannot stand in the name of a migration: `{name}`",
            cause="file names are ASCII, so that every system reads them the same way",
            fix="describe the change in letters from a to z and digits, such as add_notes",
        )
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
