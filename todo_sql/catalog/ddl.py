"""The statements that make one object of a catalog, as a schema dump writes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from todo_sql.catalog.columns import add_column, column_settings, sequence_options, set_default
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import (
    FIRING,
    column_name,
    literal,
    names,
    on_this_database,
    options,
    plain,
    quoted,
    role,
    table_of,
    target,
)
from todo_sql.catalog.privileges import default_privilege, grant
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.table_ddl import add_constraint, constraints_of, make_table

BY_HAND = "-- by hand: "
"""Begins a line where no statement can be given."""
_AGAIN = f"{BY_HAND}make "


def again(item: Item, why: str) -> str:
    """Return what is said in place of the statements that would lose rows."""
    return f"{_AGAIN}{item.key} again, with what belongs to it: {why}"


def later(item: Item, user: str) -> str:
    """Return what is said in place of a drop that has to wait for a step by hand."""
    return f"{BY_HAND}drop {item.key}, once {user} does not stand on it"


def is_again(statement: str) -> bool:
    """Whether a statement is what `again` says."""
    return statement.startswith(_AGAIN)


def create(item: Item, snapshot: Snapshot, apart: Set[str] = frozenset()) -> list[str]:
    """Return the statements that make `item`, without what other items of `snapshot` make.

    A table comes with its columns and its constraints except foreign keys; indexes, triggers,
    policies, grants and comments are items of their own.

    Args:
        item: The object.
        snapshot: What it belongs to.
        apart: Keys of parts that statements of their own make later: see `steps`.
    """
    match item.kind:
        case "table":
            made = list(make_table(item, snapshot, apart))
        case "domain":
            made = list(_domain(item, snapshot, apart))
        case "view" | "materialized_view":
            made = list(_view(item, snapshot, apart))
        case "column":
            made = list(add_column(item, snapshot, apart))
        case kind:
            maker = _MAKERS.get(kind)
            made = [f"{BY_HAND}make {item.key}"] if maker is None else list(maker(item, snapshot))
    return made + list(give(item))


def give(item: Item) -> Iterator[str]:
    """Yield the statement that gives an object to its owner, if there is one."""
    owner = item.attributes.get("owner")
    if owner is None or owner == "current_user" or item.kind == "default_privilege":
        return
    if item.kind == "sequence" and item["identity"]:
        return  # the same as its table's
    yield f"alter {target(item)} owner to {role(owner)}"


def _schema(item: Item, _: Snapshot) -> Iterator[str]:
    if item.name != "public":
        yield f"create schema {item.name}"


def _extension(item: Item, _: Snapshot) -> Iterator[str]:
    if item.name != "plpgsql":
        yield f"create extension if not exists {item.name} with schema {item['schema']}"


def _type(item: Item, _: Snapshot) -> Iterator[str]:
    word = {"enum": "as enum ", "composite": "as ", "range": "as range "}.get(item["form"], "")
    body = "" if item["form"] == "shell" else f" {word}({item['definition'] or ''})"
    yield f"create type {item.name}{body}"


def shell(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield what announces a type to the functions that will define it."""
    yield f"create type {item.name}"


