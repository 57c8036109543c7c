"""A project's named queries against its migrations: what the command line verbs share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from todo_sql.compiler import cache, models
from todo_sql.compiler.check import examine
from todo_sql.compiler.checks import configuration, serving, shards
from todo_sql.compiler.describe import Analysis, Compiler, Examined, Rule, gather
from todo_sql.compiler.generating.naming import wrong_names
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.config import Config
from todo_sql.errors import FindingsError
from todo_sql.queries.loader import QuerySet, read_folder
from todo_sql.wire.url import DatabaseUrl


def analyse_folder(
    config: Config, folder: Path | None = None, *, offline: bool = False
) -> tuple[QuerySet, Analysis]:
    """Describe every query of a folder; mistakes of the files come with the findings.

    Args:
        folder: The queries, or those of the project.
        offline: Whether to ask the cache, and no server.
    """
    queries, examined = _examined(config, folder or config.queries, (), offline=offline)
    return queries, whole(queries, examined, config)


def check_folder(
    config: Config,
    folder: Path | None = None,
    *,
    offline: bool = False,
    keep: bool = False,
    scale: int | None = None,
) -> Analysis:
    """Check every query of a folder; a cache that there is follows.

    Args:
        folder: The queries, or those of the project.
        offline: Whether to ask the cache, and no server.
        keep: Whether to begin a cache.
        scale: How much load-test data to plan the queries on, if at all.
    """
    folder = folder or config.queries
    queries, examined = _examined(config, folder, [examine], offline=offline)
    kept = cache.folder_of(folder)
    if not offline and (keep or kept.is_dir()):
        cache.write(kept, examined, config)
    if scale is not None:
        with psycopg.connect(serving.loaded_database(config, scale), autocommit=True) as connection:
            examined = serving.find(connection, examined, config)
        if (target := _target(config)) is not None:
            with target:
                examined = shards.find(target, examined, config)
    return whole(queries, examined, config)


def _target(config: Config) -> psycopg.Connection[Any] | None:
    """Connect to the database that the project is for, if one is named and there.

    Raises:
        psycopg.OperationalError: It is not there, and the project is for Citus.
    """
    if config.direct_url is None:
        return None
    try:
        return psycopg.connect(DatabaseUrl.parse(config.direct_url).text, autocommit=True)
    except psycopg.OperationalError:
        if config.lint.profile == "citus":
            raise
        return None


def _examined(
    config: Config, folder: Path, rules: Sequence[Rule], *, offline: bool
) -> tuple[QuerySet, list[Examined]]:
    """Read a folder, and ask the cache or a server about each query."""
    queries = read_folder(folder, config.root)
    if offline:
        return queries, cache.read(cache.folder_of(folder), queries.values(), config)
    with connect_migrated(config) as connection:
        compiler = Compiler(connection, config)
        examined = compiler.examine(queries.values(), rules)
    if folder == config.queries:  # the configuration is about those
        queries = with_slips(queries, examined, compiler)
    return queries, examined


def with_slips(queries: QuerySet, examined: Iterable[Examined], compiler: Compiler) -> QuerySet:
    """Add what the configuration names and is not there to the findings of the queries."""
    described = [one.described for one in examined if one.described]
    slips = configuration.unmatched(compiler.config, queries.values(), described, compiler.schema)
    return replace(queries, findings=(*queries.findings, *slips))


def whole(queries: QuerySet, examined: list[Examined], config: Config) -> Analysis:
    """Add what only all queries together show, and the mistakes of their files."""
    analysis = gather(examined)
    findings = [*queries.findings, *analysis.findings, *models.misnamed(analysis.described)]
    findings += models.alike(analysis.described)
    findings += wrong_names(analysis.described, queries.files, config)

    findings.sort(key=lambda finding: finding.position)
    return Analysis(analysis.described, tuple(findings))


def demand_no_errors(analysis: Analysis) -> None:
    """Stop where a query is wrong.

    Raises:
        FindingsError: Carries every finding of severity error.
    """
    errors = analysis.errors
    if errors:
        message = f"{len(errors)} problem{'s' if len(errors) > 1 else ''} in the named queries"
        fix = "correct the queries, then run the command again"
        raise FindingsError(message, errors, code="C100", fix=fix)
