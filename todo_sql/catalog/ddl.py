"""The statements that make one object of a catalog, as a schema dump writes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from todo_sql.catalog import columns
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import BY_HAND as BY_HAND
from todo_sql.catalog.names import (
    FIRING,
    column_name,
    dotted,
    listed,
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
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.table_ddl import add_constraint, constraints_of, make_table

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
    made = list(_MAKERS.get(item.kind, _defined)(item, snapshot, apart))
    if item.attributes.get("enabled", "enabled") != "enabled":
        made.append(fire(item, snapshot))
    return made + list(give(item))


def _defined(item: Item, *_: object) -> Iterator[str]:
    """Yield what makes an object that is little more than its definition."""
    match item.kind:
        case "schema":
            if item.name != "public":
                yield f"create schema {item.name}"
        case "extension":
            if item.name != "plpgsql":
                yield f"create extension if not exists {item.name} with schema {item['schema']}"
        case "type":
            word = {"enum": "as enum ", "composite": "as ", "range": "as range "}
            body = f" {word.get(item['form'], '')}({item['definition'] or ''})"
            yield f"create type {item.name}{'' if item['form'] == 'shell' else body}"
        case "function":
            yield define(item)
        case "sequence":
            if not item["identity"]:
                unlogged = "unlogged " if item["persistence"] == "unlogged" else ""
                kind = f" as {item['type']}" if item["type"] != "bigint" else ""
                said = columns.sequence_options(item)
                yield f"create {unlogged}sequence {item.name}{kind} {said}".rstrip()
        case "statistics":
            yield item["definition"]
            if item["target"] is not None:
                yield f"alter statistics {item.name} set statistics {item['target']}"
        case "trigger":
            if not item["of_partition"]:
                yield item["definition"]
        case "rule":
            yield item["definition"].rstrip().removesuffix(";")
        case "publication":
            what = "for all tables" if item["all_tables"] else published(item)
            said = f"{what and what + ' '}with ({publication_options(item)})"
            yield f"create publication {item.name} {said}"
        case "comment":
            yield f"comment on {item.name} is {literal(item['comment'])}"
        case _:
            yield f"{BY_HAND}make {item.key}"


def give(item: Item) -> Iterator[str]:
    """Yield the statement that gives an object to its owner, if there is one."""
    owner = item.attributes.get("owner")
    if owner is None or owner == "current_user" or item.kind == "default_privilege":
        return
    if item.kind == "sequence" and item["identity"]:
        return  # the same as its table's
    yield f"alter {target(item)} owner to {role(owner)}"


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


def define(function: Item) -> str:
    """Return what makes a function, or replaces one of the same shape."""
    text: str = function["definition"]
    is_aggregate = function["form"] == "aggregate"
    return f"create aggregate {function.name} ({text})" if is_aggregate else text.rstrip()


def _index(item: Item, *_: object) -> Iterator[str]:
    names = ["tablespace", "clustered", "replica_identity", "statistics"]
    if item["constraint"] is None:
        yield item["definition"]
    else:
        names.insert(0, "options")
    for name in names:
        yield from set_index(name, None, item) if item[name] else ()


def set_index(name: str, old: Item | None, new: Item) -> Iterator[str]:
    """Yield what gives an index another value of one attribute."""
    alter, value = f"alter index {new.name}", new[name]
    before = None if old is None else old[name]
    match name:
        case "options":
            yield from columns.set_options(alter, before, value)
        case "tablespace":
            yield f"{alter} set tablespace {quoted(value or 'pg_default')}"
        case "clustered":
            on = f"cluster on {quoted(new['name'])}" if value else "set without cluster"
            yield f"alter table {table_of(new)} {on}"
        case "replica_identity" if value:  # else its table says what is
            index = quoted(new["name"])
            yield f"alter table {table_of(new)} replica identity using index {index}"
        case "statistics":
            were, amounts = (
                dict(one.split(": ") for one in listed(side)) for side in (before, value)
            )
            for number, amount in (dict.fromkeys(were, "-1") | amounts).items():
                yield f"{alter} alter column {number} set statistics {amount}"
        case "valid" if value:
            yield f"reindex index concurrently {new.name}"


def _view(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    found = list(snapshot.of("column", item.key))
    if f"query {item.key}" in apart:  # for now, what others can refer to
        parts = [
            f"null::{column['type']}"
            + (f" collate {column['collation']}" if column["collation"] else "")
            + f" as {column_name(column)}"
            for column in found
        ]
        yield f"create view {item.name} as select\n    " + ",\n    ".join(parts)
    else:
        yield _query(item, "create")
    for column in found:
        if column["default"] is not None and f"default {column.name}" not in apart:
            yield from columns.set_default(column, snapshot)
        if item.kind == "materialized_view":
            yield from columns.column_settings(column, snapshot)


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


def finish(part: str, item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what begins or finishes an object that is made in steps: see `steps`."""
    match part:
        case "shell":  # announces a type to the functions that will define it
            yield f"create type {item.name}"
        case "default":
            yield from columns.set_default(item, snapshot)
        case "query":
            yield _query(item, "create or replace")
        case "owned":
            yield f"alter sequence {item.name} owned by {item['owned_by']}"
        case "refresh":
            yield f"refresh materialized view {item.name}"
        case "attach" if item.kind == "index":
            yield f"alter index {item['partition_of']} attach partition {item.name}"
        case "attach":
            partition = f"{item.name} {item['partition_bound']}"
            yield f"alter table {item['inherits']} attach partition {partition}"


