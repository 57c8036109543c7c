"""`todo-sql seed`: load development data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from typer import Option

from todo_sql.cli.context import Context


def command(
    context: Context,
    scale: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Load-test data besides: N tasks, 1,000 a user."),
    ] = None,
) -> None:
    """Load development data; running it again changes nothing."""
    from todo_sql.migrations.seeds import seed

    folder = context.config.seeds
    seeded = seed(context.direct_url(), folder, scale=scale)
    if context.output.json:
        context.output.document({"seeded": [asdict(entry) for entry in seeded]})
        return
    if not seeded:
        context.output.message(f"there are no seeds: write .sql files into {folder}")
    for entry in seeded:
        context.output.message(f"seeded {entry.file}: {entry.rows} rows")
