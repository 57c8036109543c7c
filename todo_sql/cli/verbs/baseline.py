"""`todo-sql baseline`: adopt a database that holds the schema already."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from todo_sql.adoption.old_ledger import TABLES
from todo_sql.cli.context import Context
from todo_sql.cli.migrating import load_migrations, migrator_of
from todo_sql.cli.options import Migrations, WaitForMigrator, migration_ids
from todo_sql.cli.screen import count_of
from todo_sql.errors import Finding, FindingsError

if TYPE_CHECKING:
    from todo_sql.catalog.diff import Difference

_SHOWN = 30  # differences
_LEDGERS = re.compile(rf"\b({'|'.join(TABLES)}|_yoyo_\w+|_todo_sql_ledger)\b")


def command(
    context: Context,
    id: Annotated[
        str,
        Argument(
            metavar="ID",
            help="The last one that the database holds: id or version.",
            autocompletion=migration_ids,
        ),
    ],
    force: Annotated[
        bool, Option("--force", help="Record even if the schema is another; says how.")
    ] = False,
    wait: WaitForMigrator = None,
    migrations: Migrations = None,
) -> None:
    """Record migrations up to ID as applied without running them.

    First the migrations are applied to a scratch database, and both catalogs are compared:
    a schema that is not what they would have made is refused.
    """
    output = context.output
    recorded = record(context, id, force=force, wait=wait, folder=migrations)
    if output.json:
        output.document({"recorded": recorded})
    else:
        for name in recorded:
            output.message(f"recorded {name}")
        output.message(f"{count_of(len(recorded))} recorded as applied")


def record(
    context: Context,
    id: str,
    *,
    force: bool = False,
    wait: float | None = None,
    folder: str | None = None,
) -> list[str]:
    """Record migrations up to an id once the catalogs were compared; return which."""
    with migrator_of(context, folder) as migrator:
        return migrator.baseline(
            id, wait=wait, compare=lambda: demand_same(context, id, force=force, folder=folder)
        )


def demand_same(
    context: Context, id: str, *, force: bool = False, folder: str | None = None
) -> None:
    """Demand that the live catalog is what the migrations up to an id make.

    Raises:
        FindingsError: It is another, and `force` is not given.
    """
    findings = [
        Finding("M241", "warning" if force else "error", _words(difference))
        for difference in _differences(context, id, folder)
    ]
    if force:
        for finding in findings[:_SHOWN]:
            context.output.message(finding.render())
    elif findings:
        hidden = len(findings) - _SHOWN
        more = f"; {hidden} more are not shown" if hidden > 0 else ""
        raise FindingsError(
            f"the schema is not what the migrations up to {id} make: "
            f"{len(findings)} differences{more}",
            findings[:_SHOWN],
            code="M240",
            cause="nothing was recorded",
            fix="name the migration that the database is really at, correct the schema, or "
            "record it anyway with `--force`",
        )


def _differences(context: Context, id: str, folder: str | None) -> list[Difference]:
    """Return how the live catalog differs from what the migrations up to `id` make."""
    from dataclasses import replace

    import psycopg

    from todo_sql.catalog.diff import compare
    from todo_sql.migrations.pending import find
    from todo_sql.review.compared import both

    migrations = load_migrations(context, folder)
    last = find(migrations, id)
    kept = tuple(migrations)[: tuple(migrations).index(last) + 1]
    chosen = replace(migrations, migrations=kept, repeatables=())
    with (
        psycopg.connect(context.direct_url(), autocommit=True) as connection,
        both(context.config, connection, chosen) as (live, made),
    ):
        found = compare(made, live)
    return [difference for difference in found if not _LEDGERS.search(difference.item.key)]


def _words(difference: Difference) -> str:
    if difference.before is None:
        return f"the database holds {difference.item.key}, which the migrations do not make"
    if difference.after is None:
        return f"the database lacks {difference.item.key}"
    parts = "; ".join(
        f"{name} is {new!r}, not {old!r}" for name, (old, new) in difference.changes.items()
    )
    return f"{difference.item.key} is different: {parts}"
