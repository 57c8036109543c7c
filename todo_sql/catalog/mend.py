"""The statements that turn an object of one catalog into that of another. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.catalog.ddl import BY_HAND, create, in_table, sequence_options
from todo_sql.catalog.diff import Difference
from todo_sql.catalog.names import column_name, quoted, role, table_of, target
from todo_sql.catalog.privileges import grants
from todo_sql.catalog.schema_sql import attach
from todo_sql.catalog.snapshot import Item, Snapshot


def statements(difference: Difference, before: Snapshot, after: Snapshot) -> list[str]:
    """Return what turns `before`'s object into `after`'s; a comment where no statement can.

    A new object comes with all that belongs to it (a table with its indexes, policies, …).
    """
    old, new = difference.before, difference.after
    if new is None:
        assert old is not None
        return list(_drop(old, before))
    if old is None:
        return _with_parts(new, after)
    return list(_change(old, new, difference, before, after))


def _with_parts(item: Item, snapshot: Snapshot) -> list[str]:
    made = create(item, snapshot)
    if item.kind == "table":
        owned = [part for part in snapshot.of("sequence", item.key) if not part["identity"]]
        made = [text for part in owned for text in create(part, snapshot)] + made
        made += [f"alter sequence {part.name} owned by {part['owned_by']}" for part in owned]
        if item["partition_bound"]:
            made.append(attach(item))
    for part in snapshot.items.values():
        if part.parent != item.key or part.kind in ("column", "sequence"):
            continue
        inline = part.kind == "constraint" and in_table(part)
        made += _parts_of(part, snapshot) if inline else _with_parts(part, snapshot)
    if item.kind == "table":
        for column in snapshot.of("column", item.key):
            made += _parts_of(column, snapshot)
    return made


def _parts_of(item: Item, snapshot: Snapshot) -> list[str]:
    parts = (part for part in snapshot.items.values() if part.parent == item.key)
    return [text for part in parts for text in _with_parts(part, snapshot)]


def _drop(item: Item, snapshot: Snapshot) -> Iterator[str]:
    match item.kind:
        case "column":
            if item.parent and item.parent.startswith("table "):
                yield f"alter table {table_of(item)} drop column {column_name(item)}"
        case "constraint":
            yield f"alter table {table_of(item)} drop constraint {quoted(item['name'])}"
        case "index":
            if item["constraint"] is None:
                yield f"drop index {item.name}"
        case "sequence":
            if item["identity"]:
                yield f"{BY_HAND}the identity of {item['owned_by']} is gone with its column"
            else:
                yield f"drop sequence {item.name}"
        case "grant":
            yield from grants(item, item["revoked"], item["granted"], snapshot)
        case "default_privilege":
            swapped = {**item.attributes, "granted": item["revoked"], "revoked": item["granted"]}
            yield from create(Item(item.kind, item.name, item.parent, swapped), snapshot)
        case "comment":
            yield f"comment on {item.name} is null"
        case "other":
            yield f"drop {item.name}"
        case "security_label" | "database_setting":
            yield f"{BY_HAND}drop {item.key}"
        case _:
            yield f"drop {target(item)}"


def _change(
    old: Item, new: Item, difference: Difference, before: Snapshot, after: Snapshot
) -> Iterator[str]:
    changed = set(difference.changes)
    if "owner" in changed and new.kind != "default_privilege":
        yield f"alter {target(new)} owner to {role(new['owner'])}"
        changed.remove("owner")
    if not changed:
        return
    match new.kind:
        case "column":
            for name in sorted(changed, key=_COLUMN_ORDER.index):
                yield from _column(name, old, new, after)
        case "table":
            for name in sorted(changed):
                yield from _table(name, old, new)
        case "grant":
            yield from _grant(old, new, after)
        case "comment":
            yield from create(new, after)
        case "trigger" | "rule" if changed == {"enabled"}:
            verb = {"enabled": "enable", "disabled": "disable"}.get(
                new["enabled"], f"enable {new['enabled']}"
            )
            yield f"alter table {table_of(new)} {verb} {new.kind} {quoted(new['name'])}"
        case "function" if not changed & {"form", "returns"}:
            yield from create(new, after)
        case "view" | "materialized_view" if changed == {"options"}:
            yield from _options(f"alter {target(new)}", old, new)
        case "materialized_view" if changed == {"populated"}:
            yield f"refresh materialized view {new.name}" + (
                "" if new["populated"] else " with no data"
            )
        case "sequence":
            yield from _sequence(old, new, changed)
        case "index" if changed <= {"clustered", "valid", "options", "definition", "statistics"}:
            yield from _index(old, new, changed, after)
        case "type" if new["form"] == "enum":
            yield from _enum(old, new)
        case "domain":
            yield from _domain(new, changed)
        case "constraint" if changed == {"triggers"}:
            state = "disable" if new["triggers"] == "disabled" else "enable"
            yield f"alter table {table_of(new)} {state} trigger all"
        case "constraint" if changed <= {"validated", "definition"} and _validates(old, new):
            yield f"alter table {table_of(new)} validate constraint {quoted(new['name'])}"
        case "statistics" if changed == {"target"}:
            amount = -1 if new["target"] is None else new["target"]
            yield f"alter statistics {new.name} set statistics {amount}"
        case "default_privilege":
            yield from _drop(old, before)
            yield from create(new, after)
        case _:
            yield from _drop(old, before)
            yield from _with_parts(new, after)


_COLUMN_ORDER = (
    "name",
    "identity",
    "generated",
    "type",
    "collation",
    "default",
    "not_null",
    "storage",
    "compression",
    "statistics",
    "options",
    "inherited",
    "position",
)


def _column(name: str, old: Item, new: Item, after: Snapshot) -> Iterator[str]:
    alter = f"alter table {table_of(new)} alter column {column_name(new)}"
    value = new[name]
    match name:
        case "type" | "collation":
            collate = f" collate {new['collation']}" if new["collation"] else ""
            using = f" using {column_name(new)}::{new['type']}"
            yield f"{alter} type {new['type']}{collate}{using}"
        case "default" if not (old["generated"] or new["generated"]):
            yield f"{alter} drop default" if value is None else f"{alter} set default {value}"
        case "not_null":
            if old[name] == "not valid" and value == "yes":
                yield f"{BY_HAND}validate the not null constraint of {new.name}"
            else:
                yield f"{alter} {'set' if value else 'drop'} not null"
        case "identity":
            if value is None:
                yield f"{alter} drop identity"
            elif old[name] is None:
                yield f"{alter} add generated {value} as identity"
            else:
                yield f"{alter} set generated {value}"
        case "generated":
            yield f"{BY_HAND}drop column {new.name} and add it again as generated"
        case "storage":
            yield f"{alter} set storage {value or _default_storage(new, after)}"
        case "compression":
            yield f"{alter} set compression {value or 'default'}"
        case "statistics":
            yield f"{alter} set statistics {-1 if value is None else value}"
        case "options":
            yield from _options(alter, old, new)
        case "position":
            yield f"{BY_HAND}no statement moves {new.name} from place {old[name]} to {value}"


def _default_storage(column: Item, after: Snapshot) -> str:
    """Return how to name the storage that a type has by default: PostgreSQL 15 has no word."""
    if after.version >= 160000:
        return "default"
    return "main" if str(column["type"]).startswith(("numeric", "inet", "cidr")) else "extended"


def _table(name: str, old: Item, new: Item) -> Iterator[str]:
    alter = f"alter table {new.name}"
    value = new[name]
    match name:
        case "row_security":
            yield f"{alter} {'enable' if value else 'disable'} row level security"
        case "force_row_security":
            yield f"{alter} {'' if value else 'no '}force row level security"
        case "persistence":
            yield f"{alter} set {value}"
        case "options":
            yield from _options(alter, old, new)
        case "toast_options":
            yield from _options(alter, old, new, name, "toast.")
        case "replica_identity" if value != "index":
            yield f"{alter} replica identity {value or 'default'}"
        case "partition_bound":
            if old[name] is not None:
                yield f"alter table {old['inherits']} detach partition {new.name}"
            if value is not None:
                yield attach(new)
        case "inherits" if old["partition_bound"] or new["partition_bound"]:
            pass  # said with the bound
        case "inherits" if value is None:
            yield f"{alter} no inherit {old[name]}"
        case "inherits" if old[name] is None:
            yield f"{alter} inherit {value}"
        case "tablespace" | "access_method" if value is not None:
            yield f"{alter} set {name.replace('_', ' ')} {value}"
        case "detach_pending" if old[name] and not value:
            yield f"alter table {new['inherits']} detach partition {new.name} finalize"
        case "detach_pending":
            pass
        case _:
            yield f"{BY_HAND}{name.replace('_', ' ')} of {new.key} is {old[name]}, not {value}"


def _options(
    alter: str, old: Item, new: Item, name: str = "options", prefix: str = ""
) -> Iterator[str]:
    before = [option for option in (old[name] or "").split(", ") if option]
    after = [option for option in (new[name] or "").split(", ") if option]
    names = {option.split("=")[0] for option in after}
    gone = [part for part in (option.split("=")[0] for option in before) if part not in names]
    if gone:
        yield f"{alter} reset ({', '.join(prefix + part for part in gone)})"
    added = [option for option in after if option not in before]
    if added:
        yield f"{alter} set ({', '.join(prefix + option for option in added)})"


def _grant(old: Item, new: Item, after: Snapshot) -> Iterator[str]:
    def parts(text: str | None) -> set[str]:
        return {part for part in (text or "").split(", ") if part}

    held, wanted = parts(old["granted"]), parts(new["granted"])
    lost, kept = parts(old["revoked"]), parts(new["revoked"])
    suffix = " with grant option"
    revoked = {part.removesuffix(suffix) for part in held - wanted} | (kept - lost)
    granted = (wanted - held) | (lost - kept)
    yield from grants(new, ", ".join(sorted(granted)), ", ".join(sorted(revoked)), after)


def _sequence(old: Item, new: Item, changed: set[str]) -> Iterator[str]:
    alter = f"alter sequence {new.name}"
    if "persistence" in changed:
        yield f"{alter} set {new['persistence']}"
    if changed & {"type", "start", "increment", "minimum", "maximum", "cache", "cycle"}:
        options = sequence_options(new)
        usual = "increment by 1 no minvalue no maxvalue cache 1 no cycle"
        yield f"{alter} as {new['type']} {usual}"
        if options:
            yield f"{alter} {options}"
    if "owned_by" in changed and not (old["identity"] or new["identity"]):
        yield f"{alter} owned by {new['owned_by'] or 'none'}"


def _index(old: Item, new: Item, changed: set[str], after: Snapshot) -> Iterator[str]:
    if "clustered" in changed:
        yield f"alter table {table_of(new)} " + (
            f"cluster on {quoted(new['name'])}" if new["clustered"] else "set without cluster"
        )
    if "options" in changed:
        yield from _options(f"alter index {new.name}", old, new)
    elif "definition" in changed:
        yield f"drop index {new.name}"
        yield from create(new, after)
    if "statistics" in changed:
        for entry in (new["statistics"] or "").split(", "):
            if entry:
                number, amount = entry.split(": ")
                yield f"alter index {new.name} alter column {number} set statistics {amount}"
    if "valid" in changed and new["valid"]:
        yield f"reindex index concurrently {new.name}"


def _enum(old: Item, new: Item) -> Iterator[str]:
    labels, wanted = old["definition"].split(", "), new["definition"].split(", ")
    if [label for label in wanted if label in labels] != labels:
        yield f"{BY_HAND}make {new.key} again: labels cannot be dropped or moved"
        return
    for number, label in enumerate(wanted):
        if label not in labels:
            place = f" after {wanted[number - 1]}" if number else f" before {labels[0]}"
            yield f"alter type {new.name} add value {label}{place}"


def _domain(new: Item, changed: set[str]) -> Iterator[str]:
    for name in sorted(changed):
        if name == "not_null":
            yield f"alter domain {new.name} {'set' if new[name] else 'drop'} not null"
        elif name == "default":
            value = new[name]
            yield f"alter domain {new.name} " + (
                "drop default" if value is None else f"set default {value}"
            )
        else:
            yield f"{BY_HAND}{name} of {new.key} should be {new[name]}"


def _validates(old: Item, new: Item) -> bool:
    return bool(
        new["validated"]
        and not old["validated"]
        and old["definition"].removesuffix(" NOT VALID") == new["definition"]
    )
