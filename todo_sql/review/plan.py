"""What pending migrations do to a database in use: traced on a copy, weighed by live sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.snapshot import take
from todo_sql.compiler import scratch_role
from todo_sql.errors import Finding, Place, Severity
from todo_sql.migrations.engine.failure import lacking
from todo_sql.migrations.files.folder import Migration, Script
from todo_sql.review.broken import Broken, Queries
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import WRITES, Trace, Tracer, named_relations
from todo_sql.sql.grammar import Statement

if TYPE_CHECKING:
    from psycopg import Connection

FEW = 10_000
"""Rows up to which a scan, a rewrite or a build of an index is over before anyone notices."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a live table is; `rows` is None where it was never analyzed."""

    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One statement: where it stands, what it did on the copy, the rows it will touch."""

    place: Place
    trace: Trace
    rows: int | None = None


@dataclass(frozen=True)
class Planned:
    """One pending migration.

    Attributes:
        rollback: ``file``, or why it cannot be undone.
        broken: Named queries that worked before it and do not after it.
        findings: Hazards, worst first; waived ones are not among them.
        unknown: What depends on rows, and is not known from a copy without any.
    """

    migration: Migration
    rollback: str
    steps: tuple[PlanStep, ...] = ()
    broken: tuple[Broken, ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Every pending migration, and what of the live catalog could not be copied."""

    database: str
    version: int
    migrations: tuple[Planned, ...]
    not_copied: tuple[str, ...] = ()
    sizes: Mapping[str, Size] = field(default_factory=dict)


# Changes of these kinds break no query.
_HARMLESS = ("comment", "grant", "default_privilege", "policy", "trigger", "statistics")


def trace(
    url: str,
    pending: Sequence[Migration],
    sizes: Mapping[str, Size],
    queries: Queries,
    estimate: Callable[[Statement], int | None],
    lint: Mapping[str, Sequence[Finding]],
) -> Iterator[Planned]:
    """Apply pending migrations on a copy and yield what each does; ends at one that fails.

    Args:
        url: Of the copy.
        pending: In order.
        sizes: The live tables, by qualified name.
        queries: The named queries.
        estimate: Tells how many rows a statement would touch, by the live statistics.
        lint: Findings by file.
    """
    tracer = Tracer(url)
    try:
        queries.learn(tracer.connection)
        before = take(tracer.connection)
        for migration in pending:
            steps, failure = _run(tracer, migration.forward, estimate)
            after = before if failure else take(tracer.connection)
            changes = compare(before, after)
            broken: tuple[Broken, ...] = ()
            if any(change.kind not in _HARMLESS for change in changes):
                broken = tuple(queries.broken(tracer.connection))
            findings = [
                *([failure] if failure else ()),
                *(finding for step in steps for finding in hazards(step, sizes)),
                *_losses(migration.forward, changes, sizes),
                *(_broken(migration.forward, one) for one in broken),
                *lint.get(migration.forward.source.file, ()),
            ]
            if migration.rollback is None:
                reason = migration.forward.directives.irreversible or ""
                place = migration.forward.place_of_directive("irreversible")
                findings.append(Finding("P108", "warning", f"cannot be undone: {reason}", place))
            else:
                reason = "file"
                findings += lint.get(migration.rollback.source.file, ())
            yield Planned(
                migration,
                reason,
                tuple(steps),
                broken,
                tuple(_standing(migration.forward, findings)),
                tuple(_unknown(steps)),
            )
            if failure:
                return
            before = after
    finally:
        tracer.close()


