"""What is dangerous in a traced statement, weighed by live sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from todo_sql.errors import Finding, Place, Severity
from todo_sql.review.foresight import RowsAnswer
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import Trace
from todo_sql.review.planned_batches import PlannedBatches, Size
from todo_sql.review.row_writes import WRITES
from todo_sql.review.safe_steps import by_rewrite

FEW = 10_000
"""Rows up to which a scan, a rewrite or a build of an index is over before anyone notices."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One statement.

    Attributes:
        place: Where it stands.
        trace: What it did on the copy.
        rows: How many it will touch.
        answers: What the live rows say to it.
        tables: The qualified name of each table of the copy, by its oid.
        batches: How it runs in batches, where it does.
    """

    place: Place
    trace: Trace
    rows: int | None = None
    answers: tuple[RowsAnswer, ...] = ()
    tables: Mapping[int, str] = field(default_factory=dict)
    batches: PlannedBatches | None = None


def _weight(name: str, sizes: Mapping[str, Size]) -> Severity:
    """Return how bad it is to hold up a table, by its live size."""
    rows = sizes[name].rows if name in sizes else None
    if rows is None:
        return "warning"
    return "info" if rows <= FEW else "error"


def hazards(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    """Yield what is dangerous in a statement on tables of these sizes."""
    for answer in step.answers:
        if answer.fails is not None:
            yield Finding(
                "P114",
                "error",
                f"will fail on the live rows: {answer.demand}",
                step.place,
                cause=answer.fails,
                fix="correct the rows first, in a migration that comes before this one",
            )
    yield from _held_up(step, sizes)
    yield from _lost(step, sizes)
    yield from _renamed(step)


_REWRITTEN = ("P102", "P103", "P104", "P105", "P106", "P112")
_WITHOUT_RECIPE = ("alter_domain_stmt", "do_stmt", "call_stmt")


def rewritable(finding: Finding, step: PlanStep, id: str) -> Finding:
    """Return a finding whose fix names `todo-sql rewrite`, where there is a recipe for it."""
    statement = step.trace.statement
    again = statement.kind == "cluster_stmt" and not statement.node.cluster_stmt.indexname
    if finding.code not in _REWRITTEN or statement.kind in _WITHOUT_RECIPE or again:
        return finding
    return replace(finding, fix=by_rewrite(id, finding.fix))


def _held_up(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    trace, place = step.trace, step.place
    for name in trace.rewritten:
        if name in trace.emptied:
            continue
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
            max((_weight(name, sizes) for name in trace.under), key=SEVERITIES.index),
            f"runs while an ACCESS EXCLUSIVE lock is held on {names}",
            place,
            cause="the lock was taken by an earlier statement of the file and stays to its end",
            fix="put it into a migration of its own, or before the statement that takes the lock",
        )
    if step.rows is not None and step.rows > FEW and step.batches is None:
        yield Finding(
            "P106",
            "warning",
            f"touches about {step.rows:,} rows in one transaction",
            place,
            cause="their locks and old versions stay until the end of the file",
            fix="write them in batches: `-- batch: TABLE` in a migration of its own",
        )


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


def _lost(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    trace = step.trace
    lost = [(f"drops table {shown(name)}", name) for name in trace.dropped]
    lost += [(f"empties table {shown(name)}", name) for name in trace.emptied]
    for column in trace.change.dropped:
        table = step.tables.get(column["oid"])
        if table is not None:  # else one that this very plan makes
            lost.append((f"drops column {shown(table)}.{column['name']}", table))
    for what, table in lost:
        yield Finding(
            "P107",
            "info" if table in sizes and sizes[table].rows == 0 else "warning",
            f"{what}{_rows(table, sizes)}",
            step.place,
            cause="what it holds is lost, and a rollback does not bring it back",
            fix="make sure that nothing reads it any more, and that there is a backup",
        )


def _renamed(step: PlanStep) -> Iterator[Finding]:
    renamed = [(shown(old), shown(new)) for old, new in step.trace.renamed]
    for was, now in step.trace.change.renamed:
        table = step.tables.get(was["oid"])
        if table is not None:
            renamed.append((f"column {shown(table)}.{was['name']}", now["name"]))
    for old, new in renamed:
        yield Finding(
            "P112",
            "warning",
            f"renames {old} to {new}",
            step.place,
            cause="what still says the old name fails from then on: running programs, too",
            fix="deploy what knows both names first, or keep the old one as a view",
        )
