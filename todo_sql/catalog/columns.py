"""The statements that make and change columns, and those that set options. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from todo_sql.catalog.belonging import twins_above
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import (
    BY_HAND,
    column_name,
    listed,
    options,
    plain,
    quoted,
    split_name,
    table_of,
)
from todo_sql.catalog.snapshot import Snapshot

Options = Mapping[str, str | None]


def column_definition(item: Item, snapshot: Snapshot, apart: Set[str] = frozenset()) -> str:
    """Return a column as `create table` and `add column` write it."""
    parts = [column_name(item), item["type"]]
    if item["foreign_options"]:
        parts.append(f"options ({options(item['foreign_options'])})")
    if item["collation"]:
        parts.append(f"collate {item['collation']}")
    if item["compression"]:
        parts.append(f"compression {item['compression']}")
    if item["generated"]:
        parts.append(f"generated always as ({item['default']}) {item['generated']}")
    elif item["identity"] and not _identity_of_parent(item, snapshot):
        parts.append(identity(item, snapshot))
    elif item["default"] is not None and f"default {item.name}" not in apart:
        parts.append(f"default {item['default']}")
    if item["not_null"] in ("yes", "no inherit"):
        if named := _chosen_name(item, snapshot):
            parts.append(f"constraint {named}")
        parts.append("not null" if item["not_null"] == "yes" else "not null no inherit")
    return " ".join(parts)


def sequence_options(item: Item) -> str:
    """Return a sequence's options where they are not the default ones."""
    ascending = item["increment"] > 0
    bits = {"smallint": 15, "integer": 31, "bigint": 63}[item["type"]]
    low, high = (1, 2**bits - 1) if ascending else (-(2**bits), -1)
    usual = {
        "increment": ("increment by", 1),
        "minimum": ("minvalue", low),
        "maximum": ("maxvalue", high),
        "start": ("start with", item["minimum" if ascending else "maximum"]),
        "cache": ("cache", 1),
    }
    said = [f"{word} {item[name]}" for name, (word, value) in usual.items() if item[name] != value]
    return " ".join([*said, "cycle"] if item["cycle"] else said)


def identity(column: Item, snapshot: Snapshot) -> str:
    """Return how a column counts by itself, with its sequence's options."""
    said = ""
    for sequence in snapshot.of("sequence", column.parent):
        if sequence["identity"] and sequence["owned_by"] == column.name:
            said = sequence_options(sequence)
            usual = f"{_bare(table_of(column))}_{column['name']}_seq"
            if _bare(sequence.name) != usual:
                said = f"sequence name {sequence.name} {said}".rstrip()
    return f"generated {column['identity']} as identity{said and f' ({said})'}"


def _identity_of_parent(column: Item, snapshot: Snapshot) -> bool:
    # From PostgreSQL 17 on a partition has the identity of its parent, once it is attached.
    if not snapshot.items[column.parent or ""].attributes.get("partition_bound"):
        return False
    parent = above(column, snapshot)
    return parent is not None and bool(parent["identity"])


def _bare(name: str) -> str:
    return plain(split_name(name)[1])


