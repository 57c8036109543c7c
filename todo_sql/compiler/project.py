"""A project's named queries against its migrations: what the command line verbs share."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from todo_sql.compiler import models
from todo_sql.compiler.check import check
from todo_sql.compiler.describe import Analysis, Compiler
from todo_sql.compiler.described import Described
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.config import Config
from todo_sql.errors import Finding, FindingsError
from todo_sql.queries.loader import QuerySet, read_folder, read_text
from todo_sql.sql.source import Source


@contextmanager
def compiler_of(config: Config) -> Iterator[Compiler]:
    """Yield a compiler on a scratch database migrated to head."""
    with connect_migrated(config) as connection:
        yield Compiler(connection, config)


def analyse_folder(config: Config, folder: Path | None = None) -> tuple[QuerySet, Analysis]:
    """Describe every query of a folder; mistakes of the files come with the findings."""
    queries = read_folder(folder or config.queries, config.root)
    with compiler_of(config) as compiler:
        analysis = _whole(queries, compiler.analyse(queries.values()))
    return queries, analysis


def check_folder(config: Config, folder: Path | None = None) -> Analysis:
    """Check every query of a folder."""
    queries = read_folder(folder or config.queries, config.root)
    with compiler_of(config) as compiler:
        return _whole(queries, check(compiler, queries.values()))


def _whole(queries: QuerySet, analysis: Analysis) -> Analysis:
    """Add what only all queries together show, and the mistakes of their files."""
    findings = [*queries.findings, *analysis.findings, *models.misnamed(analysis.described)]
    return Analysis(analysis.described, tuple(in_file_order(findings)))


def watch_folder(
    config: Config, pause: float = 0.05
) -> Generator[tuple[Analysis, float], None, None]:
    """Check every query, then those of each file that is saved, for ever.

    In a saved file only the queries whose text is new are prepared again, and those with
    findings.

    Yields:
        What was found, and how many seconds it took since the change was seen.
    """
    with compiler_of(config) as compiler:
        clean: dict[str, Described] = {}
        known: dict[Path, int] = {}
        while True:
            found = {
                path: path.stat().st_mtime_ns for path in sorted(config.queries.rglob("*.sql"))
            }
            changed = [path for path in found if known.get(path) != found[path]]
            if changed or found.keys() != known.keys():
                known = found
                start = time.perf_counter()
                yield _check_files(compiler, changed, clean), time.perf_counter() - start
            else:
                time.sleep(pause)


def _check_files(compiler: Compiler, paths: list[Path], clean: dict[str, Described]) -> Analysis:
    """Check the queries of some files.

    Args:
        clean: Queries without findings, by their text with what stands above it; added to.
    """
    described: list[Described] = []
    findings: list[Finding] = []
    for path in paths:
        source = Source.read(path, compiler.config.root)
        queries, mistakes = read_text(source)
        findings += mistakes
        end = 0
        for query in queries:
            text, end = source.text[end : query.end], query.end
            if text in clean:
                described.append(replace(clean[text], query=query))
                continue
            analysis = check(compiler, [query])
            described += analysis.described
            findings += analysis.findings
            if not analysis.findings:
                clean[text] = analysis.described[0]
    described, disagreements = models.agree(described)
    return Analysis(tuple(described), tuple(in_file_order([*findings, *disagreements])))


def in_file_order(findings: list[Finding]) -> list[Finding]:
    """Sort findings by file, line and column."""

    def key(finding: Finding) -> tuple[str, int, int]:
        place = finding.place
        return (place.file, place.line, place.column) if place else ("", 0, 0)

    return sorted(findings, key=key)


def demand_no_errors(analysis: Analysis) -> None:
    """Stop where a query is wrong.

    Raises:
        FindingsError: Carries every finding of severity error.
    """
    errors = analysis.errors
    if errors:
        plural = "s" if len(errors) > 1 else ""
        raise FindingsError(
            f"{len(errors)} problem{plural} in the named queries",
            errors,
            code="C100",
            fix="correct the queries, then run the command again",
        )
