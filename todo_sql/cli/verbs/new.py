"""`todo-sql new`: a new pair of migration files."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.errors import UsageError
from todo_sql.paths import real_path
from todo_sql.sql.source import shown_path

if TYPE_CHECKING:
    from todo_sql.review.draft import Draft


def command(
    context: Context,
    name: Annotated[str, Argument(help="What it does, such as add_notes.")],
    from_drift: Annotated[
        bool,
        Option("--from-drift", help="Draft it from what the live schema has more or other."),
    ] = False,
    schema: Annotated[
        Path | None,
        Option(metavar="FILE", help="With --from-drift: this file's schema, not the live one."),
    ] = None,
) -> None:
    """Write a new pair of migration files: from a template, or drafted from what differs.

    A draft makes the live schema out of the one that the applied migrations make (or that of
    --schema FILE out of the one that all of them make); its rollback is the way back. Read it
    before you keep it: what it drops or rewrites is named, and a rename is a drop to it.
    """
    from todo_sql.migrations.files.template import UNWRITTEN, write_pair

    description = _description(name)
    if not description:
        raise UsageError(
            f"`{name}` holds no letter or digit", fix="describe the change, such as add_notes"
        )
    root = context.own_config.root
    bodies = (UNWRITTEN, UNWRITTEN)
    drafted = from_drift or schema is not None
    if drafted:
        found = _draft(context, schema)
        if not found.forward:
            context.output.message("nothing differs: no migration is needed")
            if context.output.json:
                context.output.document({"id": None, "files": [], "findings": []})
            return
        bodies = (found.forward, found.rollback or UNWRITTEN)
    forward, rollback = write_pair(context.config.migrations, description, root, bodies=bodies)
    shown = [shown_path(path, root) for path in (forward, rollback)]
    document: dict[str, object] = {"id": forward.stem, "files": shown}
    if not context.output.json:
        for path in shown:
            context.output.data(path)
    if drafted:
        from todo_sql.review.linting.lint import lint

        files = frozenset((real_path(forward), real_path(rollback)))
        every = lint(context.config, files, each=False).findings
        hazards = [one for one in every if not (one.cause or "").startswith("style: ")]
        document["findings"] = hazards
        for one in hazards:
            place = f"{one.place.file}:{one.place.line}: " if one.place else ""
            context.output.message(f"{one.severity}[{one.code}] {place}{one.message}")
        if schema is None:
            context.output.message(
                "the database that it was drafted from has all of it: once it is read and kept, "
                f"`todo-sql baseline {forward.stem}` records it there; elsewhere `migrate` runs it"
            )
    if context.output.json:
        context.output.document(document)


def _draft(context: Context, schema: Path | None) -> Draft:
    """Return the draft from the live database, or from a file's schema."""
    from todo_sql.cli.verbs.drift import live_and_migrated
    from todo_sql.review.draft import draft, with_schema

    if schema is not None:
        migrated, wanted = with_schema(context.config, schema)
    else:
        wanted, migrated, _ = live_and_migrated(context)
    return draft(migrated, wanted, context.config.ignore)


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
