"""`todo-sql squash`: one pair of files in place of a history."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import Yes, migration_ids
from todo_sql.cli.screen import count_of
from todo_sql.sql.source import shown_path

if TYPE_CHECKING:
    from todo_sql.review.squash import Squash


def command(
    context: Context,
    to: Annotated[
        str,
        Option(
            metavar="ID",
            help="The last one to replace, id or version, included.",
            autocompletion=migration_ids,
        ),
    ],
    dry_run: Annotated[
        bool, Option("--dry-run", "-n", help="Prove and show the pair; write and move nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Put one pair of files in place of the history up to ID.

    Scratch databases prove first that it makes the same catalog and rows, that its rollback
    leaves nothing, and that the migrations after it lead to the same end. The old files are
    moved aside. Databases that have all of them are carried over by their next `migrate`.
    """
    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.files.statements import check
    from todo_sql.review.squash import moves, squash, write

    config, output = context.own_config, context.output
    migrations = load_project(config)
    check(migrations)
    found = squash(config, migrations, to)
    files = [found.folder / f"{found.id}{end}" for end in (".sql", ".rollback.sql")]
    moved = list(dict(moves(config, found)).items())
    shown = partial(shown_path, root=config.root)
    if not output.json:
        for path, text in zip(files, (found.forward, found.rollback), strict=True):
            if dry_run:
                output.data(f"-- {shown(path)}\n{text}", verbatim=True)
        _tell(context, found, shown(moved[0][1].parent if moved else found.folder))
    if not dry_run:
        output.confirm(f"Replace {count_of(len(found.replaced))} by {found.id}?", yes=yes)
        write(config, found)
    if output.json:
        output.document(
            {
                "dry_run": dry_run,
                "id": found.id,
                "replaces": [migration.id for migration in found.replaced],
                "files": [shown(path) for path in files],
                "moved": [{"from": shown(old), "to": shown(new)} for old, new in moved],
                "rows": found.rows,
                "left_to_defaults": found.by_default,
                "sql": {"forward": found.forward, "rollback": found.rollback},
            }
        )
    elif not dry_run:
        for path in files:
            output.data(shown(path))
        output.message("the next `todo-sql migrate` of each database records it")


def _tell(context: Context, found: Squash, folder: str) -> None:
    message = context.output.message
    first, last = found.replaced[0].id, found.replaced[-1].id
    message(f"{found.id} replaces {count_of(len(found.replaced))}, {first} to {last}")
    for table, count in found.rows.items():
        message(f"  keeps {count_of(count, 'row')} of {table}")
    for table, columns in found.by_default.items():
        message(f"  leaves to their defaults: {', '.join(columns)} of {table}")
    message("  proved: the same catalog and rows, a rollback that leaves nothing, the same end")
    message(f"  the old files go to {folder}")