def _domain(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    parts = [f"create domain {item.name} as {item['type']}"]
    if item["collation"]:
        parts.append(f"collate {item['collation']}")
    if item["default"] is not None:
        parts.append(f"default {item['default']}")
    if item["not_null"]:
        parts.append("not null")
    parts += constraints_of(item, snapshot, apart)
    yield " ".join(parts)


def _function(item: Item, _: Snapshot) -> Iterator[str]:
    yield from define(item)


def define(item: Item) -> Iterator[str]:
    """Yield what makes a function, or replaces one of the same shape."""
    if item["form"] == "aggregate":
        yield f"create aggregate {item.name} ({item['definition']})"
    else:
        yield item["definition"].rstrip()


def _sequence(item: Item, _: Snapshot) -> Iterator[str]:
    if item["identity"]:
        return
    unlogged = "unlogged " if item["persistence"] == "unlogged" else ""
    as_type = f" as {item['type']}" if item["type"] != "bigint" else ""
    yield f"create {unlogged}sequence {item.name}{as_type} {sequence_options(item)}".rstrip()


def own(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield what ties a sequence to its column."""
    yield f"alter sequence {item.name} owned by {item['owned_by']}"


def attach(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield what makes a table or an index the partition that it is."""
    if item.kind == "index":
        yield f"alter index {item['partition_of']} attach partition {item.name}"
    else:
        yield (
            f"alter table {item['inherits']} attach partition {item.name} {item['partition_bound']}"
        )


def _index(item: Item, _: Snapshot) -> Iterator[str]:
    if item["constraint"] is None:
        yield item["definition"]
    elif item["options"]:
        yield f"alter index {item.name} set ({item['options']})"
    if item["tablespace"]:
        yield f"alter index {item.name} set tablespace {quoted(item['tablespace'])}"
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


def _view(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    columns = list(snapshot.of("column", item.key))
    if f"query {item.key}" in apart:  # for now, what others can refer to
        parts = [
            f"null::{column['type']}"
            + (f" collate {column['collation']}" if column["collation"] else "")
            + f" as {column_name(column)}"
            for column in columns
        ]
        yield f"create view {item.name} as select\n    " + ",\n    ".join(parts)
    else:
        yield _query(item, "create")
    for column in columns:
        if column["default"] is not None and f"default {column.name}" not in apart:
            yield from set_default(column, snapshot)
        if item.kind == "materialized_view":
            yield from column_settings(column, snapshot)


def set_query(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield what gives a view the query that it has."""
    yield _query(item, "create or replace")


def _query(item: Item, verb: str) -> str:
    text = f"{verb} {item.kind.replace('_', ' ')} {item.name}"
    if item.attributes.get("access_method") not in (None, "heap"):
        text += f" using {quoted(item['access_method'])}"
    if item["options"]:
        text += f" with ({item['options']})"
    if item.attributes.get("tablespace"):
        text += f" tablespace {quoted(item['tablespace'])}"
    text += f" as\n{item['definition'].rstrip().removesuffix(';')}"
    return text if item.kind == "view" else f"{text}\nwith no data"


def refresh(item: Item, _: Snapshot) -> Iterator[str]:
    """Yield what fills a materialized view."""
    yield f"refresh materialized view {item.name}"


def _trigger(item: Item, snapshot: Snapshot) -> Iterator[str]:
    if not item["of_partition"]:
        yield item["definition"]
    if item["enabled"] != "enabled":
        yield fire_trigger(item, snapshot)


def fire_trigger(item: Item, snapshot: Snapshot) -> str:
    """Return what sets when a trigger fires, without those of partitions."""
    only = "only " if table_of(item) in snapshot.parents else ""
    verb = FIRING[item["enabled"]]
    return f"alter table {only}{table_of(item)} {verb} trigger {quoted(item['name'])}"


def _rule(item: Item, _: Snapshot) -> Iterator[str]:
    yield item["definition"].rstrip().removesuffix(";")
    if item["enabled"] != "enabled":
        yield f"alter table {table_of(item)} {FIRING[item['enabled']]} rule {quoted(item['name'])}"


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
        yield f"alter event trigger {item.name} {FIRING[item['enabled']]}"


def _publication(item: Item, _: Snapshot) -> Iterator[str]:
    what = "for all tables" if item["all_tables"] else published(item)
    yield (
        f"create publication {item.name} {what and what + ' '}with ({publication_options(item)})"
    )


def published(item: Item) -> str:
    """Return what a publication is for, as `create publication` says it; may be empty."""
    parts = [part for part in (item["tables"], item["schemas"]) if part]
    return f"for {', '.join(parts)}" if parts else ""


def publication_options(item: Item) -> str:
    """Return a publication's options as statements list them."""
    said = [f"publish = '{item['publish']}'"]
    if item["via_root"]:
        said.append("publish_via_partition_root = true")
    if item["generated_columns"]:
        said.append(f"publish_generated_columns = {item['generated_columns']}")
    return ", ".join(said)


def _other(item: Item, _: Snapshot) -> Iterator[str]:
    text = f"create {item.name}" if item["definition"] == "create" else item["definition"]
    if item["version"]:
        text = text.replace(" foreign data", f" version {literal(item['version'])} foreign data", 1)
    said = options(item["options"])
    yield f"{text} options ({said})" if said else text
    for name, value in sorted((item["options"] or {}).items()):
        if value is None:
            yield f"{BY_HAND}set the option {name} of {item.name}: its value is not read"
    for token, dictionaries in sorted((item["mappings"] or {}).items()):
        yield f"alter {item.name} add mapping for {token} with {dictionaries}"


def _comment(item: Item, _: Snapshot) -> Iterator[str]:
    yield f"comment on {item.name} is {literal(item['comment'])}"


# Settings whose value is a list of names, each quoted by itself.
_LISTS = ("search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries")


def _database_setting(item: Item, _: Snapshot) -> Iterator[str]:
    value = item["value"]
    if item["name"] in _LISTS:
        value = ", ".join(literal(plain(name)) for name in names(value)) or "''"
    else:
        value = literal(value)
    yield database_setting(item, f"set {item['name']} = {value}")


def database_setting(item: Item, change: str) -> str:
    """Return the statement that changes a setting of the database, or of a role in it."""
    who = f"role {role(item['grantee'])} in " if item["grantee"] else ""
    return on_this_database(f"alter {who}database", change)


_MAKERS: dict[str, Callable[[Item, Snapshot], Iterator[str]]] = {
    "schema": _schema,
    "extension": _extension,
    "type": _type,
    "function": _function,
    "sequence": _sequence,
    "constraint": add_constraint,
    "index": _index,
    "statistics": _statistics,
    "trigger": _trigger,
    "rule": _rule,
    "policy": _policy,
    "event_trigger": _event_trigger,
    "publication": _publication,
    "other": _other,
    "comment": _comment,
    "grant": grant,
    "default_privilege": default_privilege,
    "database_setting": _database_setting,
}