def set_default(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what gives a column the default that it has."""
    value = "drop default" if item["default"] is None else f"set default {item['default']}"
    yield f"{alter_column(item, snapshot)} {value}"


def alter_column(column: Item, snapshot: Snapshot) -> str:
    """Return how the statements begin that change one column, not those of children."""
    table = table_of(column)
    only = "only " if table in snapshot.parents else ""
    return f"alter table {only}{table} alter column {column_name(column)}"


def overridden(column: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    """Yield in what a child's column is not as the one that it inherits."""
    parent = above(column, snapshot) or column
    default = f"default {parent.name}"
    later = default in apart and column["default"] is not None
    settled = column["generated"] or f"default {column.name}" in apart
    if not settled and (later or column["default"] != parent["default"]):
        yield from set_default(column, snapshot)
    if column["not_null"] == "yes" and parent["not_null"] != "yes":
        yield from set_not_null(column, snapshot)
    differing = [name for name in ("storage", "compression") if column[name] != parent[name]]
    yield from _tune(column, snapshot, (*differing, *_given(column, "statistics", "options")))


def above(column: Item, snapshot: Snapshot) -> Item | None:
    """Return the column of a parent that one of a child or a partition continues."""
    found = map(snapshot.items.get, twins_above(column, snapshot))
    return next((item for item in found if item is not None), None)


def usual_name(column: Item) -> str:
    """Return how PostgreSQL calls the NOT NULL of a column where nobody else is called so."""
    return quoted(f"{_bare(table_of(column))}_{column['name']}_not_null")


def _chosen_name(column: Item, snapshot: Snapshot) -> str | None:
    """Return the name to be written of a NOT NULL: not the usual one, or another's, too.

    So it is after ``create table … (like … including all)``, which copies the names.
    """
    named: str | None = column["not_null_name"]
    if named is None and (usual := usual_name(column)) in snapshot.not_null_names:
        return usual
    return named


def set_not_null(column: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what forbids nulls in a column, or new ones, under the name that it has."""
    alter, name = f"alter table {table_of(column)}", column_name(column)
    named = _chosen_name(column, snapshot)
    later = " not valid" if column["not_null"] == "not valid" else ""
    if named or later:
        said = f"constraint {named} " if named else ""
        yield f"{alter} add {said}not null {name}{later}"
    else:
        yield f"{alter} alter column {name} set not null"


def column_settings(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what a column definition cannot say."""
    yield from _tune(item, snapshot, _given(item, "storage", "statistics", "options"))
    if item["not_null"] == "not valid":
        yield from set_not_null(item, snapshot)


def _given(item: Item, *attributes: str) -> list[str]:
    return [name for name in attributes if item[name] not in (None, "")]


def _tune(
    item: Item, snapshot: Snapshot, attributes: Iterable[str], old: str | None = None
) -> Iterator[str]:
    """Yield what sets how a column is stored and sampled; `old` are the options that it has."""
    alter = alter_column(item, snapshot)
    for name in attributes:
        value = item[name]
        if name == "options":
            yield from set_options(alter, old, value)
        elif name == "statistics":
            yield f"{alter} set statistics {-1 if value is None else value}"
        elif name == "compression":
            yield f"{alter} set compression {value or 'default'}"
        elif value or snapshot.version >= 160000:
            yield f"{alter} set storage {value or 'default'}"
        else:  # PostgreSQL 15 has no word for what the type has by default
            main = str(item["type"]).startswith(("numeric", "inet", "cidr"))
            yield f"{alter} set storage {'main' if main else 'extended'}"


def add_column(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    """Yield what adds a column to a table that is there."""
    if item.parent is None or not item.parent.startswith("table "):
        return
    foreign = "foreign " if snapshot.items[item.parent]["form"] == "foreign" else ""
    definition = column_definition(item, snapshot, apart)
    yield f"alter {foreign}table {table_of(item)} add column {definition}"
    yield from column_settings(item, snapshot)


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
    continues = kind == "table" and above(new, after) is not None
    if continues and (new["inherited"] or after.items[new.parent or ""]["partition_bound"]):
        allowed = changed - _OF_PARENT  # the parent's statement reaches it
    order = _COLUMN_ORDER if new["identity"] is None else _TO_IDENTITY
    return [
        text
        for name in sorted(changed & allowed, key=order.index)
        for text in _column(name, old, new, before, after)
    ]


def not_null_name(column: Item, snapshot: Snapshot) -> str:
    """Return the name of a NOT NULL, which a child has from its parent and keeps without it."""
    named: str | None = column["not_null_name"]
    parent = above(column, snapshot)
    if named is None and parent is not None and parent["not_null"]:
        return not_null_name(parent, snapshot)
    return named or usual_name(column)


def rename_not_nulls(table: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Yield what gives those that a table had from another their own names, where it is free."""
    for old in before.of("column", table.key):
        new = after.items.get(old.key)
        if new is None or above(new, after) is not None or before.version < 180000:
            continue
        found, wanted = not_null_name(old, before), not_null_name(new, after)
        kept = old["not_null"] and new["not_null"] and old["not_null_name"] == new["not_null_name"]
        if kept and found != wanted:
            yield f"alter table {table.name} rename constraint {found} to {wanted}"


# What a column has from its parent's for as long as it has one.
_OF_PARENT = {"type", "collation", "identity", "generated", "not_null_name", "position"}

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
    "position",
)
# A column that counts by itself has neither a default nor nulls before, and its last type.
_TO_IDENTITY = (*(name for name in _COLUMN_ORDER if name != "identity"), "identity")


def _column(name: str, old: Item, new: Item, before: Snapshot, after: Snapshot) -> Iterator[str]:
    alter = alter_column(new, after)
    both = alter.replace(" only ", " ", 1)  # what children cannot have for themselves
    value = new[name]
    match name:
        case "type" | "collation" if name == "type" or old["type"] == new["type"]:
            yield from _type(both, old, new, before, after)
        case "default" if new["generated"]:
            yield f"{both} set expression as ({value})"
        case "default":
            yield from set_default(new, after)
        case "not_null":
            yield from _not_null(both, old, new, before, after)
        case "not_null_name" if old["not_null"] and new["not_null"] == old["not_null"]:
            found, wanted = not_null_name(old, before), value or usual_name(new)
            if found != wanted:
                yield f"alter table {table_of(new)} rename constraint {found} to {wanted}"
        case "identity" if value is None:
            yield f"{both} drop identity"
        case "identity" if old["identity"] is None:
            yield f"{both} add {identity(new, after)}"
        case "identity":
            yield f"{both} set generated {value}"
        case "generated":
            yield f"{both} drop expression"
        case "storage" | "compression" | "statistics" | "options":
            yield from _tune(new, after, [name], old["options"])
        case "foreign_options":
            foreign = both.replace("table", "foreign table", 1)
            yield from set_foreign_options(foreign, new, old[name], value)
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
        yield from set_default(new, after)


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
    if value:
        yield from set_not_null(new, after)


def set_options(alter: str, old: str | None, new: str | None, prefix: str = "") -> Iterator[str]:
    """Yield what changes storage parameters."""
    before, after = listed(old), listed(new)
    kept = [option.split("=")[0] for option in after]
    gone = [part for part in (option.split("=")[0] for option in before) if part not in kept]
    if gone:
        yield f"{alter} reset ({', '.join(prefix + part for part in gone)})"
    added = [option for option in after if option not in before]
    if added:
        yield f"{alter} set ({', '.join(prefix + option for option in added)})"


def set_foreign_options(
    alter: str, item: Item, old: Options | None, new: Options | None
) -> Iterator[str]:
    """Yield what changes the options of a foreign object."""
    before, after = old or {}, new or {}
    parts = [f"drop {quoted(key)}" for key in sorted(before.keys() - after.keys())]
    for key in sorted(after):
        said = options({key: after[key]})
        if not said and key not in before:
            yield f"{BY_HAND}set the option {key} of {item.name}: its value is not read"
        elif said and before.get(key) != after[key]:
            parts.append(f"{'set' if key in before else 'add'} {said}")
    if parts:
        yield f"{alter} options ({', '.join(parts)})"


def set_storing(alter: str, name: str, old: Item, new: Item) -> Iterator[str]:
    """Yield what changes where and how rows are stored."""
    if name == "options":
        yield from set_options(alter, old[name], new[name])
    else:
        usual = "pg_default" if name == "tablespace" else "heap"
        yield f"{alter} set {name.replace('_', ' ')} {quoted(new[name] or usual)}"
