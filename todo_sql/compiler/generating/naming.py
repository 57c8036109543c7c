"""Names that the generated package cannot have, told at their place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from todo_sql.compiler.described import Described
from todo_sql.compiler.models import is_field
from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.queries.mistakes import not_a_name
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import Source


def wrong_names(
    described: Iterable[Described], files: Iterable[Source], config: Config
) -> list[Finding]:
    """Return what the names of files, queries, classes and fields make impossible."""
    described = list(described)
    found = list(_queries(described)) + list(_classes(described)) + list(_fields(described))
    if config.generate is not None:
        found += _files(files, shown(config.queries, config.root))
    return found


def shown(path: Path, root: Path) -> str:
    """Return a path as people read it: from the project's root where it lies below."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def module_name(file: str, folder: str) -> str:
    """Return the module of a query file: its path below the folder, joined by underscores."""
    path = PurePosixPath(file)
    if path.is_relative_to(folder):
        path = path.relative_to(folder)
    return "_".join(path.with_suffix("").parts)


_KEPT = "is a name that Python keeps for itself"


def _files(files: Iterable[Source], folder: str) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for source in files:
        name, place = module_name(source.file, folder), Place(source.file, 1)
        reason = not_a_name(name) or (_KEPT if name.startswith("__") else None)
        if reason:
            yield _impossible(place, f"the module `{name}` {reason}", "rename the file")
            continue
        other = seen.setdefault(name.lower(), source.file)
        cause = f"the other is made from {other}" if other is not source.file else None
        if name.lower() == "models":
            cause = "the package has models.py, which holds the result models"
        if cause:
            message = f"the module `{name}` has the name of another"
            yield _impossible(place, message, "rename the file", cause)


def _queries(described: Iterable[Described]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], NamedQuery] = {}
    for query in (entry.query for entry in described):
        if query.name.startswith("__"):
            yield _impossible(query.place(), f"`{query.name}` {_KEPT}", "rename it")
        first = seen.setdefault((query.source.file, query.name.lower()), query)
        if first is not query:
            message = f"`{query.name}` and `{first.name}` differ in case only"
            cause = f"the first one stands at {first.place()}"
            yield _impossible(query.place(), message, "rename one of the two", cause)


def _classes(described: Iterable[Described]) -> Iterator[Finding]:
    """Yield classes of one name that hold different things."""
    seen: dict[str, tuple[NamedQuery, object]] = {}
    for entry in described:
        query = entry.query
        for name, holds in _definitions(entry):
            if name.startswith("__"):
                fix = "name the model otherwise"
                yield _impossible(query.place(), f"`{name}` {_KEPT}", fix)
            first, others = seen.setdefault(name, (query, holds))
            if holds != others:
                both = f"`{query.name}` and `{first.name}` both need a class `{name}`"
                cause = f"the first one stands at {first.place()}"
                fix = "name one of them otherwise, with `-> Model` or `-- params: Model`"
                yield _impossible(query.place(), f"{both}, and they differ", fix, cause)


def _definitions(entry: Described) -> Iterator[tuple[str, object]]:
    query = entry.query
    for name, *holds in sorted(entry.enums):
        yield name, holds
    for model in entry.row_models:
        yield model.name, "rows"  # what they hold is for `models.agree` to compare
    if query.params_model:
        yield query.params_model, tuple(_shape(entry, model=True))
    elif entry.parameters_type:
        yield entry.parameters_type, tuple(_shape(entry, model=False))


def _shape(entry: Described, *, model: bool) -> Iterator[tuple[object, ...]]:
    yield (model,)
    for one in entry.model_parameters if model else entry.own_parameters:
        constraint = one.target.constraint if one.target and model else None
        yield one.name, one.annotation.text, one.optional, one.default, constraint


def _fields(described: Iterable[Described]) -> Iterator[Finding]:
    for entry in described:
        if entry.query.params_model:
            names = [one.name for one in entry.model_parameters if not is_field(one.name)]
            kind = f"the model {entry.query.params_model}"
        elif entry.is_bulk:
            names = [one.name for one in entry.own_parameters if one.name.startswith("__")]
            kind = f"the dict {entry.parameters_type}"
        else:
            continue
        for name in names:
            message = f"{kind} cannot have a field `{name}`"
            place = entry.query.place_of(name) or entry.query.place()
            cause = "a pydantic model has methods of its own and keeps names with a leading "
            cause += "underscore and `model_config` to itself"
            yield Finding("C108", "error", message, place, cause, "rename the parameter")


def _impossible(place: Place, message: str, fix: str, cause: str | None = None) -> Finding:
    return Finding("C119", "error", message, place, cause, fix)
