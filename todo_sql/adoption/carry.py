"""The ledger step: what another tool's ledger says, carried over into ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_sql.adoption.files import Adopted
from todo_sql.adoption.old_ledger import OldLedger, Row, Standing, standing
from todo_sql.catalog.names import dotted, plain, quoted
from todo_sql.errors import Finding, FindingsError, UsageError
from todo_sql.migrations import vetting
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.flight import FlightCommand

if TYPE_CHECKING:
    from todo_sql.migrations.connecting import MigrationLink
    from todo_sql.migrations.migrator import Migrator

# Tables by name, with their schemas and their columns.
_FIND = """
select n.nspname, c.relname, pg_catalog.array_to_json(pg_catalog.array_agg(a.attname))::text
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid
where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
    and c.relname = $1 and (n.nspname = $2 or $2 is null) and n.nspname !~ '^pg_'
group by n.nspname, c.relname
order by n.nspname
"""


_QUOTED = re.compile(r'(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)')
_CHANGED = "22012"  # division by zero: see `_locked`


@dataclass(frozen=True, slots=True)
class CarryPlan:
    """What would be recorded.

    Attributes:
        table: The other tool's, with its schema.
        standing: What it says.
        recorded: Ids that get a row in our ledger, in order.
        pending: Ids that stay pending.
        known: Ids that have a row already.
        findings: What a person should know (warnings).
        unwritten: Ids of the pending ones that are placeholders of code.
    """

    table: str
    standing: Standing
    recorded: tuple[str, ...]
    pending: tuple[str, ...]
    known: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unwritten: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[str]]:
        """Return the JSON form."""
        return {
            "applied": list(self.recorded),
            "pending": list(self.pending),
            "missing": list(self.standing.missing),
            "failed": [key for key, _ in self.standing.failed],
        }


def carry_over(
    migrator: Migrator,
    tool: str,
    ledger: OldLedger,
    files: Sequence[Adopted],
    *,
    table: str | None = None,
    ignore_missing: bool = False,
    confirm: Callable[[CarryPlan], None],
    wait: float | None = None,
) -> CarryPlan:
    """Record in our ledger what another tool's says is applied, in one transaction.

    The other tool's table is locked against writing meanwhile, and only read.

    Args:
        migrator: Of our migrations.
        tool: The other tool's name.
        ledger: Where it keeps what it applied.
        files: What came over, in order.
        table: Its table, with a schema or without; default: the usual one.
        ignore_missing: Whether rows without a file are passed over.
        confirm: Is shown the plan before anything is done; raises to stop.
        wait: How long to wait for another migrator, in seconds.

    Raises:
        FindingsError: A row is of a migration that was left half done, or has no file.
        UsageError: There is no such table, or there are several.
    """
    plans: list[CarryPlan] = []

    def decide(link: MigrationLink) -> tuple[dict[str, str | None], list[FlightCommand]]:
        schema, name = _place(link, tool, ledger, table)
        rows = _rows(link, ledger, schema, name)
        found = _plan(link, tool, ledger, rows, files, f"{schema}.{name}")
        _refuse(found, tool, ignore_missing)
        confirm(found)
        plans.append(found)
        by_id = {one.id: one.key for one in files}
        times = {id: found.standing.applied[by_id[id]].applied_at for id in found.recorded}
        return times, _locked(ledger, schema, name, rows)

    # The old ids by ours, where both tools keep their rows in one table.
    shared = files if ledger.table == "_yoyo_migration" else ()
    replaced = {one.id: one.key for one in shared if one.id != one.key}
    try:
        migrator.adopt(decide, replaced=replaced, wait=wait)
    except LedgerError as error:
        if error.sqlstate != _CHANGED:
            raise
        raise UsageError(
            f"{tool} wrote to {plans[0].table} meanwhile",
            code="A126",
            cause="nothing was changed",
            fix="let it come to its end, then run this again",
        ) from None
    return plans[0]


def _place(link: MigrationLink, tool: str, ledger: OldLedger, table: str | None) -> tuple[str, str]:
    schema, name = _named(table or "")
    name, wanted = name or ledger.table, schema or (None if table else ledger.schema)
    commands = [
        FlightCommand("begin"),
        FlightCommand(SAFE_LOCALLY),
        FlightCommand(_FIND, (name, wanted)),
        FlightCommand("commit"),
    ]
    found = [
        (str(row[0]), str(row[1]))
        for row in link.fly(commands)[2].rows
        if set(ledger.columns) <= (columns := set(json.loads(str(row[2]))))
        and not columns & set(ledger.lacks)
    ]
    if len(found) == 1:
        return found[0]
    where = f"in schema {wanted} of" if wanted else "in"
    if not found:
        raise UsageError(
            f"there is no table {name} of {tool} {where} database {link.target.database}",
            code="A123",
            cause=f"it would have the columns {', '.join(ledger.columns)}; nothing was changed",
            fix="name it with `--table SCHEMA.NAME`; a database that the other tool never "
            "touched needs no ledger from it: run `todo-sql migrate`",
        )
    raise UsageError(
        f"there are several tables {name} of {tool}: {', '.join(s for s, _ in found)}",
        code="A123",
        cause="nothing was changed",
        fix="name one with `--table SCHEMA.NAME`",
    )


def _named(table: str) -> tuple[str, str]:
    """Return schema and name of a table as a person names it: plainly, or quoted as SQL has it."""
    found = _QUOTED.fullmatch(table)
    if found is None or '"' not in table:
        schema, _, name = table.rpartition(".")
        return schema, name
    schema, name = map(plain, found.groups(""))
    return schema, name


def _query(ledger: OldLedger, schema: str, name: str) -> str:
    columns = ledger.select.replace("{schema}", quoted(schema))
    rest = ledger.rest.replace("{schema}", quoted(schema))
    return f"select {columns} from {dotted(schema, name)} {rest}"


def _rows(link: MigrationLink, ledger: OldLedger, schema: str, name: str) -> list[Row]:
    import psycopg

    table = dotted(schema, name)
    commands = [
        FlightCommand("begin read only"),
        FlightCommand(SAFE_LOCALLY),
        FlightCommand(f"lock table {table} in access share mode"),
        vetting.readable(table.replace("'", "''")),  # a plain table: whose it is matters not then
        FlightCommand(_query(ledger, schema, name)),
        FlightCommand("commit"),
    ]
    try:
        return [tuple(row) for row in link.fly(commands)[4].rows]
    except psycopg.Error as error:
        link.roll_back()
        raise UsageError(
            f"{schema}.{name} cannot be read as a ledger: {error.diag.message_primary}",
            code="A123",
            cause="nothing was changed",
            fix="connect as a role that may read it; a view, or a table with policies, rules or "
            "types of its own is not taken for a ledger",
        ) from None


def _locked(ledger: OldLedger, schema: str, name: str, rows: list[Row]) -> list[FlightCommand]:
    """Return what locks the other tool out, and fails if its ledger changed since it was read."""
    text = _query(ledger, schema, name)
    count = f"select 1 / (pg_catalog.count(*) = $1::int8)::int4 from ({text}) as ledger"
    return [
        FlightCommand(f"lock table {dotted(schema, name)} in share mode"),
        FlightCommand(count, (str(len(rows)),)),
    ]


def _plan(
    link: MigrationLink,
    tool: str,
    ledger: OldLedger,
    rows: list[Row],
    files: Sequence[Adopted],
    table: str,
) -> CarryPlan:
    by_key = {one.key: one for one in files}
    ours = {one.id for one in files}
    rows = [row for row in rows if row[0] not in ours or row[0] in by_key]
    depends = {one.key: one.depends for one in files}
    replaces = {one.key: one.replaces for one in files if one.replaces}
    found = standing(ledger, rows, list(by_key), depends, replaces)
    done = link.ledger.by_id
    applied = [by_key[key].id for key in found.applied]
    pending = [one for one in files if one.key not in found.applied]
    return CarryPlan(
        table,
        found,
        tuple(id for id in applied if id not in done),
        tuple(one.id for one in pending),
        tuple(id for id in applied if id in done),
        tuple(_warnings(tool, table, found, by_key)),
        tuple(one.id for one in pending if one.placeholder),
    )


def _warnings(
    tool: str, table: str, found: Standing, by_key: Mapping[str, Adopted]
) -> Iterator[Finding]:
    for key, row in found.applied.items():
        there, here = row.checksum, by_key[key].checksum
        if there and here and there.lstrip("0") != here.lstrip("0"):
            yield Finding(
                "A122",
                "warning",
                f"{key} ran with another text than the file that came over",
                cause=f"the checksum in {table} is {there}, the file's {here}; "
                "it counts as applied",
                fix="see what was edited since: `todo-sql drift` shows what the database lacks",
            )
    if found.guessed:
        yield Finding(
            "A124",
            "warning",
            f"{len(found.guessed)} count as applied because a later one is",
            cause=f"{tool} keeps the last version only",
            fix="see that none of them was added late: `todo-sql drift` shows what is missing",
        )


def _refuse(plan: CarryPlan, tool: str, ignore_missing: bool) -> None:
    halfway = f"bring it to an end with {tool}, then run this again"
    cause = f"{plan.table} says so: how far it came is not known"
    findings = [
        Finding("A120", "error", f"{key}: {why}", cause=cause, fix=halfway)
        for key, why in plan.standing.failed
    ]
    fix = "import its file, too, or pass over such rows with `--ignore-missing`"
    named = f"{plan.table} names it"
    findings += [
        Finding("A121", "error", f"{key} is applied and has no file", cause=named, fix=fix)
        for key in (() if ignore_missing else plan.standing.missing)
    ]
    write = "write it as SQL in the file, then run this again"
    findings += [
        Finding("A102", "error", f"{id} was code of {tool} and is not applied here", fix=write)
        for id in plan.unwritten
    ]
    if findings:
        raise FindingsError(
            f"{plan.table} cannot be carried over",
            findings,
            code="A100",
            cause="nothing was changed",
        )
