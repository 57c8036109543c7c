"""The statements that drop an object, or turn it into what it is in another catalog. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from todo_sql.catalog import ddl
from todo_sql.catalog.columns import (
    change_column,
    set_foreign_options,
    set_options,
    set_storing,
)
from todo_sql.catalog.ddl import BY_HAND, again, create, grants
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import (
    alter_holder,
    column_name,
    dotted,
    listed,
    literal,
    quoted,
    role,
    table_of,
)
from todo_sql.catalog.names import target as named
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.table_ddl import fire, set_table


def drop(item: Item, snapshot: Snapshot) -> Iterator[str]:
    """Yield what drops an object; nothing where it goes with another one."""
    match item.kind:
        case "column":
            if item.parent and item.parent.startswith("table "):
                yield f"alter table {table_of(item)} drop column {column_name(item)}"
        case "constraint":
            if not (item["of_partition"] or item["inherited"]):
                yield f"{alter_holder(item)} drop constraint {quoted(item['name'])}"
        case "index":
            if item["constraint"] is None and item["partition_of"] is None:
                yield f"drop index {item.name}"
        case "policy" | "rule" | "trigger":
            if not item.attributes.get("of_partition"):
                yield f"drop {item.kind} {quoted(item['name'])} on {table_of(item)}"
        case "sequence":
            if not item["identity"]:  # that one goes with its column
                yield f"drop sequence {item.name}"
        case "grant":
            yield from grants(item, item["revoked"], item["granted"], snapshot)
        case "default_privilege":
            swapped = {**item.attributes, "granted": item["revoked"], "revoked": item["granted"]}
            yield from create(Item(item.kind, item.name, item.parent, swapped), snapshot)
        case "comment":
            yield f"comment on {item.name} is null"
        case "database_setting":
            yield ddl.database_setting(item, f"reset {dotted(*item['name'].split('.'))}")
        case "security_label":
            yield f"{BY_HAND}drop {item.key}"
        case _:
            yield f"drop {named(item)}"


def change(
    old: Item, new: Item, changed: Set[str], before: Snapshot, after: Snapshot
) -> list[str] | None:
    """Return what turns `old` into `new`; None where it has to be dropped and made again."""
    made = []
    changed = set(changed)
    if "owner" in changed and new.kind != "default_privilege":
        changed.remove("owner")
        if not (new.kind == "sequence" and (new["identity"] or new["owned_by"])):
            made.append(f"alter {named(new)} owner to {role(new['owner'])}")
    if not changed:
        return made
    rest = _change(old, new, changed, before, after)
    return None if rest is None else made + rest


_OF_PARTITION = ("constraint", "index", "trigger")


def bound_changes(part: Item, before: Snapshot, after: Snapshot) -> str | None:
    """Return whether the table of a part is ``attached`` to another, or ``detached``."""
    sides = (side.items.get(part.parent or "") for side in (before, after))
    was, wanted = (bool(table and table.attributes.get("partition_bound")) for table in sides)
    return None if was == wanted else "attached" if wanted else "detached"


def let_go(part: Item, before: Snapshot, after: Snapshot) -> bool:
    """Whether a constraint was a partition's, and stays with the table once that is detached."""
    return part.kind == "constraint" and bound_changes(part, before, after) == "detached"


def _change(
    old: Item, new: Item, changed: Set[str], before: Snapshot, after: Snapshot
) -> list[str] | None:
    moved = bound_changes(new, before, after)
    if moved and changed <= {"of_partition", "partition_of"} and new.kind in _OF_PARTITION:
        if new.kind == "trigger":  # a partition has its parent's, and loses them again
            return list(drop(old, before) if moved == "attached" else create(new, after))
        if new.kind == "constraint" or moved == "detached":
            return []
    match new.kind:
        case "column":
            return change_column(old, new, changed, before, after)
        case "table":
            if old["form"] == "foreign" and changed & {"form", "server"}:
                return None  # it holds no rows
            if changed & {"form", "partition_by"}:
                return [again(new, "it holds rows")]
            order = sorted(changed, key=lambda name: (name != "of_type" or bool(new[name]), name))
            return [text for name in order for text in set_table(name, old, new)]
        case "grant":
            return list(change_grant(old, new, after))
        case "comment" | "database_setting":
            return create(new, after)
        case "trigger" | "rule" | "event_trigger" if changed == {"enabled"}:
            return [ddl.fire(new, after)]
        case "function" if _replaceable(old, new):
            return [ddl.define(new)]
        case "view" | "materialized_view":
            return _view(old, new, changed, before, after)
        case "sequence":
            return change_sequence(old, new)
        case "index":
            return _index(old, new, changed)
        case "constraint":
            return _constraint(old, new, changed)
        case "default_privilege":
            return [*drop(old, before), *create(new, after)]
        case _:
            return _change_rarer(old, new, changed)


