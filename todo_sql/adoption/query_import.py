"""Other tools' query files as ours: read, edited, written; the compiler says what is left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from posixpath import commonpath
from typing import TYPE_CHECKING, Any

from todo_sql import writing
from todo_sql.adoption.query_edits import (
    EditedQuery,
    commented,
    names_of,
    python_name,
    queries_in,
    without_directives,
)
from todo_sql.adoption.revisions import Asked
from todo_sql.adoption.tools import KnownTool
from todo_sql.compiler.schema import Schema
from todo_sql.compiler.schema import read as read_schema
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.errors import Finding, FindingsError, Place, UsageError
from todo_sql.migrations.files.folder import files_of
from todo_sql.sql.source import Source, has_text, shown_path

if TYPE_CHECKING:
    from todo_sql.config import Config

_FIRST_ROW = "more than one row is an error here; there the first one came"


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that came over.

    Attributes:
        source: As the other tool has it.
        to: Where it goes, below the folder of queries.
        queries: What is in it.
        text: As it is here.
    """

    source: Source
    to: PurePosixPath
    queries: tuple[EditedQuery, ...]
    text: str


@dataclass(frozen=True, slots=True)
class BroughtQueries:
    """What came over.

    Attributes:
        files: To be written.
        findings: What did not, and what is left to do.
    """

    files: tuple[ImportedFile, ...]
    findings: tuple[Finding, ...]

    @property
    def queries(self) -> list[EditedQuery]:
        """Those that came over."""
        found = (query for file in self.files for query in file.queries)
        return [one for one in found if one.head.cardinality is not None]

    @property
    def refused(self) -> list[Finding]:
        """What did not come over."""
        return [one for one in self.findings if one.severity == "error"]


def has_migrations(config: Config) -> bool:
    """Whether there is a schema that queries can be checked against."""
    return any(folder.is_dir() and list(files_of(folder)) for folder in config.migration_folders)


def bring(config: Config, tool: KnownTool, folder: Path, asked: Asked) -> BroughtQueries:
    """Read a folder of another tool's queries, and write them as ours; no file is written yet.

    Raises:
        UsageError: There is none.
    """
    reader: Any = import_module(f"todo_sql.adoption.query_readers.{tool.name}")
    findings = asked.findings
    paths: list[Path] = reader.files(folder, asked)
    prepared = getattr(reader, "prepared", None)
    sources = [asked.source(path) for path in paths]
    if prepared is not None:
        sources = [Source(one.file, prepared(one.text)) for one in sources]
    heads = {one.file: reader.heads(one) for one in sources}
    keys = [(file, head.name) for file, found in heads.items() for head in found]
    if not keys:
        raise UsageError(
            f"there is no query of {tool.title} in {folder}", code="A101", fix="name its folder"
        )
    called = names_of(keys)
    base = commonpath([PurePosixPath(one.file).parent for one in sources])
    files = []
    with ExitStack() as stack:
        schema: list[Schema] = []

        def columns(within: str | None, name: str) -> Sequence[str] | None:
            if not schema and has_migrations(config):
                schema.append(read_schema(stack.enter_context(connect_migrated(config))))
            return _columns(schema[0], within, name) if schema else None

        for source in sources:
            if not heads[source.file]:
                words = f"{source.file} holds no query of {tool.title}; it is left out"
                findings.append(Finding("A151", "warning", words, Place(source.file, 1)))
                continue
            queries = tuple(queries_in(source, heads[source.file], called))
            for query in queries:
                if query.head.cardinality is not None:
                    reader.edit(query, columns)
                if query.head.cardinality == "optional":
                    query.notes.append(_FIRST_ROW)
                findings += query.findings
            above = source.text[: heads[source.file][0].start]
            head = without_directives(above)
            if head is None:
                head = commented(above)
                words = "the SQL above the first query is none: it stands there as a comment"
                findings.append(Finding("A151", "warning", words, Place(source.file, 1)))
            text = head + "".join(query.text for query in queries)
            to = _target(PurePosixPath(source.file).relative_to(base))
            files.append(ImportedFile(source, to, queries, text.rstrip() + "\n"))
    return BroughtQueries(tuple(files), tuple(findings))


def _target(path: PurePosixPath) -> PurePosixPath:
    """Return the path of a file here: its parts are names of modules."""
    *above, stem = path.with_suffix("").parts
    stem = python_name(stem)
    own = f"{stem}_" if stem == "models" and not above else stem
    return PurePosixPath(*map(python_name, above), f"{own}.sql")


def _columns(schema: Schema, within: str | None, name: str) -> list[str] | None:
    found = [
        one
        for one in schema.relations.values()
        if one.name.lower() == name.lower() and within in (None, one.schema)
    ]
    found.sort(key=lambda one: (one.schema != "public", one.schema))
    return [column.name for column in found[0].columns.values()] if found else None


def write(files: Sequence[ImportedFile], folder: Path, within: Path) -> None:
    """Write files; nothing is written if one is there with another text.

    Raises:
        FindingsError: Names those.
    """
    there = [
        Finding(
            "A152",
            "error",
            f"{shown_path(path, within)} is there, with another text",
            Place(file.source.file, 1),
            fix="delete it, or name another folder with `--to DIR`",
        )
        for file in files
        if os.path.lexists(path := folder / file.to) and not has_text(path, file.text, within)
    ]
    if there:
        raise FindingsError(
            "queries are in the way", there, code="A100", cause="nothing was written"
        )
    for file in files:
        writing.write(folder / file.to, file.text, within)
