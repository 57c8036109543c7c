"""The statements that make columns, also those that a table has from its parents. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Set

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import column_name, names, options, plain, quoted, split_name, table_of
from todo_sql.catalog.snapshot import Snapshot


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
    said = []
    if item["increment"] != 1:
        said.append(f"increment by {item['increment']}")
    if item["minimum"] != low:
        said.append(f"minvalue {item['minimum']}")
    if item["maximum"] != high:
        said.append(f"maxvalue {item['maximum']}")
    if item["start"] != (item["minimum"] if ascending else item["maximum"]):
        said.append(f"start with {item['start']}")
    if item["cache"] != 1:
        said.append(f"cache {item['cache']}")
    if item["cycle"]:
        said.append("cycle")
    return " ".join(said)


def identity(column: Item, snapshot: Snapshot) -> str:
    """Return how a column counts by itself, with its sequence's options."""
    return f"generated {column['identity']} as identity{_identity_options(column, snapshot)}"


def _identity_options(column: Item, snapshot: Snapshot) -> str:
    for sequence in snapshot.of("sequence", column.parent):
        if sequence["identity"] and sequence["owned_by"] == column.name:
            said = sequence_options(sequence)
            usual = f"{_bare(table_of(column))}_{column['name']}_seq"
            if _bare(sequence.name) != usual:
                said = f"sequence name {sequence.name} {said}".rstrip()
            return f" ({said})" if said else ""
    return ""


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
    if column["storage"] != parent["storage"]:
        value = column["storage"] or default_storage(column, snapshot)
        yield f"{alter_column(column, snapshot)} set storage {value}"
    if column["compression"] != parent["compression"]:
        value = column["compression"] or "default"
        yield f"{alter_column(column, snapshot)} set compression {value}"
    yield from _tuning(column, snapshot)


def above(column: Item, snapshot: Snapshot) -> Item | None:
    """Return the column of a parent that one of a child or a partition continues."""
    table = snapshot.items[column.parent or ""]
    for name in names(table["inherits"]):
        found = snapshot.items.get(f"column {name}.{column_name(column)}")
        if found is not None:
            return found
    return None


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
    """Yield what makes a column not null, under the name that it has."""
    if named := _chosen_name(column, snapshot):
        yield (
            f"alter table {table_of(column)} add constraint {named} not null {column_name(column)}"
        )
    else:
        yield f"alter table {table_of(column)} alter column {column_name(column)} set not null"


def default_storage(column: Item, snapshot: Snapshot) -> str:
    """Return how to name the storage that a type has by default: PostgreSQL 15 has no word."""
    if snapshot.version >= 160000:
        return "default"
    return "main" if str(column["type"]).startswith(("numeric", "inet", "cidr")) else "extended"


def column_settings(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what a column definition cannot say."""
    if item["storage"]:
        yield f"{alter_column(item, snapshot)} set storage {item['storage']}"
    yield from _tuning(item, snapshot)
    if item["not_null"] == "not valid":
        yield from not_valid(item, snapshot)


def not_valid(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what forbids new nulls in a column that may hold some."""
    named = _chosen_name(item, snapshot)
    said = f"constraint {named} " if named else ""
    yield f"alter table {table_of(item)} add {said}not null {column_name(item)} not valid"


def _tuning(item: Item, snapshot: Snapshot) -> Iterator[str]:
    if item["statistics"] is not None:
        yield f"{alter_column(item, snapshot)} set statistics {item['statistics']}"
    if item["options"]:
        yield f"{alter_column(item, snapshot)} set ({item['options']})"


def add_column(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    """Yield what adds a column to a table that is there."""
    if item.parent is None or not item.parent.startswith("table "):
        return
    foreign = "foreign " if snapshot.items[item.parent]["form"] == "foreign" else ""
    definition = column_definition(item, snapshot, apart)
    yield f"alter {foreign}table {table_of(item)} add column {definition}"
    yield from column_settings(item, snapshot)
