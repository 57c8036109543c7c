"""The statements that make one object of a catalog, as a schema dump writes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.catalog.names import column_name, literal, quoted, role, table_of, target
from todo_sql.catalog.privileges import default_privilege, grant
from todo_sql.catalog.snapshot import Item, Snapshot

BY_HAND = "-- by hand: "
"""Begins a line where no statement can be given."""

_FIRING = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}


def create(item: Item, snapshot: Snapshot) -> list[str]:
    """Return the statements that make `item`, without what other items of `snapshot` make.

    A table comes with its columns and its constraints except foreign keys; indexes, triggers,
    policies, grants and comments are items of their own.
    """
    maker = _MAKERS.get(item.kind)
    if maker is None:
        return [f"{BY_HAND}make {item.key}"]
    made = list(maker(item, snapshot))
    return made + list(_owner(item))


def column_definition(item: Item, snapshot: Snapshot) -> str:
    """Return a column as `create table` and `add column` write it."""
    parts = [column_name(item), item["type"]]
    if item["collation"]:
        parts.append(f"collate {item['collation']}")
    if item["compression"]:
        parts.append(f"compression {item['compression']}")
    if item["generated"]:
        parts.append(f"generated always as ({item['default']}) {item['generated']}")
    elif item["identity"] and not _identity_of_parent(item, snapshot):
        parts.append(f"generated {item['identity']} as identity{_identity_options(item, snapshot)}")
    elif item["default"] is not None:
        parts.append(f"default {item['default']}")
    if item["not_null"] in ("yes", "no inherit"):
        parts.append("not null" if item["not_null"] == "yes" else "not null no inherit")
    return " ".join(parts)


def sequence_options(item: Item) -> str:
    """Return a sequence's options where they are not the default ones."""
    ascending = item["increment"] > 0
    bits = {"smallint": 15, "integer": 31, "bigint": 63}[item["type"]]
    low, high = (1, 2**bits - 1) if ascending else (-(2**bits), -1)
    options = []
    if item["increment"] != 1:
        options.append(f"increment by {item['increment']}")
    if item["minimum"] != low:
        options.append(f"minvalue {item['minimum']}")
    if item["maximum"] != high:
        options.append(f"maxvalue {item['maximum']}")
    if item["start"] != (item["minimum"] if ascending else item["maximum"]):
        options.append(f"start with {item['start']}")
    if item["cache"] != 1:
        options.append(f"cache {item['cache']}")
    if item["cycle"]:
        options.append("cycle")
    return " ".join(options)


def _identity_options(column: Item, snapshot: Snapshot) -> str:
    for sequence in snapshot.of("sequence", column.parent):
        if sequence["identity"] and sequence["owned_by"] == column.name:
            options = sequence_options(sequence)
            usual = f"{_bare(table_of(column))}_{column['name']}_seq"
            if _bare(sequence.name) != usual:
                options = f"sequence name {sequence.name} {options}".rstrip()
            return f" ({options})" if options else ""
    return ""


def _identity_of_parent(column: Item, snapshot: Snapshot) -> bool:
    # From PostgreSQL 17 on a partition has the identity of its parent, once it is attached.
    assert column.parent is not None
    table = snapshot.items[column.parent]
    if not table.attributes.get("partition_bound"):
        return False
    of = snapshot.items.get(f"column {table['inherits']}.{quoted(column['name'])}")
    return of is not None and bool(of["identity"])


def _bare(name: str) -> str:
    return name.rsplit(".", 1)[-1].strip('"')


def _owner(item: Item) -> Iterator[str]:
    owner = item.attributes.get("owner")
    if owner is None or owner == "current_user" or item.kind == "default_privilege":
        return
    if item.kind == "sequence" and item["owned_by"]:
        return  # the same as its table's
    yield f"alter {target(item)} owner to {role(owner)}"


def _schema(item: Item, _: Snapshot) -> Iterator[str]:
    if item.name != "public":
        yield f"create schema {item.name}"


def _extension(item: Item, _: Snapshot) -> Iterator[str]:
    if item.name != "plpgsql":
        yield f"create extension if not exists {item.name} with schema {item['schema']}"


