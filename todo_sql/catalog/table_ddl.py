"""The statements that make a table with its constraints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import replace

from todo_sql.catalog import columns
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import (
    BY_HAND,
    FIRING,
    block,
    listed,
    literal,
    names,
    options,
    quoted,
    table_of,
)
from todo_sql.catalog.snapshot import Snapshot


def constraints_of(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    """Yield the constraints that the statement which makes a table or domain writes."""
    for constraint in snapshot.of("constraint", item.key):
        if in_table(constraint, snapshot) and constraint.key not in apart:
            yield f"constraint {quoted(constraint['name'])} {constraint['definition']}"


# What no clause says.
_LATER = ("of_type", "toast_options", "row_security", "force_row_security", "replica_identity")


def make_table(item: Item, snapshot: Snapshot, apart: Set[str]) -> Iterator[str]:
    """Yield what makes a table with its columns, and with what its columns are set to."""
    found = list(snapshot.of("column", item.key))
    inherits = names(None if item["partition_bound"] else item["inherits"])
    # A child all of whose columns are its own was made before it inherited, in its own order.
    begotten = any(column["inherited"] for column in found) or not found
    parts = [
        columns.column_definition(column, snapshot, apart)
        for column in found
        if not column["inherited"]
    ]
    parts += constraints_of(item, snapshot, apart)
    yield _created(item, parts, item["inherits"] if inherits and begotten else None)
    if not begotten:
        yield from (f"alter table {item.name} inherit {name}" for name in inherits)
    bare = replace(item, attributes=dict.fromkeys(item.attributes))
    for name in _LATER:
        yield from set_table(name, bare, item) if item[name] else ()
    for column in found:
        if column["inherited"]:
            yield from columns.overridden(column, snapshot, apart)
            continue
        parent = columns.above(column, snapshot)
        if inherits and begotten and parent and parent["default"] and column["default"] is None:
            yield from columns.set_default(column, snapshot)
        yield from columns.column_settings(column, snapshot)


def _created(item: Item, parts: list[str], inherits: str | None) -> str:
    word = "foreign " if item["form"] == "foreign" else ""
    if item["persistence"] == "unlogged":
        word += "unlogged "
    text = f"create {word}table {item.name} ("
    text += "\n    " + ",\n    ".join(parts) + "\n)" if parts else ")"
    method = item["access_method"]
    clauses = {
        "inherits ({})": inherits,
        "partition by {}": item["partition_by"],
        "using {}": quoted(method) if method not in (None, "heap") else None,
        "server {}": item["server"] and quoted(item["server"]),
        "options ({})": item["foreign_options"] and options(item["foreign_options"]),
        "with ({})": item["options"],
        "tablespace {}": item["tablespace"] and quoted(item["tablespace"]),
    }
    return "\n".join([text, *(words.format(said) for words, said in clauses.items() if said)])


def set_table(name: str, old: Item, new: Item) -> Iterator[str]:
    """Yield what gives a table another value of one attribute."""
    alter = f"alter table {new.name}"
    value = new[name]
    match name:
        case "row_security":
            yield f"{alter} {'enable' if value else 'disable'} row level security"
        case "force_row_security":
            yield f"{alter} {'' if value else 'no '}force row level security"
        case "persistence":
            yield f"{alter} set {value}"
        case "options" | "toast_options":
            prefix = "toast." if name == "toast_options" else ""
            yield from columns.set_options(alter, old[name], value, prefix)
        case "replica_identity":
            if value != "index":  # else said with the index
                yield f"{alter} replica identity {value or 'default'}"
        case "partition_bound":
            if old[name] is not None:
                yield f"alter table {old['inherits']} detach partition {new.name}"
            if value is not None:
                yield f"alter table {new['inherits']} attach partition {new.name} {value}"
        case "inherits" if old["partition_bound"] or new["partition_bound"]:
            pass  # said with the bound
        case "inherits":
            gone, added = names(old[name]), names(value)
            yield from (f"{alter} no inherit {one}" for one in gone if one not in added)
            yield from (f"{alter} inherit {one}" for one in added if one not in gone)
        case "tablespace" | "access_method":
            yield from columns.set_storing(alter, name, old, new)
        case "of_type":
            yield f"{alter} of {value}" if value else f"{alter} not of"
        case "foreign_options":
            yield from columns.set_foreign_options(
                f"alter foreign table {new.name}", new, old[name], value
            )
        case "detach_pending":
            if old[name] and not value:
                yield f"alter table {new['inherits']} detach partition {new.name} finalize"
        case _:
            yield f"{BY_HAND}{name.replace('_', ' ')} of {new.key} is {old[name]}, not {value}"


def in_table(constraint: Item, snapshot: Snapshot) -> bool:
    """Return whether the statement that makes a table or domain writes a constraint.

    Foreign keys come after all tables; a constraint that is not valid would be valid there;
    the keys of partitions are bound to their parents' when both are there.
    """
    if constraint["form"] == "foreign key" or constraint["inherited"]:
        return False
    table = snapshot.items[constraint.parent or ""].attributes
    parted = table.get("partition_by") or table.get("partition_bound")
    if constraint["form"] != "check" and (parted or _twin_before(constraint, snapshot)):
        return False
    return bool(constraint["validated"])


def _twin_before(constraint: Item, snapshot: Snapshot) -> bool:
    """Return whether an earlier key is the same: CREATE TABLE would make one of both."""
    twins = [
        (item["form"] != "primary key", item.key)
        for item in snapshot.of("constraint", constraint.parent)
        if item["form"] in ("primary key", "unique", "exclude")
        and _KEY_WORD.sub("", item["definition"]) == _KEY_WORD.sub("", constraint["definition"])
    ]
    return min(twins, default=None) != (constraint["form"] != "primary key", constraint.key)


_KEY_WORD = re.compile(r"^(?:PRIMARY KEY|UNIQUE)\b")


def add_constraint(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what adds a constraint to the table or domain that is there."""
    named = f"add constraint {quoted(item['name'])} {item['definition']}"
    if (item.parent or "").startswith("domain "):
        yield f"alter domain {table_of(item)} {named}"
        return
    table = snapshot.items[item.parent or ""]
    parted = table["partition_by"] and item["form"] not in ("foreign key", "check")
    yield f"alter table {'only ' if parted else ''}{table.name} {named}"
    if item["triggers"]:
        yield fire(item)


def fire(constraint: Item) -> str:
    """Return what turns the triggers of a constraint on or off, as the constraint has them.

    They are told apart by their functions: those of a foreign key stand on both its tables.
    """
    states = [state.split() for state in listed(constraint["triggers"])]
    cases = "".join(f" when {literal(name)} then '{FIRING[state]}'" for name, state in states)
    verb = f"case p.proname{cases} else 'enable' end" if cases else "'enable'"
    return block(
        f"for t in select g.tgrelid::regclass as name, g.tgname, {verb} as verb"
        " from pg_catalog.pg_trigger as g inner join pg_catalog.pg_constraint as k"
        " on k.oid = g.tgconstraint inner join pg_catalog.pg_proc as p on p.oid = g.tgfoid"
        f" where k.conrelid = {literal(table_of(constraint))}::regclass"
        f" and k.conname = {literal(constraint['name'])} loop"
        " execute format('alter table %s %s trigger %I', t.name, t.verb, t.tgname);"
        " end loop;",
        declared=" declare t record;",
    )