def _change_rarer(old: Item, new: Item, changed: Set[str]) -> list[str] | None:
    match new.kind:
        case "type" if old["form"] == new["form"] == "enum":
            return _enum(old, new)
        case "type" if old["form"] == new["form"] == "composite":
            return _composite(old, new)
        case "domain" if changed <= {"not_null", "default"}:
            return list(_domain(new, changed))
        case "statistics" if changed == {"target"}:
            amount = -1 if new["target"] is None else new["target"]
            return [f"alter statistics {new.name} set statistics {amount}"]
        case "publication" if "all_tables" not in changed:
            return _publication(old, new, changed)
        case "extension":
            to = {"schema": f"set schema {new['schema']}"}
            to["version"] = f"update to {literal(new['version'])}"
            return [f"alter extension {new.name} {to[name]}" for name in sorted(changed)]
        case "other" if changed <= {"options", "version", "mappings"}:
            return list(_other(old, new))
        case "security_label":
            return [f"{BY_HAND}label {new.key}"]
        case _:
            return None


def _view(
    old: Item, new: Item, changed: Set[str], before: Snapshot, after: Snapshot
) -> list[str] | None:
    if changed == {"options"}:
        return list(set_options(f"alter {named(new)}", old["options"], new["options"]))
    if new.kind == "view":
        shape = _shape(old, before)
        same = _shape(new, after)[: len(shape)] == shape
        return list(ddl.finish("query", new, after)) if same else None
    if changed <= {"options", "tablespace", "access_method"}:
        alter = f"alter materialized view {new.name}"
        return [text for name in sorted(changed) for text in set_storing(alter, name, old, new)]
    return None


def _constraint(old: Item, new: Item, changed: Set[str]) -> list[str] | None:
    name = quoted(new["name"])
    if changed == {"triggers"}:
        return [fire(new)]
    if (old["of_partition"] and new["of_partition"]) or new["inherited"]:
        return []  # it changes with its parent's
    newly = new["validated"] and not old["validated"]
    same = old["definition"].removesuffix(" NOT VALID") == new["definition"]
    if newly and same and changed <= {"validated", "definition"}:
        return [f"{alter_holder(new)} validate constraint {name}"]
    if changed == {"definition"} and _defers(old) == _defers(new):
        words = new["definition"][len(_defers(new)) :] or " NOT DEFERRABLE"
        return [f"alter table {table_of(new)} alter constraint {name}{words.lower()}"]
    return None


def _replaceable(old: Item, new: Item) -> bool:
    """Whether `create or replace` takes the change: names, types and defaults are the same."""
    if "aggregate" in (old["form"], new["form"]) or old["returns"] != new["returns"]:
        return False
    lines = (item["definition"].split("\n", 1)[0] for item in (old, new))
    return old["form"] == new["form"] and len(set(lines)) == 1


def _shape(view: Item, snapshot: Snapshot) -> list[tuple[object, ...]]:
    return [
        (column["name"], column["type"], column["collation"])
        for column in snapshot.of("column", view.key)
    ]


def _defers(constraint: Item) -> str:
    """Return a foreign key's definition up to when it is checked; other kinds cannot change it."""
    if constraint["form"] != "foreign key":
        return constraint.key + str(constraint["definition"])
    return re.split(" (?:NOT )?DEFERRABLE| INITIALLY", constraint["definition"])[0]


def change_grant(old: Item, new: Item, after: Snapshot) -> Iterator[str]:
    """Yield what grants and revokes until one grantee has what it should."""

    held, wanted = (set(listed(side["granted"])) for side in (old, new))
    lost, kept = (set(listed(side["revoked"])) for side in (old, new))
    suffix = " with grant option"
    revoked = {part.removesuffix(suffix) for part in held - wanted} | (kept - lost)
    granted = (wanted - held) | (lost - kept)
    yield from grants(new, ", ".join(sorted(granted)), ", ".join(sorted(revoked)), after)