def _run(
    tracer: Tracer, script: Script, estimate: Callable[[Statement], int | None]
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
            if alone:
                done = tracer.run_alone(statement, named_relations(statement))
            else:
                done = tracer.run(statement)
            steps.append(PlanStep(script.source.place(statement.start), done, rows))
        statement = None
        if not alone:
            tracer.commit()
    except psycopg.Error as error:
        tracer.roll_back()
        found = _failure(script, statement, error)
        return steps, scratch_role.refusal(error, found, tracer.connection.info.user) or found
    return steps, None


def _failure(script: Script, statement: Statement | None, error: Any) -> Finding:
    where = statement.start if statement else len(script.source.text)
    position = error.diag.statement_position
    if statement is not None and position is not None:
        where += int(position) - 1
    return Finding(
        "P101",
        "error",
        f"fails on a copy of the live schema: {error.diag.message_primary or error}",
        script.source.place(where),
        cause=f"PostgreSQL {error.sqlstate}"
        + (f": {error.diag.message_detail}" if error.diag.message_detail else ""),
        fix=lacking(str(error)) or error.diag.message_hint,
    )


def _weight(name: str, sizes: Mapping[str, Size]) -> Severity:
    """Return how bad it is to hold up a table, by its live size."""
    rows = sizes[name].rows if name in sizes else None
    if rows is None:
        return "warning"
    return "info" if rows <= FEW else "error"


def hazards(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    """Yield what is dangerous in a statement on tables of these sizes."""
    trace, place = step.trace, step.place
    for name in trace.rewritten:
        yield Finding(
            "P102",
            _weight(name, sizes),
            f"copies {shown(name)}{_rows(name, sizes)} under an ACCESS EXCLUSIVE lock",
            place,
            cause="neither reads nor writes get through until it is done",
            fix="add a new column or table, copy in batches, then swap",
        )
    waiting = {
        lock.relation: " and ".join(lock.blocks[:-1])
        for lock in trace.locks
        if "writes" in lock.blocks
    } | dict.fromkeys(trace.under, "reads and writes")
    for index, name in trace.built:
        if name in waiting and name not in trace.rewritten:
            yield Finding(
                "P103",
                _weight(name, sizes),
                f"builds index {shown(index)} while {waiting[name]} of {shown(name)}"
                f"{_rows(name, sizes)} wait",
                place,
                fix="create it concurrently in a `-- transactional: false` file; a key can then "
                "be added `using index`",
            )
    for name in trace.scanned:
        if name in waiting and name not in trace.rewritten and not _builds(trace, name):
            yield Finding(
                "P104",
                _weight(name, sizes),
                f"reads all of {shown(name)}{_rows(name, sizes)} while {waiting[name]} wait",
                place,
                fix="add the constraint `not valid` and validate it in a later migration; for "
                "not null, have a validated check (… is not null) first",
            )
    if trace.under and _is_slow(step):
        names = ", ".join(shown(name) for name in trace.under)
        yield Finding(
            "P105",
            max((_weight(name, sizes) for name in trace.under), key=_SEVERITIES.index),
            f"runs while an ACCESS EXCLUSIVE lock is held on {names}",
            place,
            cause="the lock was taken by an earlier statement of the file and stays to its end",
            fix="put it into a migration of its own, or before the statement that takes the lock",
        )
    if step.rows is not None and step.rows > FEW:
        yield Finding(
            "P106",
            "warning",
            f"touches about {step.rows:,} rows in one transaction",
            place,
            cause="their locks and old versions stay until the end of the file",
            fix="write them in batches, in a migration of its own",
        )


_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


def _builds(trace: Trace, name: str) -> bool:
    return any(table == name for _, table in trace.built)


def _is_slow(step: PlanStep) -> bool:
    trace = step.trace
    return bool(
        trace.rewritten
        or trace.scanned
        or trace.built
        or step.trace.statement.kind in (*WRITES, "select_stmt", "do_stmt", "call_stmt")
    )


def _rows(name: str, sizes: Mapping[str, Size]) -> str:
    size = sizes.get(name)
    if size is None or size.rows is None:
        return " (rows unknown)"
    return f" (about {size.rows:,} rows)"


def _losses(
    script: Script, changes: Sequence[Difference], sizes: Mapping[str, Size]
) -> Iterator[Finding]:
    place = script.source.place(script.statements[0].start if script.statements else 0)
    for difference in changes:
        if difference.after is not None or difference.kind not in ("table", "column"):
            continue
        if difference.kind == "column" and not (difference.item.parent or "").startswith("table "):
            continue
        name = difference.object
        table = name if difference.kind == "table" else (difference.item.parent or "")[6:]
        yield Finding(
            "P107",
            "info" if table in sizes and sizes[table].rows == 0 else "warning",
            f"drops {difference.kind} {shown(name)}{_rows(table, sizes)}",
            place,
            cause="what it holds is lost, and a rollback does not bring it back",
            fix="make sure that nothing reads it any more, and that there is a backup",
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
    return sorted(kept, key=lambda finding: -_SEVERITIES.index(finding.severity))


def _unknown(steps: Sequence[PlanStep]) -> Iterator[str]:
    for step in steps:
        trace, where = step.trace, f"line {step.place.line}"
        if trace.scanned and trace.statement.kind == "alter_table_stmt":
            yield f"{where}: whether the rows satisfy what is validated"
        if any(index for index, _ in trace.built) and _unique(trace.statement):
            yield f"{where}: whether the values are unique"
        if trace.statement.kind in ("do_stmt", "call_stmt", "select_stmt"):
            yield f"{where}: how long it takes, and what it does that depends on rows"


def _unique(statement: Statement) -> bool:
    return "unique" in statement.text.lower() or "primary key" in statement.text.lower()


def sizes_of(live: Connection[Any]) -> dict[str, Size]:
    """Return the size of each live table by qualified name; a partitioned one is its parts'."""
    from todo_sql.catalog.read import rows

    return {
        row["name"]: Size(None if row["rows"] < 0 else row["rows"], row["bytes"])
        for row in rows(live, "sizes")
    }


def estimator(live: Connection[Any]) -> Callable[[Statement], int | None]:
    """Return what asks the live planner how many rows a statement would touch; runs nothing."""
    import psycopg

    def estimate(statement: Statement) -> int | None:
        try:
            with live.transaction(force_rollback=True):
                row = live.execute(b"explain (format json) " + statement.text.encode()).fetchone()
        except psycopg.Error:
            return None  # it needs what an earlier pending migration makes
        plan = row[0][0]["Plan"] if row else {}
        inner = plan.get("Plans") or [plan]
        return int(inner[0].get("Plan Rows", 0))

    return estimate
