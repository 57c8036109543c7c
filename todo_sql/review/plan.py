"""What pending migrations do to a database in use: traced on a copy, weighed by live sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.diff import compare
from todo_sql.catalog.read import rows
from todo_sql.catalog.snapshot import take
from todo_sql.compiler import scratch_role
from todo_sql.errors import Finding, TodoSqlError
from todo_sql.migrations.connecting import open_link
from todo_sql.migrations.engine.failure import LACKING, Failure, lacking
from todo_sql.migrations.engine.remake import Remake
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.migrations.progress import Events
from todo_sql.migrations.repeating import PREFIX
from todo_sql.review import undo
from todo_sql.review.broken import Broken, Queries
from todo_sql.review.copy import Copy
from todo_sql.review.foresight import Foresight
from todo_sql.review.hazards import SEVERITIES, PlanStep, hazards, rewritable
from todo_sql.review.locks import Tracer
from todo_sql.review.planned_batches import Size, planned_batches
from todo_sql.review.row_writes import WRITES, named_relations
from todo_sql.sql.grammar import Statement


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
    steps: Sequence[PlanStep] = ()
    broken: Sequence[Broken] = ()
    findings: Sequence[Finding] = ()
    unknown: Sequence[str] = ()
    diff: str | None = None
    remade: Sequence[str] = ()


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
            Finding.error(
                LACKING if lacking(what) else "P113",
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
Again = Callable[[int, psycopg.Error], tuple[list[str], Finding | None] | None]


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
            script, reason, diff, again = migration.forward, "file", None, None
            repeats = migration.id.startswith(PREFIX)
            if repeats:
                del repeatables[0]
                again = partial(_remade, copied, script, repeatables, settings)
                name, reason = migration.id.removeprefix(PREFIX), "repeatable"
                diff = _difference((former or {}).get(name), script)
            steps, failure, remade = _run(tracer, script, target, foresight, copied, again)
            failure = failure and settings.hidden(failure)
            after = before if failure else take(tracer.connection)
            broken: list[Broken] = []
            if any(change.kind not in _HARMLESS for change in compare(before, after)):
                broken += queries.broken(tracer.connection)
            wrong: list[Finding] = []
            whole, undone = not failure, None
            if migration.rollback is not None and not failure:
                wrong, whole = undo.prove(tracer, migration.rollback, script, before)
                undone = not wrong
            findings = [failure] if failure else []
            for step in steps:
                found = hazards(step, target.sizes)
                findings += found if repeats else (rewritable(f, step, migration.id) for f in found)
            findings += (_broken(script, one) for one in broken)
            findings += wrong
            if migration.rollback is None and not repeats:
                reason = script.directives.irreversible or ""
                place = script.place_of_directive("irreversible")
                findings.append(Finding("P108", "warning", f"cannot be undone: {reason}", place))
            standing = [one for one in findings if one.code not in script.directives.allow]
            standing.sort(key=lambda one: -SEVERITIES.index(one.severity))
            unknown = list(_unknown(steps))
            yield Planned(migration, reason, undone, steps, broken, standing, unknown, diff, remade)
            if not whole:
                return
            before = after
    finally:
        tracer.close()


def _run(
    tracer: Tracer,
    script: Script,
    target: LiveTarget,
    foresight: Foresight,
    copied: Copy,
    again: Again | None,
) -> tuple[list[PlanStep], Finding | None, list[str]]:
    """Return what each statement does, why one fails, and what was dropped and made again."""
    steps: list[PlanStep] = []
    alone = not script.directives.transactional
    statement: Statement | None = None
    try:
        if not alone:
            tracer.begin()
        for statement in script.statements:
            rows = target.estimate(statement) if statement.kind in WRITES else None
            tables = {oid: row["name"] for oid, row in tracer.now.items() if oid in tracer.known}
            if alone:
                done = tracer.run_alone(statement, named_relations(statement))
            else:
                done = tracer.run(statement)
            place = script.source.place(statement.start)
            step = PlanStep(place, done, rows, tuple(foresight.look(done)), tables)
            if statement.kind in WRITES and script.directives.batch is not None:
                batches, refused = planned_batches(tracer.connection, script, target.sizes)
                step = replace(step, batches=batches)
                if refused is not None:
                    return [*steps, step], refused, []
            steps.append(step)
        statement = None
        if not alone:
            tracer.settle()
            copied.demand_untouched(tracer.connection, script)
            tracer.commit()
    except psycopg.Error as error:
        tracer.roll_back()
        if again is not None and statement is not None:
            remade = again(script.statements.index(statement), error)
            if remade is not None:
                tracer.look_again()
                return steps, remade[1], remade[0]
        found = _failure(script, statement, error)
        return steps, scratch_role.refusal(error, found, tracer.connection.info.user) or found, []
    return steps, None, []


def _difference(former: Script | None, script: Script) -> str:
    """Return the difference between the text that ran last and the file; all of a new one."""
    before = former.source.text.splitlines() if former else []
    lines = unified_diff(before, script.source.text.splitlines(), lineterm="", n=2)
    return "\n".join(list(lines)[2:])


def _remade(
    copied: Copy,
    script: Script,
    others: Sequence[Script],
    settings: Settings,
    number: int,
    error: psycopg.Error,
) -> tuple[list[str], Finding | None] | None:
    """Run a file on a copy, where one of its statements could not replace what is there.

    Returns:
        What is dropped and made again, and why it cannot be; None: it failed for another reason.
    """
    with open_link(copied.url, writes=True) as link:
        link.settings = settings
        remake = Remake(link, script, [script], Events(), lambda _: (), others=others)
        if not remake.takes(Failure(error, number)):
            return None
        link.take_lock(None, Events())
        try:
            remake.run()
        except TodoSqlError as refused:
            return sorted(remake.taken), refused.finding
        return sorted(remake.taken), None


def _failure(script: Script, statement: Statement | None, error: Any) -> Finding:
    where = statement.start if statement else len(script.source.text)
    position = error.diag.statement_position
    if statement is not None and position is not None:
        where += int(position) - 1
    lacks, detail = lacking(str(error)), error.diag.message_detail
    return Finding.error(
        LACKING if lacks else "P101",
        f"fails on a copy of the live schema: {error.diag.message_primary or error}",
        script.source.place(where),
        cause=f"PostgreSQL {error.sqlstate}" + (f": {detail}" if detail else ""),
        fix=lacks or error.diag.message_hint,
    )


def _broken(script: Script, broken: Broken) -> Finding:
    file = script.source.file
    works, drops = f"it works before {file} and not after it", f"{file} drops the index"
    return Finding(
        "P109" if broken.fails else "P110",
        "error" if broken.fails else "warning",
        f"query {broken.name}: {broken.reason}",
        broken.place,
        cause=works if broken.fails else drops,
        fix="deploy a version that does not need it first, or change the query with the migration",
    )


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
    return {
        row["name"]: Size(None if row["rows"] < 0 else row["rows"], row["bytes"])
        for row in rows(live, "sizes")
    }


def distrust(live: Connection[Any]) -> str | None:
    """Return why nothing is asked of the target: what others wrote would run as a superuser.

    Planning a statement calls immutable functions in it, in indexes and in constraints.
    """
    for row in rows(live, "runs_as_superuser"):
        return f"{row['name']} is no superuser's, and would run as one: use another login"
    return None


def estimator(live: Connection[Any]) -> Estimate:
    """Return what asks the live planner how many rows a statement would touch."""

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
