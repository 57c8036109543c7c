"""What pending migrations do to a database in use: traced on a copy, weighed by live sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import take
from todo_sql.compiler import scratch_role
from todo_sql.errors import Finding
from todo_sql.migrations.engine.failure import LACKING, lacking
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.migrations.repeating import PREFIX
from todo_sql.review import repeat_trial, undo
from todo_sql.review.broken import Broken, Queries
from todo_sql.review.copy import Copy
from todo_sql.review.foresight import Foresight
from todo_sql.review.hazards import SEVERITIES, PlanStep, hazards, rewritable
from todo_sql.review.locks import Tracer
from todo_sql.review.planned_batches import Size, planned_batches
from todo_sql.review.row_writes import WRITES, named_relations
from todo_sql.sql.grammar import Statement

if TYPE_CHECKING:
    import psycopg
    from psycopg import Connection


@dataclass(frozen=True)
class Planned:
    """One pending migration.

    Attributes:
        rollback: ``file``, or why it cannot be undone.
        undone: Whether its rollback made the copy's schema as it was; None: it was not tried.
        broken: Named queries that worked before it and do not after it.
        findings: Hazards, worst first; waived ones are not among them.
        diff: Of a repeatable file, what of its text changed.
        remade: What a repeatable file drops and makes again, since others stand on it.
        unknown: What depends on rows, and could not be asked of the target.
    """

    migration: Migration
    rollback: str
    undone: bool | None = None
    steps: tuple[PlanStep, ...] = ()
    broken: tuple[Broken, ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    diff: str | None = None
    remade: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Every pending migration, and what the plan does not know.

    Attributes:
        not_copied: What of the live catalog could not be copied.
        untried: Pending migrations after one that fails.
    """

    database: str
    version: int
    migrations: tuple[Planned, ...]
    not_copied: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all migrations, and that the copy is not whole."""
        missing = tuple(
            Finding(
                LACKING if lacking(what) else "P113",
                "error",
                f"not copied: {what}",
                cause="a migration that meets it was tried on another schema than the live one",
                fix=lacking(what)
                or "name a scratch server that has what is missing in TODO_SQL_SCRATCH_URL; an "
                "extension that these migrations do without may stand in `ignore`",
            )
            for what in self.not_copied
        )
        return missing + tuple(one for planned in self.migrations for one in planned.findings)


# Changes of these kinds break no query.
_HARMLESS = ("comment", "grant", "default_privilege", "policy", "trigger", "statistics")

Estimate = Callable[[Statement], int | None]
Again = Callable[[Statement, Any], tuple[Finding | None] | None]


@dataclass(frozen=True)
class LiveTarget:
    """What is asked of the live database.

    Attributes:
        sizes: Its tables, by qualified name.
        estimate: Tells how many rows a statement would touch, by the live statistics.
        silent: Why its rows are not asked, or None.
    """

    live: Connection[Any]
    sizes: Mapping[str, Size]
    estimate: Estimate
    silent: str | None = None


def trace(
    copied: Copy,
    pending: Sequence[Migration],
    target: LiveTarget,
    queries: Queries,
    settings: Settings | None = None,
    former: Mapping[str, Script] | None = None,
) -> Iterator[Planned]:
    """Apply pending migrations on a copy and yield what each does; ends at one that fails.

    Args:
        copied: The copy.
        pending: In order.
        target: The live database.
        queries: The named queries.
        settings: The values from outside.
        former: By name, the texts of repeatable files that ran last on the target.

    Raises:
        ConfigError: A migration would change what belongs to the whole cluster, the target's own.
    """
    tracer = Tracer(copied.url, copied.path)
    settings = settings or Settings()
    for name, value in settings.values.items():
        tracer.connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, value))
    repeatables = [one.forward for one in pending if one.id.startswith(PREFIX)]
    try:
        foresight = Foresight(target.live, tracer, silent=target.silent)
        queries.learn(tracer.connection)
        before = take(tracer.connection)
        for migration in pending:
            remade: list[str] = []
            repeats = migration.id.startswith(PREFIX)
            if repeats:
                del repeatables[0]

            def again(
                statement: Statement,
                error: psycopg.Error,
                script: Script = migration.forward,
                remade: list[str] = remade,
            ) -> tuple[Finding | None] | None:
                number = script.statements.index(statement)
                found = repeat_trial.remade(copied, script, repeatables, settings, number, error)
                if found is None:
                    return None
                remade += found[0]
                tracer.look_again()
                return (found[1],)

            steps, failure = _run(
                tracer,
                migration.forward,
                target.estimate,
                foresight,
                copied,
                again if repeats else None,
                target.sizes,
            )
            failure = failure and settings.hidden(failure)
            after = before if failure else take(tracer.connection)
            broken: tuple[Broken, ...] = ()
            if any(change.kind not in _HARMLESS for change in compare(before, after)):
                broken = tuple(queries.broken(tracer.connection))
            undone = None
            if migration.rollback is not None and not failure:
                undone = undo.prove(tracer, migration, before)
            findings = [
                *([failure] if failure else ()),
                *(
                    found if repeats else rewritable(found, step, migration.id)
                    for step in steps
                    for found in hazards(step, target.sizes)
                ),
                *(_broken(migration.forward, one) for one in broken),
                *(undone.findings if undone else ()),
            ]
            reason = "file"
            diff = None
            if repeats:
                name = migration.id.removeprefix(PREFIX)
                diff = repeat_trial.difference((former or {}).get(name), migration.forward)
                reason = "repeatable"
            elif migration.rollback is None:
                reason = migration.forward.directives.irreversible or ""
                place = migration.forward.place_of_directive("irreversible")
                findings.append(Finding("P108", "warning", f"cannot be undone: {reason}", place))
            yield Planned(
                migration,
                reason,
                None if undone is None else not undone.findings,
                tuple(steps),
                broken,
                tuple(_standing(migration.forward, findings)),
                tuple(_unknown(steps)),
                diff,
                tuple(remade),
            )
            if failure or (undone and not undone.whole):
                return
            before = after
    finally:
        tracer.close()


def _run(
    tracer: Tracer,
    script: Script,
    estimate: Estimate,
    foresight: Foresight,
    copied: Copy,
    again: Again | None = None,
    sizes: Mapping[str, Size] = MappingProxyType({}),
) -> tuple[list[PlanStep], Finding | None]:
    import psycopg

    steps: list[PlanStep] = []
    alone = not script.directives.transactional
    statement: Statement | None = None
    try:
        if not alone:
            tracer.begin()
        for statement in script.statements:
            rows = estimate(statement) if statement.kind in WRITES else None
            tables = {oid: row["name"] for oid, row in tracer.now.items() if oid in tracer.known}
            if alone:
                done = tracer.run_alone(statement, named_relations(statement))
            else:
                done = tracer.run(statement)
            place = script.source.place(statement.start)
            step = PlanStep(place, done, rows, tuple(foresight.look(done)), tables)
            if statement.kind in WRITES and script.directives.batch is not None:
                batches, refused = planned_batches(tracer.connection, script, sizes)
                step = replace(step, batches=batches)
                if refused is not None:
                    return [*steps, step], refused
            steps.append(step)
        statement = None
        if not alone:
            tracer.settle()
            copied.demand_untouched(tracer.connection, script)
            tracer.commit()
    except psycopg.Error as error:
        tracer.roll_back()
        if again is not None and statement is not None:
            done_otherwise = again(statement, error)
            if done_otherwise is not None:
                return steps, done_otherwise[0]
        found = _failure(script, statement, error)
        return steps, scratch_role.refusal(error, found, tracer.connection.info.user) or found
    return steps, None


def _failure(script: Script, statement: Statement | None, error: Any) -> Finding:
    where = statement.start if statement else len(script.source.text)
    position = error.diag.statement_position
    if statement is not None and position is not None:
        where += int(position) - 1
    lacks = lacking(str(error))
    return Finding(
        LACKING if lacks else "P101",
        "error",
        f"fails on a copy of the live schema: {error.diag.message_primary or error}",
        script.source.place(where),
        cause=f"PostgreSQL {error.sqlstate}"
        + (f": {error.diag.message_detail}" if error.diag.message_detail else ""),
        fix=lacks or error.diag.message_hint,
    )


def _broken(script: Script, broken: Broken) -> Finding:
    return Finding(
        "P109" if broken.fails else "P110",
        "error" if broken.fails else "warning",
        f"query {broken.name}: {broken.reason}",
        broken.place,
        cause=f"it works before {script.source.file} and not after it"
        if broken.fails
        else f"{script.source.file} drops the index",
        fix="deploy a version that does not need it first, or change the query with the migration",
    )


def _standing(script: Script, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that the file does not waive, worst first."""
    kept = [finding for finding in findings if finding.code not in script.directives.allow]
    return sorted(kept, key=lambda finding: -SEVERITIES.index(finding.severity))


