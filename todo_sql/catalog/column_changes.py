"""The statements that change a column, or the options of anything. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Set

from todo_sql.catalog import columns as ddl
from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, options, quoted, table_of
from todo_sql.catalog.snapshot import Snapshot


def change_column(
    old: Item, new: Item, changed: Set[str], before: Snapshot, after: Snapshot
) -> list[str] | None:
    """Return what turns a column into `new`, without what comes with a parent or a view.

    None where it has to be dropped and made again.
    """
    if "generated" in changed and (new["generated"] or old["generated"] == "virtual"):
        return None
    if new["generated"] and "default" in changed and after.version < 170000:
        return None
    kind = (new.parent or "").split(" ")[0]
    allowed = {
        "view": {"default"},
        "materialized": {"storage", "compression", "statistics", "options"},
    }.get(kind, changed)
    if kind == "table" and _from_above(new, after):  # the parent's statement reaches it
        allowed = changed - _OF_PARENT
    order = _COLUMN_ORDER if new["identity"] is None else _TO_IDENTITY
    return [
        text
        for name in sorted(changed & allowed, key=order.index)
        for text in _column(name, old, new, before, after)
    ]


def _from_above(column: Item, snapshot: Snapshot) -> bool:
    table = snapshot.items[column.parent or ""]
    return bool(column["inherited"] or table["partition_bound"]) and (
        ddl.above(column, snapshot) is not None
    )


def not_null_name(column: Item, snapshot: Snapshot) -> str:
    """Return the name of a NOT NULL, which a child has from its parent and keeps without it."""
    named: str | None = column["not_null_name"]
    above = ddl.above(column, snapshot)
    if named is None and above is not None and above["not_null"]:
        return not_null_name(above, snapshot)
    return named or ddl.usual_name(column)


def rename_not_nulls(table: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Yield what gives those that a table had from another their own names, where it is free."""
    for old in before.of("column", table.key):
        new = after.items.get(old.key)
        if new is None or ddl.above(new, after) is not None or before.version < 180000:
            continue
        found, wanted = not_null_name(old, before), not_null_name(new, after)
        kept = old["not_null"] and new["not_null"] and old["not_null_name"] == new["not_null_name"]
        if kept and found != wanted:
            yield f"alter table {table.name} rename constraint {found} to {wanted}"


# What a column has from its parent's for as long as it has one.
_OF_PARENT = {
    "type",
    "collation",
    "identity",
    "generated",
    "not_null_name",
    "position",
    "inherited",
}

_COLUMN_ORDER = (
    "name",
    "identity",
    "generated",
    "type",
    "collation",
    "default",
    "not_null",
    "not_null_name",
    "storage",
    "compression",
    "statistics",
    "options",
    "foreign_options",
    "inherited",
    "position",
)
# A column that counts by itself has neither a default nor nulls before, and its last type.
_TO_IDENTITY = (*(name for name in _COLUMN_ORDER if name != "identity"), "identity")


