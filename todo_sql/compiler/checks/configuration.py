"""C118: what [tool.todo-sql.types] names and is not there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from todo_sql.compiler.described import Described
from todo_sql.compiler.schema import Schema
from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.queries.mistakes import did_you_mean
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import Source


def unmatched(
    config: Config,
    queries: Iterable[NamedQuery],
    described: Iterable[Described],
    schema: Schema,
) -> list[Finding]:
    """Return a finding for each key that is no column, parameter or type.

    Args:
        queries: All of the project; of those that could not be described nothing is said.
        described: The other ones.
    """
    if not config.types:
        return []
    columns: dict[str, set[str]] = defaultdict(set)
    for relation in schema.relations.values():
        columns[relation.shown] |= relation.column_names
    known = set()
    for entry in described:
        known.add(entry.query.name)
        for owner in filter(None, (entry.query.name, entry.query.model)):
            columns[owner] |= {one.name for one in (*entry.columns, *entry.parameters)}
        for model in entry.row_models:
            columns[model.name] |= {one.name for one in model.fields}
    unknown = {
        owner
        for query in queries
        if query.name not in known
        for owner in (query.name, query.model, *(one.model for one in query.models.values()))
    }
    types = {
        name for one in schema.types.values() for name in (one.shown, f"{one.schema}.{one.name}")
    }
    found = []
    for key in config.types:
        owner, _, column = key.rpartition(".")
        theirs = columns.get(owner, set())
        halves = [(key[:at], key[at + 1 :]) for at, one in enumerate(key) if one == "."]
        is_known = any(own in unknown or name in columns.get(own, ()) for own, name in halves)
        if key in types or is_known:  # what follows a dot may hold one, too
            continue
        names = [f"{owner}.{one}" for one in theirs]
        names = names or [f"{one}.{column}" for one, own in columns.items() if column in own]
        cause = "no type, table, query or model has this name"
        fix = did_you_mean(key, names, "correct the name, or remove the line")
        if theirs:
            cause = f"`{owner}` has no column or parameter `{column}`"
        elif other := schema.type_named(key):
            cause, fix = "a type goes by its whole name here", f"write `{other.shown}`"
        message = f"[tool.todo-sql.types] names `{key}`, which does not exist"
        source = Source.read(config.file, config.root)
        line = re.search(rf"^[ \t]*([\"']?){re.escape(key)}\1[ \t]*=", source.text, re.MULTILINE)
        place = source.place(*line.span()) if line else Place(source.file, 1)
        found.append(Finding("C118", "warning", message, place, cause, fix))
    return found