def _type(item: Item, _: Snapshot) -> Iterator[str]:
    word = {"enum": "enum ", "composite": "", "range": "range "}.get(item["form"])
    if word is None:
        yield f"{BY_HAND}make base type {item.name}"
    else:
        yield f"create type {item.name} as {word}({item['definition'] or ''})"


def _domain(item: Item, _: Snapshot) -> Iterator[str]:
    parts = [f"create domain {item.name} as {item['type']}"]
    if item["collation"]:
        parts.append(f"collate {item['collation']}")
    if item["default"] is not None:
        parts.append(f"default {item['default']}")
    if item["not_null"]:
        parts.append("not null")
    if item["constraints"]:
        parts.append(item["constraints"])
    yield " ".join(parts)


def _function(item: Item, _: Snapshot) -> Iterator[str]:
    if item["form"] == "aggregate":
        options = [
            option
            for option in item["definition"].split(", ")
            if not option.endswith(("finalfunc = -", "initcond = NULL", "sortop = 0"))
        ]
        yield f"create aggregate {item.name} ({', '.join(options)})"
    else:
        yield item["definition"].rstrip()


def _sequence(item: Item, _: Snapshot) -> Iterator[str]:
    if item["identity"]:
        return
    unlogged = "unlogged " if item["persistence"] == "unlogged" else ""
    as_type = f" as {item['type']}" if item["type"] != "bigint" else ""
    yield f"create {unlogged}sequence {item.name}{as_type} {sequence_options(item)}".rstrip()


def _table(item: Item, snapshot: Snapshot) -> Iterator[str]:
    parts = [
        column_definition(column, snapshot)
        for column in snapshot.of("column", item.key)
        if not column["inherited"]
    ]
    parts += [
        f"constraint {quoted(constraint['name'])} {constraint['definition']}"
        for constraint in snapshot.of("constraint", item.key)
        if in_table(constraint)
    ]
    word = {"foreign": "foreign ", "plain": "", "partitioned": ""}[item["form"]]
    if item["persistence"] == "unlogged":
        word += "unlogged "
    text = f"create {word}table {item.name} (\n    " + ",\n    ".join(parts) + "\n)"
    if not parts:
        text = f"create {word}table {item.name} ()"
    if item["inherits"] and not item["partition_bound"]:
        text += f"\ninherits ({item['inherits']})"
    if item["partition_by"]:
        text += f"\npartition by {item['partition_by']}"
    if item["server"]:
        text += f"\nserver {quoted(item['server'])}"
    if item["options"]:
        text += f"\nwith ({item['options']})"
    yield text
    if item["toast_options"]:
        options = ", ".join(f"toast.{option}" for option in item["toast_options"].split(", "))
        yield f"alter table {item.name} set ({options})"
    if item["row_security"]:
        yield f"alter table {item.name} enable row level security"
    if item["force_row_security"]:
        yield f"alter table {item.name} force row level security"
    if item["replica_identity"] in ("full", "nothing"):
        yield f"alter table {item.name} replica identity {item['replica_identity']}"
    for column in snapshot.of("column", item.key):
        yield from column_settings(column)


def in_table(constraint: Item) -> bool:
    """Return whether `create table` writes a constraint.

    Foreign keys come after all tables; a constraint that is not valid would be valid there.
    """
    return (
        constraint["form"] != "foreign key"
        and not constraint["inherited"]
        and bool(constraint["validated"])
    )


def column_settings(item: Item) -> Iterator[str]:
    """Yield what a column definition cannot say."""
    alter = f"alter table {table_of(item)} alter column {column_name(item)}"
    if item["storage"]:
        yield f"{alter} set storage {item['storage']}"
    if item["statistics"] is not None:
        yield f"{alter} set statistics {item['statistics']}"
    if item["options"]:
        yield f"{alter} set ({item['options']})"
    if item["not_null"] == "not valid":
        yield f"alter table {table_of(item)} add not null {column_name(item)} not valid"


def _column(item: Item, snapshot: Snapshot) -> Iterator[str]:
    if item.parent is None or not item.parent.startswith("table "):
        return
    yield f"alter table {table_of(item)} add column {column_definition(item, snapshot)}"
    yield from column_settings(item)


def _constraint(item: Item, _: Snapshot) -> Iterator[str]:
    yield (
        f"alter table {table_of(item)} add constraint {quoted(item['name'])} {item['definition']}"
    )
    if item["triggers"]:
        yield f"{BY_HAND}triggers of {item.key} are {item['triggers']}"


