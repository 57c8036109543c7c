"""Which of a database's ledgers is this folder's, and how a ledger is moved."""

from __future__ import annotations

import json
import re

from todo_sql.catalog.names import quoted
from todo_sql.migrations import ledger as ledger_of
from todo_sql.migrations import vetting
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.files.migration import MigrationSet, scripts_of
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.migrations.repair import Change
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import Flight, FlightCommand

MOVED = (*vetting.EVERY, "yoyo_lock")
# A row where a schema, $1, was made as ours are and holds nothing but the tables in $2.
_ALONE = """
with moved as (
    select to_regclass(t.name)::oid as oid from json_array_elements_text($2) as t (name)
    where to_regclass(t.name) is not null
)
select 1
from pg_namespace as n
join pg_roles as o on o.oid = n.nspowner
where n.nspname = $1 and o.rolname = current_user
    and n.nspacl is null and obj_description(n.oid, 'pg_namespace') is null
    and not exists (
        select from pg_depend as d
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
            and not (d.classid = 'pg_class'::regclass and (
                d.objid in (select m.oid from moved as m)
                or exists (  -- the sequence of an identity
                    select from pg_depend as s
                    join moved as m on m.oid = s.refobjid
                    where s.classid = 'pg_class'::regclass and s.objid = d.objid
                        and s.refclassid = 'pg_class'::regclass and s.deptype = 'i'
                )
            ))
    )
"""
_SAY = '`ledger = "{}"` in [tool.todo-sql]'


def is_of(ledger: Ledger, migrations: MigrationSet) -> bool:
    """Tell whether a ledger is that of a folder: most of its rows are the folder's files."""
    replaced = (one for each in migrations for one in each.forward.directives.replaces)
    checksums = {one.id: one.checksum for one in replaced}
    known = 0
    for one in ledger.recorded:
        migration = migrations.by_id.get(one.id)
        checksum = migration.forward.checksum if migration else checksums.get(one.id)
        known += checksum is not None and one.checksum in (None, checksum)
    return 2 * known > len(ledger.recorded)


def refuse_others(link: MigrationLink, migrations: MigrationSet) -> None:
    """Refuse a ledger that is another project's, and one that is elsewhere than said."""
    target, recorded = link.target, link.ledger.recorded
    if target.pinned:
        if not target.ledger and (found := elsewhere(link, migrations)):
            raise LedgerError(
                f"the ledger of these migrations is in schema {found[0]}, and the configuration "
                f"says {target.schema}",
                code="M407",
                cause="a second one would have every migration applied again; nothing was changed",
                fix=f"move it with `todo-sql repair --move-ledger`, or say {_SAY.format(found[0])}",
            )
        return
    known = migrations.by_id.keys() | migrations.replaced.keys()
    if not target.off_path or any(one.id in known for one in recorded):
        return
    if recorded:
        raise LedgerError(
            f"there is a ledger in schema {target.schema}, which is not on the search path of "
            f"{target.role}, and it knows none of the migrations in {migrations.shown}",
            code="M406",
            cause="it may be another project's; nothing was changed",
            fix="if these migrations are to have a ledger of their own, say where: "
            f"{_SAY.format('NAME')}",
        )


def elsewhere(link: MigrationLink, migrations: MigrationSet) -> list[str]:
    """Return the schemas, but the target's, that hold a ledger of a folder."""
    found = []
    for schema in set(link.target.ledgers) - {link.target.schema}:
        ledger = ledger_of.read(Flight(link.connection, ledger_of.read_commands(schema)).fly())
        if ledger.recorded and is_of(ledger, migrations):
            found.append(schema)
    return sorted(found)


def source_of(link: MigrationLink, migrations: MigrationSet) -> str | None:
    """Return the schema from which the ledger is to be moved, or None: it is in its place."""
    target = link.target
    found = elsewhere(link, migrations)
    if not target.ledger and len(found) == 1:
        return found[0]
    if target.ledger and not found:
        return None
    if target.ledger:
        what = f"are ledgers of these migrations in {target.schema} and in {', '.join(found)}"
        fix = "see with `todo-sql status` which one is true, and drop the tables of the other"
    elif found:
        what = f"are several ledgers of these migrations: in {', '.join(found)}"
        fix = "drop the tables of those that are not true"
    else:
        what = f"is no ledger of these migrations in {target.database}"
        fix = "run `todo-sql migrate`: it makes one where the configuration says"
    raise LedgerError(f"there {what}", code="M408", cause="nothing was moved", fix=fix)


def goes(link: MigrationLink, migrations: MigrationSet) -> bool:
    """Tell whether the schema of a ledger goes with it: ours, and nothing but that ledger.

    One that a file mentions may be made by it, and one with privileges, a comment or whatever
    else was made for more.
    """
    source = link.target.schema
    named = re.compile(rf"(?<!\w){re.escape(source)}(?!\w)", re.IGNORECASE)
    every = (*scripts_of(migrations), *migrations.beside)
    if any(named.search(script.source.text) for script in every):
        return False
    tables = [f"{quoted(source)}.{table}" for table in MOVED]
    asked = FlightCommand(_ALONE, (source, json.dumps(tables)), sync=True)
    answer = Flight(link.connection, [FlightCommand(SAFE_LOCALLY), asked]).fly()[-1]
    return answer.error is None and bool(answer.rows)


def move(source: str, schema: str, *, exists: bool, goes: bool = False) -> Change:
    """Return the change that moves a ledger into another schema, which may exist."""
    commands = [] if exists else [f"create schema {quoted(schema)}"]
    of, to = quoted(source), quoted(schema)
    commands += [f"alter table if exists {of}.{table} set schema {to}" for table in MOVED]
    commands += [f"drop schema {quoted(source)}"] if goes else []
    made = "" if exists else ", which is made"
    dropped = f"; schema {source}, empty then, is dropped" if goes else ""
    words = f"moves from schema {source} to schema {schema}{made}{dropped}"
    return Change("ledger", words, tuple(FlightCommand(text) for text in commands))
