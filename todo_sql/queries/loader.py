"""Query files to named queries. Reads files; otherwise pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_sql.errors import Finding
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import Source


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
    raise NotImplementedError


def load_file(path: Path, root: Path | None = None) -> tuple[NamedQuery, ...]:
    """Read one file; its places are shown relative to `root`."""
    return load_text(Source.read(path, root))


def load_folder(path: Path, root: Path | None = None) -> QuerySet:
    """Read every ``*.sql`` file of a folder and its subfolders.

    Raises:
        QueryFileError: With every mistake of every file; a name used twice is one.
        UsageError: The folder does not exist.
    """
    raise NotImplementedError


def read_folder(path: Path, root: Path | None = None) -> QuerySet:
    """Read like `load_folder`, but report mistakes in `QuerySet.findings`."""
    raise NotImplementedError
