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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from todo_sql import writing
from todo_sql.compiler.constraints import Constraint
from todo_sql.compiler.describe import Examined
from todo_sql.compiler.described import Described, Origin, Parameter, ResultColumn
from todo_sql.compiler.python_types import PythonType
from todo_sql.compiler.scratch import fingerprint
from todo_sql.config import Config
from todo_sql.errors import Finding, Place, Severity
from todo_sql.queries.named import NamedQuery

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
        content = _plain(_content(one, one.described, basis))
        text = json.dumps(content, indent=2, ensure_ascii=False)
        data = f"{text}\n".encode()
        stale.discard(name)
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
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
    return [_read(folder / f"{query.name}.json", query, basis) for query in queries]


def _read(path: Path, query: NamedQuery, basis: _Basis) -> Examined:
    try:
        content = json.loads(path.read_bytes())
        found = _Basis(**content.pop("basis"))
    except FileNotFoundError:
        return _unknown(query, f"`{query.name}` isn't in the cache", f"there is no {path.name}")
    except (ValueError, TypeError, AttributeError, KeyError):
        return _unknown(query, f"the cache of `{query.name}` can't be read", f"in {path.name}")
    wanted = replace(basis, query=_hash_of(query))
    changed = [
        words for name, words in _WHAT.items() if getattr(found, name) != getattr(wanted, name)
    ]
    if changed:
        cause = f"since it was written, {' and '.join(changed)} changed"
        return _unknown(query, f"the cache of `{query.name}` is stale", cause)
    findings = tuple(_placed(_Finding(**one), query) for one in content.pop("findings"))
    content["parameters"] = tuple(_parameter(**one) for one in content["parameters"])
    content["columns"] = tuple(_column(**one) for one in content["columns"])
    content["not_null"] = frozenset(content["not_null"])
    return Examined(query, Described(query, **content), findings)


def _parameter(python: Any, target: Any, **others: Any) -> Parameter:
    return Parameter(python=_python(**python), target=_origin(target), **others)


def _column(python: Any, origin: Any, **others: Any) -> ResultColumn:
    return ResultColumn(python=_python(**python), origin=_origin(origin), **others)


def _python(imports: Any, **others: Any) -> PythonType:
    return PythonType(imports=frozenset(map(tuple, imports)), **others)


def _origin(content: Any) -> Origin | None:
    if content is None:
        return None
    bounds = content.pop("constraint")
    return Origin(constraint=Constraint(**{**bounds, "values": tuple(bounds["values"])}), **content)


def _unknown(query: NamedQuery, message: str, cause: str) -> Examined:
    return Examined(query, None, (Finding("C120", "error", message, query.place(), cause, _FIX),))


def _content(one: Examined, described: Described, basis: _Basis) -> dict[str, Any]:
    """Return the description of a query without the query, and the findings."""
    values = {
        field.name: getattr(described, field.name)
        for field in dataclasses.fields(described)
        if field.name != "query"
    }
    findings = tuple(_relative(finding, one.query) for finding in one.findings)
    return {"basis": replace(basis, query=_hash_of(one.query)), **values, "findings": findings}


def _relative(finding: Finding, query: NamedQuery) -> _Finding:
    words = finding.code, finding.severity, finding.message, finding.cause, finding.fix
    place = finding.place
    if place is None:
        return _Finding(*words)
    return _Finding(*words, place.line - query.place().line, place.column, place.width)


def _placed(finding: _Finding, query: NamedQuery) -> Finding:
    place = None
    if finding.line is not None:
        line = query.place().line + finding.line
        text = query.source.line_text(line)
        place = Place(query.source.file, line, finding.column, text, finding.width)
    return Finding(
        finding.code, finding.severity, finding.message, place, finding.cause, finding.fix
    )


def _basis(config: Config) -> _Basis:
    settings = config.tenant, sorted(config.types.items()), config.exempt
    kept = Described, Parameter, ResultColumn, Origin, Constraint, PythonType, _Finding
    form = [[field.name for field in dataclasses.fields(one)] for one in kept]
    tool = _hash(repr((version("todo-sql"), form)))
    return _Basis("", fingerprint(config.migrations, 0), _hash(repr(settings)), tool)


def _hash_of(query: NamedQuery) -> str:
    """Return the hash of a query's text from its name on, and of what binds to its lines."""
    text = query.source.text[query.name_start : query.end].replace("\r\n", "\n")
    conditions = [(sorted(segment.needs), segment.cases) for segment in query.segments]
    return _hash(repr((text, conditions)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Return a value in the terms of JSON, sets in order."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, frozenset):
        return [_plain(item) for item in sorted(value)]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
