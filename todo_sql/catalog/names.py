"""How statements name the objects of a catalog. Pure."""

from __future__ import annotations

import re
from typing import Any

from todo_sql.catalog.item import Item

# What quote_ident quotes although it is lower case: pg_get_keywords() but for the unreserved.
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do
    else end except exists extract false fetch float for foreign freeze from full grant greatest
    group grouping having ilike in initially inner inout int integer intersect interval into is
    isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit
    localtime localtimestamp merge_action national natural nchar none normalize not notnull null
    nullif numeric offset on only or order out outer overlaps overlay placing position precision
    primary real references returning right row select session_user setof similar smallint some
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim
    true union unique user using values varchar variadic verbose when where window with
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """,
    )
)

BY_HAND = "-- by hand: "
"""Begins a line where no statement can be given."""

FIRING = {
    None: "enable",
    "enabled": "enable",
    "disabled": "disable",
    "replica": "enable replica",
    "always": "enable always",
}
"""How statements say when a trigger or a rule fires."""


def literal(text: str) -> str:
    """Quote a string literal."""
    quoted = text.replace("'", "''")
    return f"E'{quoted}'".replace("\\", "\\\\") if "\\" in text else f"'{quoted}'"


def block(body: str, declared: str = "") -> str:
    """Return a DO of statements, whatever names stand in them: a dollar could end the quotes."""
    text = f"{declared} begin {body} end "
    return f"do {literal(text) if '$' in text else f'$${text}$$'}"


def on_this_database(before: str, after: str) -> str:
    """Return a DO of a statement that names the database: the names around it are no code."""
    text = literal(" %I ".join(part.replace("%", "%%") for part in (before, after)))
    return block(f"execute format({text}, current_database());")


def quoted(name: str) -> str:
    """Quote a name where it needs it, as quote_ident does."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def dotted(*parts: str | None) -> str:
    """Return a qualified name of its parts, each quoted; those that are empty are left out."""
    return ".".join(quoted(part) for part in parts if part)


def relation_name(range_var: Any) -> str:
    """Return the name of a table as a statement's parse tree has it."""
    return dotted(range_var.schemaname, range_var.relname)


def plain(name: str) -> str:
    """Return a name that may be quoted as it is."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def role(name: str) -> str:
    """Return a role as statements write it: public and current_user are no names."""
    return name if name in ("public", "current_user") else quoted(name)


def table_of(item: Item) -> str:
    """Return the qualified name of the table (or view) that an item belongs to."""
    assert item.parent is not None
    for prefix in ("table ", "materialized view ", "view ", "domain "):
        if item.parent.startswith(prefix):
            return item.parent.removeprefix(prefix)
    raise ValueError(item.parent)


def split_name(name: str) -> tuple[str, str]:
    """Return schema and name of a qualified name, quoted as they are."""
    found = re.fullmatch(r'("(?:[^"]|"")*"|[^".]+)\.(.+)', name, re.DOTALL)
    assert found is not None
    return found[1], found[2]


def index_name(constraint: Item) -> str:
    """Return the qualified name of the index behind a constraint."""
    return f"{split_name(table_of(constraint))[0]}.{quoted(constraint['name'])}"


def column_name(item: Item) -> str:
    """Return the quoted name of a column item."""
    return item.name[len(table_of(item)) + 1 :]


def names(text: str | None) -> list[str]:
    """Return the qualified names of a list such as ``public.a, public."b, c"``."""
    return [name.strip() for name in re.findall(r'(?:"(?:[^"]|"")*"|[^",])+', text or "")]


def listed(text: str | None) -> list[str]:
    """Return the parts of a list such as ``select, insert``, in none of which a comma stands."""
    return text.split(", ") if text else []


def alter_holder(item: Item) -> str:
    """Return how a statement begins that changes a table or a domain by one of its parts."""
    kind = "domain" if (item.parent or "").startswith("domain ") else "table"
    return f"alter {kind} {table_of(item)}"


def options(given: dict[str, str | None] | None) -> str:
    """Return options of foreign objects as statements list them, without the secret ones."""
    return ", ".join(
        f"{quoted(name)} {literal(value)}"
        for name, value in sorted((given or {}).items())
        if value is not None
    )


def target(item: Item) -> str:
    """Return an object as `alter`, `drop` and `comment on` name it."""
    form = item.attributes.get("form")
    if item.kind == "function":
        return f"{form} {item.name}"
    if item.kind == "table" and form == "foreign":
        return f"foreign table {item.name}"
    return item.key