def _unknown(steps: Sequence[PlanStep]) -> Iterator[str]:
    for step in steps:
        where = f"line {step.place.line}"
        for answer in step.answers:
            if answer.unknown is not None:
                yield f"{where}: whether {answer.demand} ({answer.unknown})"
        if step.trace.statement.kind in ("do_stmt", "call_stmt", "select_stmt"):
            yield f"{where}: how long it takes, and what it does that depends on rows"


def sizes_of(live: Connection[Any]) -> dict[str, Size]:
    """Return the size of each live table by qualified name; a partitioned one is its parts'."""
    from todo_sql.catalog.read import rows

    return {
        row["name"]: Size(None if row["rows"] < 0 else row["rows"], row["bytes"])
        for row in rows(live, "sizes")
    }


def distrust(live: Connection[Any]) -> str | None:
    """Return why nothing is asked of the target: what others wrote would run as a superuser.

    Planning a statement calls immutable functions in it, in indexes and in constraints.
    """
    from todo_sql.catalog.read import rows

    for row in rows(live, "runs_as_superuser"):
        return f"{row['name']} is no superuser's, and would run as one: use another login"
    return None


def estimator(live: Connection[Any]) -> Callable[[Statement], int | None]:
    """Return what asks the live planner how many rows a statement would touch."""
    import psycopg

    def estimate(statement: Statement) -> int | None:
        try:
            with live.transaction(force_rollback=True):
                live.execute("set local transaction_read_only = on")
                live.execute("set local lock_timeout = '1s'")
                row = live.execute(b"explain (format json) " + statement.text.encode()).fetchone()
        except psycopg.Error:
            return None  # it needs what an earlier pending migration makes
        plan = row[0][0]["Plan"] if row else {}
        inner = plan.get("Plans") or [plan]
        return int(inner[0].get("Plan Rows", 0))

    return estimate
