"""The sequences for some or all of what is pending on a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg

from todo_sql.errors import ConfigError, Finding, UsageError
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.pending import State, find
from todo_sql.queries.loader import read_folder
from todo_sql.review.copy import copies
from todo_sql.review.plan import distrust
from todo_sql.rewriting.numbering import Numbers
from todo_sql.rewriting.rewrite import Rewrite, rewrite
from todo_sql.rewriting.sequence_proof import Ground

if TYPE_CHECKING:
    from todo_sql.config import Config


def chosen(migrations: MigrationSet, pending: Sequence[Migration], id: str) -> Migration:
    """Return a pending migration by its id or version.

    Raises:
        PlanError: There is none of that name.
        UsageError: It is applied.
    """
    migration = find(migrations, id)
    if migration not in pending:
        raise UsageError(
            f"{migration.id} is not pending: it is applied to this database",
            code="P303",
            cause="what was applied is never rewritten",
            fix="`todo-sql status` shows what is pending",
        )
    return migration


def rewrites(
    config: Config,
    url: str,
    migrations: MigrationSet,
    pending: Sequence[Migration],
    wanted: Sequence[Migration],
    *,
    asks: bool = True,
    across_majors: bool = False,
    adopts: bool = True,
    in_part: bool = False,
) -> Iterator[Rewrite]:
    """Yield what becomes of some pending migrations, in order.

    Args:
        config: Of the project.
        url: Of the target.
        migrations: All of the project's.
        pending: Those that are pending, in order.
        wanted: Which of them to rewrite.
        asks: Whether the rows of the target are asked.
        across_majors: Whether to try on another major version than the target's.
        adopts: Whether tables that pending migrations make count as being in use.
        in_part: Whether what no recipe does stays as it is, in a file of its own.
    """
    settings = migrations.outside.resolved().values
    queries = read_folder(config.queries, config.root) if config.queries.is_dir() else {}
    entries = Migrator(url, migrations, ledger=config.ledger).status().entries
    begun = {entry.id for entry in entries if entry.state is State.FAILED}
    with psycopg.connect(url, autocommit=True) as live:
        live.execute("set lock_timeout = '5s'")
        silent = distrust(live) or (None if asks else "--no-data-checks")

        def tried(*, alone: bool) -> Iterator[Rewrite]:
            copying = copies(config, live, pending, across_majors=across_majors, alone=alone)
            numbers = Numbers(migrations, {one.id for one in pending} - begun)
            with copying as make:
                for migration in wanted:
                    if migration.id in begun:
                        yield Rewrite(migration, asks=(_begun(migration),))
                        continue
                    preceding = pending[: list(pending).index(migration)]
                    ground = Ground(make, preceding, settings, queries)
                    yield rewrite(
                        ground,
                        numbers,
                        migration,
                        live,
                        silent=silent,
                        adopts=adopts,
                        in_part=in_part,
                    )

        try:
            found = list(tried(alone=False))
        except ConfigError as error:
            if error.finding.code != "P201" or config.scratch_url is not None:
                raise
            found = list(tried(alone=True))
    yield from found


def _begun(migration: Migration) -> Finding:
    return Finding(
        "P303",
        "error",
        f"{migration.id} is half done on this database",
        migration.forward.source.place(0),
        cause="the ledger knows how far it came, by its statements",
        fix="finish it (`todo-sql migrate`) or undo it (`todo-sql rollback`) first",
    )
