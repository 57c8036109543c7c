"""`todo-sql doctor`: examine a live database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_sql.cli.context import Context
from todo_sql.cli.options import Format
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.config import Config


def command(context: Context, format: Format = "text") -> ExitCode:
    """Examine a live database: isolation, roles, keys, indexes, sequences, room, old transactions.

    Read-only. Each finding comes with the statement that corrects it; a check that could not see
    everything is named, and is not counted. An index that a migration makes is never proposed to
    be dropped by hand: where some index could go, the migrations are run on a scratch database.
    """
    import psycopg

    from todo_sql.catalog.doctor import examine

    output, config = context.output, context.config
    with psycopg.connect(context.direct_url(), autocommit=True) as connection:
        found = examine(connection, config, lambda: _migrated(config))
    if output.json:
        skipped = [{"check": name, "reason": reason} for name, reason in found.skipped]
        output.document({"findings": found.findings, "checks": found.made, "skipped": skipped})
    else:
        output.findings(found.findings, format)
    for name, reason in found.skipped:
        output.message(f"not looked at everything for {name.replace('_', ' ')}: {reason}")
    checks = count_of(len(found.made), "check")
    output.message(f"{checks}, {count_of(len(found.findings), 'finding')}")
    serious = any(finding.severity != "info" for finding in found.findings)
    return ExitCode.FINDINGS if serious else ExitCode.OK


def _migrated(config: Config) -> list[str]:
    """Return the indexes that the migrations make, as ``schema.name``."""
    import psycopg

    from todo_sql.catalog.snapshot import take
    from todo_sql.compiler.scratch import migrated_database

    if not any(any(folder.rglob("*.sql")) for folder in config.migration_folders):
        return []
    with psycopg.connect(migrated_database(config), autocommit=True) as connection:
        return [item.name for item in take(connection).of("index")]