def _column(name: str, old: Item, new: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    alter = ddl.alter_column(new, after)
    both = alter.replace(" only ", " ", 1)  # what children cannot have for themselves
    value = new[name]
    match name:
        case "type" | "collation" if name == "type" or old["type"] == new["type"]:
            yield from _type(both, old, new, before, after)
        case "default" if new["generated"]:
            yield f"{both} set expression as ({value})"
        case "default":
            yield from ddl.set_default(new, after)
        case "not_null":
            yield from _not_null(both, old, new, before, after)
        case "not_null_name" if old["not_null"] and new["not_null"] == old["not_null"]:
            found, wanted = not_null_name(old, before), value or ddl.usual_name(new)
            if found != wanted:
                yield f"alter table {table_of(new)} rename constraint {found} to {wanted}"
        case "identity" if value is None:
            yield f"{both} drop identity"
        case "identity" if old["identity"] is None:
            yield f"{both} add {ddl.identity(new, after)}"
        case "identity":
            yield f"{both} set generated {value}"
        case "generated":
            yield f"{both} drop expression"
        case "storage":
            yield f"{alter} set storage {value or ddl.default_storage(new, after)}"
        case "compression":
            yield f"{alter} set compression {value or 'default'}"
        case "statistics":
            yield f"{alter} set statistics {-1 if value is None else value}"
        case "options":
            yield from set_options(alter, old, new)
        case "foreign_options":
            yield from set_foreign_options(
                f"alter foreign table {table_of(new)} alter column {column_name(new)}", old, new
            )
        case "position":
            yield f"{BY_HAND}no statement moves {new.name} from place {old[name]} to {value}"


def _type(alter: str, old: Item, new: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    collate = f" collate {new['collation']}" if new["collation"] else ""
    moved = old["default"] is not None and not old["generated"]
    if moved:
        yield f"{alter} drop default"
    using = "" if new["generated"] else f" using {_cast(old, new, before, after)}"
    yield f"{alter} type {new['type']}{collate}{using}"
    if moved and old["default"] == new["default"]:
        yield from ddl.set_default(new, after)


def _cast(old: Item, new: Item, before: Snapshot, after: Snapshot) -> str:
    """Return what makes a column's values those of another type: by their text where no cast is."""
    was, wanted = _base(old["type"], before), _base(new["type"], after)
    apart = was.endswith("[]") != wanted.endswith("[]") or any(
        f"type {kind.removesuffix('[]')}" in side.items
        for kind, side in ((was, before), (wanted, after))
    )
    own = (f"cast ({was} AS ", f" AS {wanted})")
    cast = any(one.name.startswith(own[0]) or own[1] in one.name for one in after.of("other"))
    by_text = apart and not cast and not was.startswith(("text", "character varying"))
    return f"{column_name(new)}::{'text::' if by_text else ''}{new['type']}"


def _base(name: str, snapshot: Snapshot) -> str:
    """Return the type that a domain stands on."""
    while f"domain {name}" in snapshot.items:
        name = snapshot.items[f"domain {name}"]["type"]
    return name


def _not_null(alter: str, old: Item, new: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    was, value = old["not_null"], new["not_null"]
    if was == "not valid" and value == "yes":
        name = not_null_name(old, before)
        yield f"alter table {table_of(new)} validate constraint {name}"
        return
    if was:
        yield f"{alter} drop not null"
    if value == "not valid":
        yield from ddl.not_valid(new, after)
    elif value:
        yield from ddl.set_not_null(new, after)


def set_options(
    alter: str, old: Item, new: Item, name: str = "options", prefix: str = ""
) -> Iterator[str]:
    """Yield what changes storage parameters."""
    before = [option for option in (old[name] or "").split(", ") if option]
    after = [option for option in (new[name] or "").split(", ") if option]
    names = {option.split("=")[0] for option in after}
    gone = [part for part in (option.split("=")[0] for option in before) if part not in names]
    if gone:
        yield f"{alter} reset ({', '.join(prefix + part for part in gone)})"
    added = [option for option in after if option not in before]
    if added:
        yield f"{alter} set ({', '.join(prefix + option for option in added)})"


def set_foreign_options(
    alter: str, old: Item, new: Item, name: str = "foreign_options"
) -> Iterator[str]:
    """Yield what changes the options of a foreign object."""
    before, after = old[name] or {}, new[name] or {}
    parts = [f"drop {quoted(key)}" for key in sorted(before.keys() - after.keys())]
    for key in sorted(after):
        said = options({key: after[key]})
        if not said and key not in before:
            yield f"{BY_HAND}set the option {key} of {new.name}: its value is not read"
        elif said and before.get(key) != after[key]:
            parts.append(f"{'set' if key in before else 'add'} {said}")
    if parts:
        yield f"{alter} options ({', '.join(parts)})"


def set_storing(alter: str, name: str, old: Item, new: Item) -> Iterator[str]:
    """Yield what changes where and how rows are stored."""
    if name == "options":
        yield from set_options(alter, old, new)
    else:
        usual = "pg_default" if name == "tablespace" else "heap"
        yield f"{alter} set {name.replace('_', ' ')} {quoted(new[name] or usual)}"