def fire(item: Item, snapshot: Snapshot) -> str:
    """Return what sets when a trigger or a rule fires, without those of partitions."""
    verb = FIRING[item["enabled"]]
    if item.kind == "event_trigger":
        return f"alter event trigger {item.name} {verb}"
    only = "only " if item.kind == "trigger" and table_of(item) in snapshot.parents else ""
    return f"alter table {only}{table_of(item)} {verb} {item.kind} {quoted(item['name'])}"


def _policy(item: Item, *_: object) -> Iterator[str]:
    text = f"create policy {quoted(item['name'])} on {table_of(item)}"
    if not item["permissive"]:
        text += " as restrictive"
    text += f" for {item['command']} to {item['roles']}"
    if item["using"] is not None:
        text += f"\nusing ({item['using']})"
    if item["check"] is not None:
        text += f"\nwith check ({item['check']})"
    yield text


def _event_trigger(item: Item, *_: object) -> Iterator[str]:
    tags = ""
    if item["tags"]:
        tags = f" when tag in ({', '.join(map(literal, listed(item['tags'])))})"
    what = f"{item['event']}{tags} execute function {item['function']}"
    yield f"create event trigger {item.name} on {what}"


def published(item: Item) -> str:
    """Return what a publication is for, as `create publication` says it; may be empty."""
    parts = [part for part in (item["tables"], item["schemas"]) if part]
    return f"for {', '.join(parts)}" if parts else ""


def publication_options(item: Item, changed: Set[str] = frozenset()) -> str:
    """Return a publication's options as statements list them: all, or those that changed."""
    said = [f"publish = '{item['publish']}'"]
    if item["via_root"] or changed:
        said.append(f"publish_via_partition_root = {'true' if item['via_root'] else 'false'}")
    if "generated_columns" in changed or (item["generated_columns"] and not changed):
        said.append(f"publish_generated_columns = {item['generated_columns'] or 'none'}")
    return ", ".join(said)


def _other(item: Item, *_: object) -> Iterator[str]:
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


# Settings whose value is a list of names, each quoted by itself.
_LISTS = ("search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries")


def assigned(name: str, value: str) -> str:
    """Return what follows `set`: a setting and its value, as `pg_db_role_setting` has it."""
    text = literal(value)
    if name in _LISTS:
        text = ", ".join(literal(plain(one)) for one in names(value)) or "''"
    return f"{dotted(*name.split('.'))} = {text}"


def _database_setting(item: Item, *_: object) -> Iterator[str]:
    yield database_setting(item, f"set {assigned(item['name'], item['value'])}")


def database_setting(item: Item, change: str) -> str:
    """Return the statement that changes a setting of the database, or of a role in it."""
    who = f"role {role(item['grantee'])} in " if item["grantee"] else ""
    return on_this_database(f"alter {who}database", change)


def grants(
    item: Item, granted: str | None, revoked: str | None, snapshot: Snapshot
) -> Iterator[str]:
    """Yield the grant and revoke statements for lists of privileges on a grant's object."""
    column, on = "", item["target"]
    if on.startswith("column "):
        owner = snapshot.items.get(on)
        if owner is None:
            return
        column, on = f" ({column_name(owner)})", f"table {table_of(owner)}"
    on = on.removeprefix("table ")
    for verb, privileges, end in _verbs(granted, revoked, item):
        what = ", ".join(privilege + column for privilege in privileges)
        if on == "database":
            yield on_this_database(f"{verb} {what} on database", end)
        else:
            yield f"{verb} {what} on {on} {end}"


def _default_privilege(item: Item, *_: object) -> Iterator[str]:
    head = "alter default privileges"
    if item["owner"] != "current_user":
        head += f" for role {role(item['owner'])}"
    if item["schema"]:
        head += f" in schema {item['schema']}"
    for verb, privileges, end in _verbs(item["granted"], item["revoked"], item):
        yield f"{head} {verb} {', '.join(privileges)} on {item['target']} {end}"


def _verbs(
    granted: str | None, revoked: str | None, item: Item
) -> Iterator[tuple[str, list[str], str]]:
    """Yield each verb that is needed, its privileges, and how its statement ends."""
    passing, who = " with grant option", role(item["grantee"])
    given = listed(granted)
    taken = [part.removesuffix(passing) for part in listed(revoked)]
    plain = [part for part in given if not part.endswith(passing)]
    passed = [part.removesuffix(passing) for part in given if part.endswith(passing)]
    for verb, privileges, end in (
        ("revoke", taken, f"from {who}"),
        ("grant", plain, f"to {who}"),
        ("grant", passed, f"to {who}{passing}"),
    ):
        if privileges:
            yield verb, privileges, end


# Of each kind what makes it, but for those that are little more than their definition.
_MAKERS: dict[str, Callable[[Item, Snapshot, Set[str]], Iterator[str]]] = {
    "table": make_table,
    "domain": _domain,
    "view": _view,
    "materialized_view": _view,
    "column": columns.add_column,
    "constraint": lambda item, snapshot, _: add_constraint(item, snapshot),
    "grant": lambda item, snapshot, _: grants(item, item["granted"], item["revoked"], snapshot),
    "default_privilege": _default_privilege,
    "index": _index,
    "policy": _policy,
    "event_trigger": _event_trigger,
    "other": _other,
    "database_setting": _database_setting,
}
