"""What is dangerous in a traced statement, weighed by live sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from todo_sql.errors import Finding, Place, Severity
from todo_sql.review.foresight import RowsAnswer
from todo_sql.review.linting.reviewed import by_rewrite
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import Trace
from todo_sql.review.planned_batches import PlannedBatches, Size
from todo_sql.review.row_writes import WRITES

# Rows up to which a scan, a rewrite or a build of an index is over before anyone notices.
FEW = 10_000
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
    return "warning" if rows is None else "info" if rows <= FEW else "error"


# By code, why it is dangerous, and what to do instead.
_ADVICE: Mapping[str, tuple[str | None, str]] = {
    "P102": (
        "neither reads nor writes get through until it is done",
        "add a new column or table, copy in batches, then swap",
    ),
    "P103": (
        None,
        "create it concurrently in a `-- transactional: false` file; a key can then be added "
        "`using index`",
    ),
    "P104": (
        None,
        "add the constraint `not valid` and validate it in a later migration; for not null, have "
        "a validated check (… is not null) first",
    ),
    "P105": (
        "the lock was taken by an earlier statement of the file and stays to its end",
        "put it into a migration of its own, or before the statement that takes the lock",
    ),
    "P106": (
        "their locks and old versions stay until the end of the file",
        "write them in batches: `-- batch: TABLE` in a migration of its own",
    ),
    "P107": (
        "what it holds is lost, and a rollback does not bring it back",
        "make sure that nothing reads it any more, and that there is a backup",
    ),
    "P112": (
        "what still says the old name fails from then on: running programs, too",
        "deploy what knows both names first, or keep the old one as a view",
    ),
}
Hazard = tuple[str, Severity, str]
"""A code, how bad it is, and what is said of it."""


def hazards(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    """Yield what is dangerous in a statement on tables of these sizes."""
    for answer in step.answers:
        if answer.fails is not None:
            said = f"will fail on the live rows: {answer.demand}"
            fix = "correct the rows first, in a migration that comes before this one"
            yield Finding.error("P114", said, step.place, cause=answer.fails, fix=fix)
    for code, severity, said in (*_held_up(step, sizes), *_gone(step, sizes)):
        cause, fix = _ADVICE[code]
        yield Finding(code, severity, said, step.place, cause=cause, fix=fix)


_REWRITTEN = ("P102", "P103", "P104", "P105", "P106", "P112")
_WITHOUT_RECIPE = ("alter_domain_stmt", "do_stmt", "call_stmt")


def rewritable(finding: Finding, step: PlanStep, id: str) -> Finding:
    """Return a finding whose fix names `todo-sql rewrite`, where there is a recipe for it."""
    statement = step.trace.statement
    again = statement.kind == "cluster_stmt" and not statement.node.cluster_stmt.indexname
    if finding.code not in _REWRITTEN or statement.kind in _WITHOUT_RECIPE or again:
        return finding
    return replace(finding, fix=by_rewrite(id, finding.fix))


def _held_up(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Hazard]:
    trace = step.trace
    for name in trace.rewritten:
        if name not in trace.emptied:
            copied = f"copies {_told(name, sizes)} under an ACCESS EXCLUSIVE lock"
            yield "P102", _weight(name, sizes), copied
    waiting = {
        lock.relation: " and ".join(lock.blocks[:-1])
        for lock in trace.locks
        if "writes" in lock.blocks and lock.relation not in trace.rewritten
    }
    waiting |= dict.fromkeys({*trace.under} - {*trace.rewritten}, "reads and writes")
    built = [(index, name) for index, name in trace.built if name in waiting]
    for index, name in built:
        wait = f"while {waiting[name]} of {_told(name, sizes)} wait"
        yield "P103", _weight(name, sizes), f"builds index {shown(index)} {wait}"
    for name in trace.scanned:
        if name in waiting and name not in dict(built).values():
            reads = f"reads all of {_told(name, sizes)} while {waiting[name]} wait"
            yield "P104", _weight(name, sizes), reads
    kind = trace.statement.kind
    slow = trace.rewritten or trace.scanned or trace.built
    if trace.under and (slow or kind in (*WRITES, "select_stmt", "do_stmt", "call_stmt")):
        worst = max((_weight(name, sizes) for name in trace.under), key=SEVERITIES.index)
        names = ", ".join(map(shown, trace.under))
        yield "P105", worst, f"runs while an ACCESS EXCLUSIVE lock is held on {names}"
    if step.rows is not None and step.rows > FEW and step.batches is None:
        yield "P106", "warning", f"touches about {step.rows:,} rows in one transaction"


def _told(name: str, sizes: Mapping[str, Size], what: str = "") -> str:
    """Return how a table is named, or what of it, with its live size."""
    rows = sizes[name].rows if name in sizes else None
    return f"{what or shown(name)} ({'rows unknown' if rows is None else f'about {rows:,} rows'})"


def _gone(step: PlanStep, sizes: Mapping[str, Size]) -> Iterator[Hazard]:
    """Yield what is lost, and what has another name."""
    trace = step.trace
    lost = [(f"drops table {shown(name)}", name) for name in trace.dropped]
    lost += [(f"empties table {shown(name)}", name) for name in trace.emptied]
    for column in trace.change.dropped:
        if table := step.tables.get(column["oid"]):  # else one that this very plan makes
            lost.append((f"drops column {shown(table)}.{column['name']}", table))
    for what, table in lost:
        is_empty = table in sizes and sizes[table].rows == 0
        yield "P107", "info" if is_empty else "warning", _told(table, sizes, what)
    for old, new in trace.renamed:
        yield "P112", "warning", f"renames {shown(old)} to {shown(new)}"
    for was, now in trace.change.renamed:
        if table := step.tables.get(was["oid"]):
            yield "P112", "warning", f"renames column {shown(table)}.{was['name']} to {now['name']}"