def _index(item: Item, _: Snapshot) -> Iterator[str]:
    if item["constraint"] is None:
        yield item["definition"]
    elif item["options"]:
        yield f"alter index {item.name} set ({item['options']})"
    if item["clustered"]:
        yield f"alter table {table_of(item)} cluster on {quoted(item['name'])}"
    if item["replica_identity"]:
        yield f"alter table {table_of(item)} replica identity using index {quoted(item['name'])}"
    for entry in (item["statistics"] or "").split(", "):
        if entry:
            number, amount = entry.split(": ")
            yield f"alter index {item.name} alter column {number} set statistics {amount}"


def _statistics(item: Item, _: Snapshot) -> Iterator[str]:
    yield item["definition"]
    if item["target"] is not None:
        yield f"alter statistics {item.name} set statistics {item['target']}"


def _view(item: Item, _: Snapshot) -> Iterator[str]:
    word = "view" if item.kind == "view" else "materialized view"
    options = f" with ({item['options']})" if item["options"] else ""
    definition = item["definition"].rstrip().removesuffix(";")
    empty = "\nwith no data" if item.attributes.get("populated") is False else ""
    yield f"create {word} {item.name}{options} as\n{definition}{empty}"


def _trigger(item: Item, _: Snapshot) -> Iterator[str]:
    if not item["of_partition"]:
        yield item["definition"]
    if item["enabled"] != "enabled":
        yield (
            f"alter table {table_of(item)} {_FIRING[item['enabled']]} trigger "
            f"{quoted(item['name'])}"
        )


def _rule(item: Item, _: Snapshot) -> Iterator[str]:
    yield item["definition"].rstrip().removesuffix(";")
    if item["enabled"] != "enabled":
        yield f"alter table {table_of(item)} {_FIRING[item['enabled']]} rule {quoted(item['name'])}"


def _policy(item: Item, _: Snapshot) -> Iterator[str]:
    text = f"create policy {quoted(item['name'])} on {table_of(item)}"
    if not item["permissive"]:
        text += " as restrictive"
    text += f" for {item['command']} to {item['roles']}"
    if item["using"] is not None:
        text += f"\nusing ({item['using']})"
    if item["check"] is not None:
        text += f"\nwith check ({item['check']})"
    yield text


def _event_trigger(item: Item, _: Snapshot) -> Iterator[str]:
    tags = ""
    if item["tags"]:
        tags = f" when tag in ({', '.join(literal(tag) for tag in item['tags'].split(', '))})"
    yield (
        f"create event trigger {item.name} on {item['event']}{tags} "
        f"execute function {item['function']}"
    )
    if item["enabled"] != "enabled":
        yield f"alter event trigger {item.name} {_FIRING[item['enabled']]}"


def _publication(item: Item, _: Snapshot) -> Iterator[str]:
    tables = f" for table {item['tables']}" if item["tables"] else ""
    root = ", publish_via_partition_root = true" if item["via_root"] else ""
    yield (
        f"create publication {item.name}{' for all tables' if item['all_tables'] else tables} "
        f"with (publish = '{item['publish']}'{root})"
    )


def _comment(item: Item, _: Snapshot) -> Iterator[str]:
    yield f"comment on {item.name} is {literal(item['comment'])}"


def _database_setting(item: Item, _: Snapshot) -> Iterator[str]:
    name, _, value = item["setting"].partition("=")
    yield (
        f"do $$ begin execute format('alter database %I set {name} = {value!r}', "
        "current_database()); end $$"
    )


_MAKERS = {
    "schema": _schema,
    "extension": _extension,
    "type": _type,
    "domain": _domain,
    "function": _function,
    "sequence": _sequence,
    "table": _table,
    "column": _column,
    "constraint": _constraint,
    "index": _index,
    "statistics": _statistics,
    "view": _view,
    "materialized_view": _view,
    "trigger": _trigger,
    "rule": _rule,
    "policy": _policy,
    "event_trigger": _event_trigger,
    "publication": _publication,
    "comment": _comment,
    "grant": grant,
    "default_privilege": default_privilege,
    "database_setting": _database_setting,
}
