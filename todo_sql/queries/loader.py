"""Query files to named queries. Reads files; otherwise pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_sql.errors import Finding, UsageError
from todo_sql.queries.header import HEADER, check_almost_header, check_stray
from todo_sql.queries.mistakes import Report, position
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.query_errors import QueryFileError
from todo_sql.queries.reader import read_section
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, scan
from todo_sql.sql.source import Source

_HEADER_LINE = re.compile(r"^[ \t]*--[ \t]*name[ \t]*:", re.MULTILINE)


@dataclass(frozen=True)
class QuerySet(Mapping[str, NamedQuery]):
    """The queries of a folder by name.

    Attributes:
        queries: Every query without a mistake, in order of file and text.
        files: Every file read.
        findings: The mistakes of all files, in order of file and text.
    """

    queries: Mapping[str, NamedQuery]
    files: tuple[Source, ...]
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, name: str) -> NamedQuery:
        return self.queries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.queries)

    def __len__(self) -> int:
        return len(self.queries)


def load_text(source: Source) -> tuple[NamedQuery, ...]:
    """Return the queries of a text.

    Raises:
        QueryFileError: With every mistake of the text.
    """
    queries, findings = read_text(source)
    if findings:
        raise QueryFileError(findings)
    return queries


def load_folder(path: Path, root: Path | None = None) -> QuerySet:
    """Read every ``*.sql`` file of a folder and its subfolders.

    Raises:
        QueryFileError: With every mistake of every file; a name used twice is one.
        UsageError: The folder does not exist.
    """
    found = read_folder(path, root)
    if found.findings:
        raise QueryFileError(list(found.findings))
    return found


def read_folder(path: Path, root: Path | None = None) -> QuerySet:
    """Read like `load_folder`, but leave mistakes in `QuerySet.findings`.

    Raises:
        UsageError: The folder does not exist.
    """
    if not path.is_dir():
        fix = "name the folder of queries in [tool.todo-sql], or make it"
        raise UsageError(f"there is no folder {path}", code="Q120", fix=fix)
    return together(read_one(file, root) for file in sorted(path.rglob("*.sql")))


@dataclass(frozen=True)
class Read:
    """What one file holds: its sound queries and its mistakes; no source: it can't be read."""

    source: Source | None
    queries: tuple[NamedQuery, ...]
    findings: tuple[Finding, ...]


def read_one(path: Path, root: Path | None = None) -> Read:
    """Read one file; its places are shown relative to `root`."""
    try:
        source = Source.read(path, root)
    except UsageError as error:  # not UTF-8, or with a 0 in it
        return Read(None, (), (error.finding,))
    queries, findings = read_text(source)
    return Read(source, queries, tuple(findings))


def together(files: Iterable[Read]) -> QuerySet:
    """Return the queries of several files; of two that have one name the first is kept."""
    queries: dict[str, NamedQuery] = {}
    findings: list[Finding] = []
    sources: list[Source] = []
    for file in files:
        sources += [file.source] if file.source else []
        twice = [
            _defined_twice(query, first)
            for query in file.queries
            if (first := queries.setdefault(query.name, query)) is not query
        ]
        findings += sorted([*file.findings, *twice], key=position)
    return QuerySet(queries, tuple(sources), tuple(findings))


def _defined_twice(query: NamedQuery, first: NamedQuery) -> Finding:
    message = f"query `{query.name}` is defined twice"
    cause = f"the first one stands at {first.place()}"
    return Finding("Q106", "error", message, query.place(), cause, "rename one of the two")


def has_header(source: Source) -> bool:
    """Return whether a text holds named queries, or means to."""
    return _HEADER_LINE.search(source.text) is not None


def read_text(source: Source) -> tuple[tuple[NamedQuery, ...], list[Finding]]:
    """Return the sound queries of a text, and its mistakes."""
    report = Report(source)
    names: dict[str, NamedQuery] = {}
    for header, tokens in _sections(report):
        if header is None:
            _check_preamble(report, tokens)
        elif query := read_section(report, header, tokens):
            first = names.setdefault(query.name, query)
            if first is not query:
                report.add_finding(_defined_twice(query, first))
    return tuple(names.values()), report.findings


def _sections(report: Report) -> Iterator[tuple[Token | None, list[Token]]]:
    """Cut a text at its headers; what stands before the first one comes with None."""
    text = report.source.text
    comment = Kind.LINE_COMMENT
    header: Token | None = None
    section: list[Token] = []
    position = 0
    while position < len(text):
        tokens, error = _scan(text, position)
        position = len(text)
        if error is not None:
            end = error.offset + 1
            report.add("S102", error.message, (error.offset, end), "close or correct it")
            following = _HEADER_LINE.search(text, end)
            position = following.start() if following else len(text)
        for token in tokens:
            if token.kind is comment and _is_header(text, token):
                yield header, section
                header, section = token, []
            else:
                section.append(token)
        if error is not None:
            header, section = None, []
    yield header, section


def _scan(text: str, start: int) -> tuple[list[Token], ScanError | None]:
    """Return the tokens up to the first mistake.

    A string that holds a header was not closed in the query above that header, and only
    ends where the next string begins.
    """
    error = None
    try:
        tokens = scan(text, start)
    except ScanError as found:
        error = found
        tokens = scan(text, start, found.offset)
    quoted = {Kind.STRING: "string", Kind.QUOTED: "identifier"}
    for index, (kind, at, end) in enumerate(tokens):
        if kind in quoted and text[at] != "$" and _HEADER_LINE.search(text, at, end):
            return tokens[:index], ScanError(f"unterminated quoted {quoted[kind]}", at)
    return tokens, error


def _is_header(text: str, token: Token) -> bool:
    if not HEADER.match(text, token.start, token.end):
        return False
    return not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip()


def _check_preamble(report: Report, tokens: list[Token]) -> None:
    """Nothing but comments may stand above the first header."""
    for token in tokens:
        if token.kind is Kind.LINE_COMMENT:
            if check_almost_header(report, token):
                return
            check_stray(report, token)
        if token.kind not in COMMENTS:
            fix = "write a header above it, such as `-- name: get_task :one`"
            report.add("Q102", "SQL above the first `-- name:`", token, fix)
            return
