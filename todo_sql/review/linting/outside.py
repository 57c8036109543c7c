"""SQL files outside the folders of a project, named to be reviewed: queries, or plain SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from todo_sql.config import Config
from todo_sql.errors import Finding, UsageError
from todo_sql.migrations.files.reading import read_sql
from todo_sql.migrations.files.statements import explain
from todo_sql.queries.loader import has_header, read_text
from todo_sql.review.linting.reviewed import File, query_file
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.source import Source


@dataclass
class Outside:
    """What files outside the folders hold.

    Attributes:
        sources: By path, each text.
        files: What parses of them. Nothing is known of their purpose, so that only the rules
            of queries look at them.
        findings: What does not.
    """

    sources: dict[Path, Source] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_outside(config: Config, paths: Iterable[Path]) -> Outside:
    """Read files that a project does not read itself.

    Raises:
        UsageError: One is not UTF-8.
    """
    found = Outside()
    for path in sorted(paths):
        source = found.sources[path] = Source.read(path, config.root)
        if not has_header(source):
            try:
                bare = read_sql(path, source.file, folder=path.parent, root=config.root).source
                found.files.append(File(bare, "query", tuple(parse(bare.text))))
                found.sources[path] = bare
            except GrammarError as error:
                found.findings.append(explain(source, error))
            except UsageError as error:
                found.findings.append(error.finding)
            continue
        queries, mistakes = read_text(source)
        found.findings += mistakes
        for query in queries:
            try:
                found.files.append(query_file(query))
            except GrammarError as error:
                place = query.source.place(query.start, query.end)
                fix = "correct the SQL"
                found.findings.append(Finding("C101", "error", error.message, place, fix=fix))
    return found
