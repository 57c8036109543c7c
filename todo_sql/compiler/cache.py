"""What was found out about each query, kept in files, so that no server is needed.

One JSON file a query, in `.cache` below the folder of the queries. They are meant to be
committed: two people who change two queries never meet in one file. A file is good for one
text of its query, one set of migrations and one configuration; anything else is stale.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

from todo_sql import writing
from todo_sql.compiler.constraints import Constraint
from todo_sql.compiler.describe import Examined
from todo_sql.compiler.described import Described, DescribedColumn, DescribedParameter, Origin
from todo_sql.compiler.plain_source import is_plain
from todo_sql.compiler.python_types import PythonType
from todo_sql.compiler.scratch import fingerprint
from todo_sql.config import Config
from todo_sql.errors import Finding, Place, Severity
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import read_bytes

_WHAT = {
    "query": "the query",
    "migrations": "the migrations",
    "configuration": "the configuration",
    "tool": "todo-sql",
}
_FIX = "run `todo-sql check --cache` where there is a PostgreSQL, and commit what it writes"


@dataclass(frozen=True)
class _Basis:
    """What a description follows from, hashed."""

    query: str
    migrations: str
    configuration: str
    tool: str


@dataclass(frozen=True)
class _Finding:
    """A finding whose place counts from the line of the query's name."""

    code: str
    severity: Severity
    message: str
    cause: str | None
    fix: str | None
    line: int | None = None
    column: int = 1
    width: int = 1


class _Written(BaseModel):
    """A file as far as every version of it agrees."""

    basis: _Basis


class _Whole(_Written):
    """A file of this version; the fields of a description are added by `_entry`."""

    findings: tuple[_Finding, ...]


def _kept() -> list[str]:
    """Return the names of what is kept of a description: all but the query."""
    return [field.name for field in dataclasses.fields(Described) if field.name != "query"]


@cache
def _entry() -> type[_Whole]:
    types = get_type_hints(Described)
    fields: dict[str, Any] = {name: (types[name], ...) for name in _kept()}
    return create_model("_Entry", __base__=_Whole, **fields)


def folder_of(queries: Path) -> Path:
    """Return the folder of the files for a folder of queries."""
    return queries / ".cache"


def write(folder: Path, examined: Iterable[Examined], config: Config) -> list[str]:
    """Bring the files in line with what was found; return the names of those that changed.

    A query that couldn't be described has none.
    """
    files: dict[str, bytes] = {}
    basis = _basis(config)
    stale = {path.name for path in folder.glob("*.json")}
    for one in examined:
        if one.described is None:
            continue
        name = f"{one.query.name}.json"
        content: dict[str, Any] = {"basis": replace(basis, query=_hash_of(one.query))}
        content |= {field: getattr(one.described, field) for field in _kept()}
        content["findings"] = tuple(_relative(finding, one.query) for finding in one.findings)
        text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
        data = f"{text}\n".encode()
        stale.discard(name)
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            files[name] = data
    with writing.folder(folder, config.root) as place:
        for name, data in files.items():
            place.write(name, data)
        for name in stale:
            place.delete(name)
    return sorted([*files, *stale])


def read(folder: Path, queries: Iterable[NamedQuery], config: Config) -> list[Examined]:
    """Return what the files know of queries; what they don't know is an error of each."""
    basis = _basis(config)
    return [_read(folder / f"{query.name}.json", query, basis, config) for query in queries]


def _read(path: Path, query: NamedQuery, basis: _Basis, config: Config) -> Examined:
    try:
        text = read_bytes(path, config.root)
        found = _Written.model_validate_json(text).basis
    except FileNotFoundError:
        return _unknown(query, f"`{query.name}` isn't in the cache", f"there is no {path.name}")
    except ValidationError:
        return _unreadable(query, path)
    wanted = replace(basis, query=_hash_of(query))
    differs = [name for name in _WHAT if getattr(found, name) != getattr(wanted, name)]
    if changed := [_WHAT[name] for name in differs]:
        cause = f"since it was written, {' and '.join(changed)} changed"
        return _unknown(query, f"the cache of `{query.name}` is stale", cause)
    try:
        entry = _entry().model_validate_json(text)
    except ValidationError:
        return _unreadable(query, path)
    findings = tuple(_placed(finding, query) for finding in entry.findings)
    described = Described(query, **{name: getattr(entry, name) for name in _kept()})
    wrong = any(finding.severity == "error" for finding in findings)
    if not wrong and not is_plain(described, config.types):
        return _unreadable(query, path)  # nobody generates from what has errors
    return Examined(query, described, findings)


def _unreadable(query: NamedQuery, path: Path) -> Examined:
    return _unknown(query, f"the cache of `{query.name}` can't be read", f"in {path.name}")


def _unknown(query: NamedQuery, message: str, cause: str) -> Examined:
    return Examined(query, None, (Finding("C120", "error", message, query.place(), cause, _FIX),))


def _relative(finding: Finding, query: NamedQuery) -> _Finding:
    words = finding.code, finding.severity, finding.message, finding.cause, finding.fix
    place = finding.place
    if place is None:
        return _Finding(*words)
    return _Finding(*words, place.line - query.place().line, place.column, place.width)


def _placed(finding: _Finding, query: NamedQuery) -> Finding:
    place = None
    if finding.line is not None:
        last = query.source.text.count("\n") + 1
        line = max(1, min(query.place().line + finding.line, last))
        text = query.source.line_text(line)
        column, width = (max(1, min(n, len(text) + 1)) for n in (finding.column, finding.width))
        place = Place(query.source.file, line, column, text, width)
    words = finding.code, finding.severity, finding.message
    return Finding(*words, place, finding.cause, finding.fix)


def _basis(config: Config) -> _Basis:
    settings = config.tenant, sorted(config.types.items()), config.exempt, config.enums
    kept = Described, DescribedParameter, DescribedColumn, Origin, Constraint, PythonType, _Finding
    form = [[field.name for field in dataclasses.fields(one)] for one in kept]
    tool = _hash(repr((version("todo-sql"), form)))
    return _Basis("", fingerprint(config, 0), _hash(repr(settings)), tool)


def _hash_of(query: NamedQuery) -> str:
    """Return the hash of a query's text from its name on, and of what binds to its lines."""
    text = query.source.text[query.name_start : query.end].replace("\r\n", "\n")
    conditions = [(sorted(segment.needs), segment.cases) for segment in query.segments]
    return _hash(repr((text, conditions)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Return what JSON has no word for in its terms, sets in order."""
    if isinstance(value, frozenset):
        return sorted(value)
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
