"""Result models that several queries share: they agree column by column. Pure.

Names and types must be the same. A column that one of the queries may return as NULL may
be NULL in the model, and so for each of them.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from pydantic import BaseModel

from todo_sql.compiler.described import Described, DescribedColumn, NestedModel, RowModel
from todo_sql.errors import Finding

_SHOWN = 3


def agree(described: Iterable[Described]) -> tuple[list[Described], list[Finding]]:
    """Return the queries with the columns that their models will have, and disagreements."""
    described = list(described)
    sharing: dict[str, list[tuple[Described, RowModel]]] = defaultdict(list)
    findings = []
    for entry in described:
        if entry.model is not None:
            findings += _unusable_names(entry)
            for model in entry.row_models:
                sharing[model.name].append((entry, model))
    for (first, shared), *others in sharing.values():
        findings += [
            _disagreement(entry, model, first, shared)
            for entry, model in others
            if _shape(model) != _shape(shared)
        ]
    nullable = {
        name: {field.name for _, model in users for field in model.fields if field.nullable}
        for name, users in sharing.items()
    }
    return [_with_nulls(entry, nullable) for entry in described], findings


def _with_nulls(entry: Described, nullable: dict[str, set[str]]) -> Described:
    called = {one.path: nullable.get(one.name, set()) for one in entry.row_models}

    def column(one: DescribedColumn) -> DescribedColumn:
        path, _, last = one.name.rpartition(".") if entry.nested else ("", "", one.name)
        if last not in called.get(path, ()):
            return one
        return replace(one, inside=True) if path else replace(one, nullable=True)

    def model(one: NestedModel) -> NestedModel:
        path, _, last = one.path.rpartition(".")
        return replace(one, optional=one.optional or last in called[path])

    columns = tuple(map(column, entry.columns))
    return replace(entry, columns=columns, nested=tuple(map(model, entry.nested)))


def _shape(model: RowModel) -> dict[str, str]:
    return {field.name: field.python.text for field in model.fields}


def _disagreement(entry: Described, model: RowModel, first: Described, shared: RowModel) -> Finding:
    mine, theirs = _shape(model), _shape(shared)
    differences = [
        f"{name}: {mine.get(name, 'missing')} here, {theirs.get(name, 'missing')} there"
        for name in dict.fromkeys([*mine, *theirs])
        if mine.get(name) != theirs.get(name)
    ]
    message = f"`{entry.query.name}` and `{first.query.name}` disagree on {model.name}"
    fix = "select the same columns, override one with `-- column:`, or name another model"
    fix += f": -- model: {model.path} -> Name" if model.path else ""
    return Finding("C107", "error", message, entry.query.place(), "; ".join(differences), fix)


def alike(described: Iterable[Described]) -> list[Finding]:
    """Return a hint for each group of unnamed models that hold the same columns."""
    groups: dict[tuple[tuple[str, str], ...], list[Described]] = defaultdict(list)
    for entry in described:
        if entry.model and not entry.query.model and "C129" not in entry.query.allow:
            groups[tuple((one.name, one.annotation.text) for one in entry.columns)].append(entry)
    cause = "each has a model of its own, and a function that takes one refuses the others"
    found = []
    for first, *others in groups.values():
        if others:
            names = ", ".join(f"`{one.query.name}`" for one in others[:_SHOWN])
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            message = f"`{first.query.name}` returns the same columns as {names}{more}"
            fix = "write one `-> Model` in their headers"
            found.append(Finding("C129", "info", message, first.query.place(), cause, fix))
    return found


def misnamed(described: Iterable[Described]) -> list[Finding]:
    """Return what is wrong with the types of the configuration in the generated package.

    There, a name is one class only; and one that begins with a dot is of a query's model.
    """
    described = list(described)
    models = {one.name for entry in described for one in entry.row_models} | {
        name for entry in described for name in (entry.query.params_model, entry.parameters_type)
    }
    found: dict[tuple[str, str], Finding] = {}
    for entry in described:
        for one in (*entry.columns, *entry.parameters):
            for module, name in sorted(one.python.imports if one.python.mapped else ()):
                if (module == ".models") != (name in models):
                    found.setdefault((module, name), _misnamed(entry, one.name, module, name))
    return list(found.values())


def _misnamed(entry: Described, item: str, module: str, name: str) -> Finding:
    message = f"`{module}.{name}` and a model of the queries have one name"
    fix = f'rename one of them, or refer to the model: ".models.{name}"'
    if module == ".models":
        message = f"the configuration names a model {name}, which no query has"
        fix = f"correct it there, or write `-> {name}` in the header of a query"
    cause = f"[tool.todo-sql.types] gives this type to `{item}` of `{entry.query.name}`"
    return Finding("C117", "error", message, entry.query.place(), cause, fix)


def _unusable_names(entry: Described) -> list[Finding]:
    names = [column.name for column in entry.columns]
    cause = "the columns of a row become the fields of a pydantic model, which cannot have two of "
    cause += "one name, nor a keyword of Python, nor a name of its own or with a leading _"
    found = []
    for index, name in enumerate(names):
        repeated = name in names[:index]
        parts = name.split(".") if entry.nested else [name]
        if repeated or not all(map(is_field, parts)):
            how = "repeats the name" if repeated else "is named"
            message = f"column {index + 1} of `{entry.query.name}` {how} `{name}`"
            place = entry.query.place()
            found.append(Finding("C108", "error", message, place, cause, "name it with `as`"))
    return found


def is_field(name: str) -> bool:
    """Whether a pydantic model may have a field of this name."""
    usual = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    same = unicodedata.normalize("NFKC", name) == name  # Python's parser makes it so
    return usual and same and not hasattr(BaseModel, name)