_COUNTS = ("type", "start", "increment", "minimum", "maximum", "cache", "cycle")


def change_sequence(old: Item, new: Item) -> list[str]:
    """Return what makes a sequence count as another does."""
    made = []
    alter = f"alter sequence {new.name}"
    if old["persistence"] != new["persistence"]:
        made.append(f"{alter} set {new['persistence']}")
    if any(old[name] != new[name] for name in _COUNTS):
        made.append(
            f"{alter} as {new['type']} increment by {new['increment']} minvalue {new['minimum']} "
            f"maxvalue {new['maximum']} start with {new['start']} cache {new['cache']} "
            f"{'' if new['cycle'] else 'no '}cycle"
        )
    if old["owned_by"] != new["owned_by"] and not (old["identity"] or new["identity"]):
        made.append(f"{alter} owned by {new['owned_by'] or 'none'}")
    return made


_OF_INDEX = ("clustered", "replica_identity", "options", "tablespace", "statistics", "valid")


def _index(old: Item, new: Item, changed: Set[str]) -> list[str] | None:
    if new["constraint"] is not None:
        changed = changed & set(_OF_INDEX)  # all else comes with the constraint
    elif old["constraint"] is not None:
        return None
    elif "partition_of" in changed and old["partition_of"] is None:
        return list(ddl.finish("attach", new, Snapshot(0, {}, {})))
    elif changed - {*_OF_INDEX} - ({"definition"} if "options" in changed else set()):
        return None
    chosen = (name for name in _OF_INDEX if name in changed)
    return [text for name in chosen for text in ddl.set_index(name, old, new)]


def _enum(old: Item, new: Item) -> list[str] | None:
    labels, wanted = _list(old["definition"]), _list(new["definition"])
    if [label for label in wanted if label in labels] != labels:
        return None
    return [
        f"alter type {new.name} add value {label}"
        + (f" after {wanted[number - 1]}" if number else f" before {labels[0]}" if labels else "")
        for number, label in enumerate(wanted)
        if label not in labels
    ]


def _composite(old: Item, new: Item) -> list[str]:
    """Return what changes the attributes; those in another order have to be made again."""
    before, after = (
        {part.split(" ")[0]: part for part in _list(item["definition"] or "")}
        for item in (old, new)
    )
    alter = f"alter type {new.name}"
    made = [f"{alter} drop attribute {name}" for name in before if name not in after]
    for name, part in after.items():
        if name not in before:
            made.append(f"{alter} add attribute {part}")
        elif part != before[name]:
            made.append(f"{alter} alter attribute {name} type {part[len(name) + 1 :]}")
    return made or [f"{BY_HAND}the attributes of {new.key} stand in another order"]


def _list(text: str) -> list[str]:
    """Return the parts of a list whose parts may hold commas in quotes and brackets."""
    part = r"""(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|\([^)]*\)|[^,"'(])+"""
    return [found.strip() for found in re.findall(part, text) if found.strip()]


def _domain(new: Item, changed: Set[str]) -> Iterator[str]:
    for name in sorted(changed):
        words = name.replace("_", " ")
        if name == "not_null" or new[name] is None:
            yield f"alter domain {new.name} {'set' if new[name] else 'drop'} {words}"
        else:
            yield f"alter domain {new.name} set default {new[name]}"


def _publication(old: Item, new: Item, changed: Set[str]) -> list[str] | None:
    made = []
    if changed & {"tables", "schemas"}:
        if not ddl.published(new):
            return None
        made.append(f"alter publication {new.name} set {ddl.published(new).removeprefix('for ')}")
    if changed & {"publish", "via_root", "generated_columns"}:
        said = ddl.publication_options(new, changed)
        made.append(f"alter publication {new.name} set ({said})")
    return made


def _other(old: Item, new: Item) -> Iterator[str]:
    if old["version"] != new["version"]:
        yield f"alter {new.name} version {literal(new['version'] or '')}"
    yield from set_foreign_options(f"alter {new.name}", new, old["options"], new["options"])
    before, after = old["mappings"] or {}, new["mappings"] or {}
    for token in sorted({*before, *after}):
        if token not in after:
            yield f"alter {new.name} drop mapping for {token}"
        elif before.get(token) != after[token]:
            verb = "alter" if token in before else "add"
            yield f"alter {new.name} {verb} mapping for {token} with {after[token]}"
