"""Proves on a scratch database that each migration can be undone and done again.

For each migration, in order: apply, rollback, apply. The catalog after the rollback must
be the one before the migration, the catalog after the second apply the one after the
first; rows made for each version stay in place throughout, and what of them was there
before must be there after. A step that fails with the rows is tried once more without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import psycopg
from psycopg import Connection

from todo_sql.catalog.diff import compare
from todo_sql.catalog.mend import mend
from todo_sql.catalog.read import keep_prepared
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler import scratch_role
from todo_sql.errors import DatabaseError, Finding, TodoSqlError
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.files.migration import Migration, MigrationSet, Script
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.repeating import PREFIX, name_of
from todo_sql.review import phase_order, sample_rows

Outcome = Literal["reversible", "irreversible", "repeatable", "ordered", "different", "failed"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of one migration.

    Attributes:
        outcome: ``different`` and ``failed`` come with errors among the findings; ``ordered``
            says of all together that the phases make what the order of the ids makes.
        reason: Why an irreversible migration is so.
        notes: What could not be tried, such as a table that took no rows.
    """

    id: str
    outcome: Outcome
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def verify(
    scratch: Callable[[], AbstractContextManager[str]],
    migrations: MigrationSet,
    told: Callable[[Proof], None] = lambda proof: None,
) -> list[Proof]:
    """Apply, roll back and apply every migration of a folder.

    Args:
        scratch: Yields the URL of an empty scratch database; called once more after each
            failure that nothing can follow in the same database.
        told: Called with each proof as it is made.

    Raises:
        MigrationFailed: A migration cannot be applied at all.
    """
    proofs: list[Proof] = []

    def tell(proof: Proof) -> None:
        proofs.append(proof)
        told(proof)

    rest: _Rest | None = _Rest(None, list(migrations))
    while rest is not None:
        with scratch() as url:
            rest = _prove_versioned(url, migrations, rest, tell)
            if rest is None:
                again = Migrator(url, migrations)
                with psycopg.connect(url, autocommit=True) as connection, again.held():
                    keep_prepared(connection)
                    for script in migrations.repeatables:
                        tell(_repeated(again, connection, script))
    findings = phase_order.differing(scratch, migrations)
    if findings is not None:
        outcome: Outcome = "different" if findings else "ordered"
        tell(Proof(phase_order.PHASES, outcome, findings=findings))
    return proofs


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left to prove, in another database.

    Attributes:
        after: The migration that it follows.
        refused: Why the first of them is proved on empty tables: rows were in its way that
            nothing took away.
    """

    after: Migration | None
    migrations: list[Migration]
    refused: TodoSqlError | None = None


def _prove_versioned(
    url: str, migrations: MigrationSet, rest: _Rest, tell: Callable[[Proof], None]
) -> _Rest | None:
    """Prove what is left; return what cannot be proved in this database."""
    migrator = Migrator(url, replace(migrations, repeatables=(), hooks={}))
    with psycopg.connect(url, autocommit=True) as connection, migrator.held() as link:
        keep_prepared(connection)
        trial = _Trial(migrator, link, connection, rest)
        after = rest.after
        for number, migration in enumerate(rest.migrations):
            try:
                tell(trial.prove(migration))
            except MigrationFailed as error:
                if rest.refused is not None or not trial.has_rows():
                    raise
                return _Rest(after, rest.migrations[number:], error)
            after = migration
            if trial.lost:
                return _Rest(after, rest.migrations[number + 1 :])
    return None


def _repeated(migrator: Migrator, connection: Connection[Any], script: Script) -> Proof:
    """Run a repeatable file twice: the second time must change nothing."""
    id = PREFIX + name_of(script)
    migrator.repeat(script)
    once = take(connection)
    try:
        migrator.repeat(script)
    except TodoSqlError as error:
        said = f"the file fails when it runs again: {error.finding.message}"
        found = replace(error.finding, code="R907", message=said)
        return Proof(id, "failed", findings=(found,))
    findings = tuple(_differences(script, "R907", take(connection), once))
    return Proof(id, "different" if findings else "repeatable", findings=findings)


class _Trial:
    def __init__(
        self, migrator: Migrator, link: MigrationLink, connection: Connection[Any], rest: _Rest
    ) -> None:
        self._migrator = migrator
        self._link = link
        self._connection = connection
        self._refused = rest.refused
        self.lost = False  # whether nothing can follow here: the state is not the migration's
        if rest.after is not None:
            self._start_after(rest.after)
        self._now = take(connection)
        if rest.refused is None:
            sample_rows.fill(connection, self._now, _all_tables(self._now))

    def _start_after(self, migration: Migration) -> None:
        try:
            self._migrator.migrate(to=migration.id)
        except MigrationFailed as error:
            found = error.finding
            error.finding = replace(
                found,
                cause=f"{found.cause}\nit was applied in another database of this server before: "
                f"what is proved after {migration.id} starts from an empty one",
                fix="let the migration serve where its roles, or what else all databases of a "
                "server share, are there already",
            )
            raise

    def has_rows(self) -> bool:
        """Whether any table has rows."""
        return any(sample_rows.read(self._connection, take(self._connection)).values())

    def prove(self, migration: Migration) -> Proof:
        before, rows_before = self._now, sample_rows.read(self._connection, self._now)
        findings: list[Finding] = []
        apply = partial(self._migrator.migrate, to=migration.id)
        refused, self._refused = self._refused, None
        if refused is None:
            refused = self._despite_rows(apply)
        else:
            apply()
        after = take(self._connection)
        if refused is None:
            changed = _changed_tables(before, after)
        else:
            findings.append(_of_invented_rows(refused))
            rows_before, changed = {}, _all_tables(after)
        empty = sample_rows.fill(self._connection, after, changed)
        notes = tuple(f"no rows could be made for {table}" for table in empty)
        self._now = after
        if migration.rollback is None:
            reason = migration.forward.directives.irreversible
            return Proof(migration.id, "irreversible", reason, tuple(findings), notes)
        wrong: list[Finding] = []
        try:
            refused = self._despite_rows(partial(self._migrator.rollback, steps=1))
        except TodoSqlError as error:
            whole = migration.rollback.directives.transactional
            self.lost = not whole or self._link.connection.closed
            if not self.lost:
                sample_rows.fill(self._connection, after, _all_tables(after))
            findings.append(self._failed(error, "R901"))
            return Proof(migration.id, "failed", findings=tuple(findings), notes=notes)
        if refused is not None:
            wrong.append(self._failed(refused, "R901"))
            rows_before, changed = {}, _all_tables(after)
        back = take(self._connection)
        if migration.rollback.directives.nothing_to_undo is None:
            wrong += _differences(migration.rollback, "R902", back, before)
            wrong += self._lost_rows(migration.rollback, rows_before, before, after, back)
        try:
            self._despite_rows(apply)
        except TodoSqlError as error:
            self.lost = True
            wrong.append(self._failed(error, "R903"))
        else:
            self._now = take(self._connection)
            if not wrong:  # else it may well differ
                wrong += _differences(migration.forward, "R904", self._now, after)
            sample_rows.fill(self._connection, self._now, changed)  # for those that follow
        failed = any(finding.code in ("R901", "R903") for finding in wrong)
        outcome: Outcome = "failed" if failed else "different" if wrong else "reversible"
        return Proof(migration.id, outcome, findings=(*findings, *wrong), notes=notes)

    def _despite_rows(self, run: Callable[[], object]) -> TodoSqlError | None:
        """Run; where it fails with rows in place, once more without. Return the first error.

        Raises:
            TodoSqlError: It fails without rows, too.
        """
        try:
            run()
        except MigrationFailed as error:
            cut_off = self._link.connection.closed
            if cut_off or not sample_rows.remove(self._connection, take(self._connection)):
                raise
            run()
            return error
        return None

    def _failed(self, error: TodoSqlError, code: str) -> Finding:
        told = replace(error.finding, code=code, message=f"{_SAID[code]}: {error.finding.message}")
        if isinstance(error, DatabaseError):
            told = scratch_role.refusal(error, told, self._connection.info.user) or told
        return told

    def _lost_rows(
        self, script: Script, before: sample_rows.Rows, *catalogs: Snapshot
    ) -> Iterator[Finding]:
        after = sample_rows.read(self._connection, catalogs[-1])
        for table in sample_rows.lost(before, after, _kept_columns(*catalogs)):
            yield Finding.error(
                "R905",
                f"the rollback loses or changes rows of {table}",
                script.source.place(0),
                cause="rows that were there before the migration are not the same after its "
                "rollback, in columns that the migration keeps",
                fix="let the rollback restore what the migration changed, or say "
                "`-- irreversible: reason` instead",
            )


def _changed_tables(before: Snapshot, after: Snapshot) -> set[str]:
    found = set()
    for one in compare(before, after):
        if one.after is not None and one.kind == "table":
            found.add(one.object)
        elif one.after is not None and one.kind in ("column", "constraint") and one.item.parent:
            found.add(one.item.parent.removeprefix("table "))
    return found


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


_SAID = {
    "R901": "the rollback fails with rows in place",
    "R902": "the rollback does not restore",
    "R903": "the migration fails when it is applied again after its rollback",
    "R904": "applying again after the rollback does not restore",
    "R907": "running the file a second time changes",
}


def _differences(script: Script, code: str, found: Snapshot, wanted: Snapshot) -> Iterator[Finding]:
    first = script.statements[0].start if script.statements else 0
    for mended in mend(compare(found, wanted), found, wanted):
        yield Finding.error(
            code,
            f"{_SAID[code]} {mended.difference.item.key}",
            script.source.place(first),
            cause=f"before and after: {mended.difference}",
            fix=";\n     ".join(mended.statements) + ";" if mended.statements else None,
        )


def _all_tables(snapshot: Snapshot) -> set[str]:
    return {table.name for table in sample_rows.fillable(snapshot)}


def _of_invented_rows(error: TodoSqlError) -> Finding:
    """Return what a migration does not serve: rows that `verify` itself made."""
    found = error.finding
    return replace(
        found,
        code="R906",
        severity="warning",
        message=f"the migration is proved on empty tables only: {found.message}",
        cause=f"{found.cause}\nthe rows are invented: `verify` made them for the tables as they "
        "were before",
        fix="let the migration also serve a table that has rows (a default, an update before the "
        "constraint); whether the rows of a database fit, `todo-sql plan` asks that database",
    )
