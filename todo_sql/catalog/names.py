"""How statements name the objects of a catalog. Pure."""

from __future__ import annotations

import re

from todo_sql.catalog.snapshot import Item


def literal(text: str) -> str:
    """Quote a string literal."""
    quoted = text.replace("'", "''")
    return f"E'{quoted}'".replace("\\", "\\\\") if "\\" in text else f"'{quoted}'"


def quoted(name: str) -> str:
    """Quote a name where it needs it (as quote_ident does, but for keywords)."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'


def role(name: str) -> str:
    """Return a role as statements write it: public and current_user are no names."""
    return name if name in ("public", "current_user") else quoted(name)


def table_of(item: Item) -> str:
    """Return the qualified name of the table (or view) that an item belongs to."""
    assert item.parent is not None
    for prefix in ("table ", "materialized view ", "view "):
        if item.parent.startswith(prefix):
            return item.parent.removeprefix(prefix)
    raise ValueError(item.parent)


def column_name(item: Item) -> str:
    """Return the quoted name of a column item."""
    return item.name[len(table_of(item)) + 1 :]


def target(item: Item) -> str:
    """Return an object as `alter`, `drop` and `comment on` name it."""
    form = item.attributes.get("form")
    if item.kind == "function":
        return f"{form} {item.name}"
    if item.kind == "table" and form == "foreign":
        return f"foreign table {item.name}"
    return item.key
