"""Proves on a scratch database that each migration can be undone and done again.

For each migration, in order: apply, rollback, apply. The catalog after the rollback must
be the one before the migration, the catalog after the second apply the one after the
first; rows made for each version stay in place throughout, and what of them was there
before must be there after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.mend import mend
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler import scratch_role
from todo_sql.errors import DatabaseError, Finding, Place, TodoSqlError
from todo_sql.migrations.files.folder import Migration, MigrationSet, Script
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.migrator import Migrator
from todo_sql.review import sample_rows

if TYPE_CHECKING:
    from psycopg import Connection

Outcome = Literal["reversible", "irreversible", "different", "failed"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of one migration.

    Attributes:
        outcome: ``different`` and ``failed`` come with findings.
        reason: Why an irreversible migration is so.
        notes: What could not be tried, such as a table that took no rows.
    """

    id: str
    outcome: Outcome
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = field(default=())


def verify(
    url: str,
    migrations: MigrationSet,
    told: Callable[[Proof], None] = lambda proof: None,
) -> list[Proof]:
    """Apply, roll back and apply every migration of a folder.

    Args:
        url: Of an empty scratch database, which is left migrated.
        migrations: The folder.
        told: Called with each proof as it is made.

    Raises:
        MigrationFailed: A migration cannot be applied at all.
    """
    import psycopg

    proofs = []
    migrator = Migrator(url, migrations)
    with psycopg.connect(url, autocommit=True) as connection, migrator.held():
        trial = _Trial(migrator, connection)
        for migration in migrations:
            proof = trial.prove(migration)
            proofs.append(proof)
            told(proof)
            if proof.outcome == "failed":
                break  # what follows would start from an unknown state
    return proofs


class _Trial:
    def __init__(self, migrator: Migrator, connection: Connection[Any]) -> None:
        self._migrator = migrator
        self._connection = connection
        self._now = take(connection)

    def prove(self, migration: Migration) -> Proof:
        before, rows_before = self._now, sample_rows.read(self._connection, self._now)
        try:
            self._migrator.migrate(to=migration.id)
        except MigrationFailed as error:
            error.finding = _of_invented_rows(error)
            raise
        after = take(self._connection)
        changed = _changed_tables(before, after)
        empty = sample_rows.fill(self._connection, after, changed)
        notes = tuple(f"no rows could be made for {table}" for table in empty)
        self._now = after
        if migration.rollback is None:
            reason = migration.forward.directives.irreversible
            return Proof(migration.id, "irreversible", reason, notes=notes)
        try:
            self._migrator.rollback(steps=1)
        except TodoSqlError as error:
            return Proof(
                migration.id, "failed", findings=(self._failed(error, "R901"),), notes=notes
            )
        back = take(self._connection)
        findings = [
            *_differences(migration.rollback, "R902", back, before),
            *self._lost_rows(migration.rollback, rows_before, (before, after, back)),
        ]
        try:
            self._migrator.migrate(to=migration.id)
        except TodoSqlError as error:
            findings.append(self._failed(error, "R903"))
            return Proof(migration.id, "failed", findings=tuple(findings), notes=notes)
        self._now = take(self._connection)
        if not findings:  # else it may well differ
            findings += _differences(migration.forward, "R904", self._now, after)
        sample_rows.fill(self._connection, self._now, changed)  # for the migrations that follow
        outcome: Outcome = "different" if findings else "reversible"
        return Proof(migration.id, outcome, findings=tuple(findings), notes=notes)

    def _failed(self, error: TodoSqlError, code: str) -> Finding:
        found = _of_invented_rows(error)
        said = {
            "R901": "the rollback fails with rows in place",
            "R903": "the migration fails when it is applied again after its rollback",
        }[code]
        told = replace(found, code=code, message=f"{said}: {found.message}")
        if isinstance(error, DatabaseError):
            told = scratch_role.refusal(error, told, self._connection.info.user) or told
        return told

    def _lost_rows(
        self,
        script: Script,
        before: sample_rows.Rows,
        catalogs: tuple[Snapshot, Snapshot, Snapshot],
    ) -> Iterator[Finding]:
        kept = _kept_columns(*catalogs)
        after = sample_rows.read(self._connection, catalogs[-1])
        for table in sample_rows.lost(before, after, kept):
            yield Finding(
                "R905",
                "error",
                f"the rollback loses or changes rows of {table}",
                script.source.place(0),
                cause="rows that were there before the migration are not the same after its "
                "rollback, in columns that the migration keeps",
                fix="let the rollback restore what the migration changed, or say "
                "`-- irreversible: reason` instead",
            )


def _changed_tables(before: Snapshot, after: Snapshot) -> set[str]:
    names = (_table_name(difference) for difference in compare(before, after))
    return {name for name in names if name is not None}


def _table_name(difference: Difference) -> str | None:
    if difference.after is None:
        return None
    if difference.kind == "table":
        return difference.object
    if difference.kind in ("column", "constraint") and difference.item.parent:
        return difference.item.parent.removeprefix("table ")
    return None


def _kept_columns(*catalogs: Snapshot) -> Mapping[str, set[str]]:
    """Return, by table, the columns that are in every one of the catalogs with one type."""
    columns = [
        {
            (item.parent or "", item["name"], item["type"])
            for item in catalog.of("column")
            if not item["generated"]
        }
        for catalog in catalogs
    ]
    kept: dict[str, set[str]] = {}
    for parent, name, _ in set.intersection(*columns):
        kept.setdefault(parent.removeprefix("table "), set()).add(name)
    return {table: kept[table] for table in sorted(kept)}


def _differences(script: Script, code: str, found: Snapshot, wanted: Snapshot) -> Iterator[Finding]:
    said = {
        "R902": "the rollback does not restore",
        "R904": "applying again after the rollback does not restore",
    }[code]
    for mended in mend(compare(found, wanted), found, wanted):
        difference, statements = mended.difference, mended.statements
        yield Finding(
            code,
            "error",
            f"{said} {difference.item.key}",
            _place(script),
            cause=f"before and after: {difference}",
            fix=";\n     ".join(statements) + ";" if statements else None,
        )


def _place(script: Script) -> Place:
    first = script.statements[0].start if script.statements else 0
    return script.source.place(first)


def _of_invented_rows(error: TodoSqlError) -> Finding:
    """Return what is wrong; of rows that do not fit, that `verify` itself made them."""
    found, state = error.finding, getattr(error, "sqlstate", None) or ""
    if state[:2] not in ("22", "23"):
        return found
    invented = "the rows are invented: `verify` made them for the tables as they were before"
    return replace(
        found,
        cause=f"{found.cause}\n{invented}" if found.cause else invented,
        fix="let the migration also serve a table that has rows (a default, an update before the "
        "constraint); whether the rows of a database fit, `todo-sql plan` asks that database",
    )
