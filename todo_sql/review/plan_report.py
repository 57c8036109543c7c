"""A plan as a person reads it: for a terminal, and as Markdown for a pull request. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from todo_sql.catalog.markdown import block, code, untagged
from todo_sql.errors import Finding
from todo_sql.review.hazards import PlanStep
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import Lock
from todo_sql.review.plan import Plan, Planned

_WIDTH = 78  # of a statement, where a person reads
_AGAIN = (
    "and makes them again in one transaction, under ACCESS EXCLUSIVE, with privileges and comments"
)


def mode(lock: Lock) -> str:
    """Return a lock mode as PostgreSQL's manual writes it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", lock.mode.removesuffix("Lock")).upper()


def effects(step: PlanStep) -> Iterator[str]:
    """Yield what a statement does, a line each: strong locks, rewrites, builds, scans, rows."""
    for lock in step.trace.locks:
        if lock.blocks and lock.kind in "rpmvf":
            yield f"{mode(lock)} on {shown(lock.relation)}: blocks {_listed(lock.blocks)}"
    for name in step.trace.rewritten:
        yield f"{'empties' if name in step.trace.emptied else 'copies'} {shown(name)}"
    for index, table in step.trace.built:
        if table not in step.trace.emptied:
            yield f"builds index {shown(index)} of {shown(table)}"
    for name in step.trace.scanned:
        yield f"reads all of {shown(name)}"
    if step.rows is not None:
        yield f"touches about {step.rows:,} rows"
    if step.batches is not None:
        yield str(step.batches)


def text(plan: Plan, width: int | None = None) -> str:
    """Return the plan as text without its findings; of each statement at most `width` signs."""
    if not plan.migrations:
        return f"nothing is pending on {plan.database}"
    parts = []
    for planned in plan.migrations:
        lines = [f"{planned.migration.id}  ({_undo(planned)})"]
        if width is not None and len(lines[0]) > width:
            lines = [planned.migration.id, f"  ({_undo(planned)})"]
        lines += [f"        | {line}" for line in (planned.diff or "").splitlines()]
        lines += _remade(planned)
        for step in planned.steps:
            lines.append(f"  {step.place.line:>4}  {_head(step, width)}")
            lines += [f"          {effect}" for effect in effects(step)]
        lines += [f"  unknown  {unknown}" for unknown in planned.unknown]
        parts.append("\n".join(lines))
    parts += [f"not tried: {name}, after one that fails" for name in plan.untried]
    return "\n\n".join(parts)


def markdown(plan: Plan, sequences: Mapping[str, str] = {}) -> str:
    """Return the plan as Markdown, with its findings.

    `sequences` are, by id, what `todo-sql rewrite` would make of a migration.
    """
    count = len(plan.migrations) + len(plan.untried)
    parts = [
        "## Plan",
        f"{count} pending migration{'' if count == 1 else 's'} on {code(plan.database)} "
        f"(PostgreSQL {plan.version // 10000}).",
    ]
    for planned in plan.migrations:
        parts.append(f"### {planned.migration.id}")
        parts.append(f"It {_undo(planned)}.")
        if planned.diff:
            parts.append(block("diff", planned.diff))
        parts += [_cell(line.strip()) + "." for line in _remade(planned)]
        rows = [
            f"| {step.place.line} | {code(_head(step, _WIDTH)).replace('|', chr(92) + '|')} | "
            f"{'<br>'.join(map(_cell, effects(step))) or 'nothing that others notice'} |"
            for step in planned.steps
        ]
        parts.append("\n".join(["| line | statement | effect |", "|---|---|---|", *rows]))
        if planned.findings:
            parts.append("\n".join(_bullet(finding) for finding in planned.findings))
        if sequences.get(planned.migration.id):
            parts.append(sequences[planned.migration.id])
        if planned.unknown:
            parts.append(f"Unknown until it runs: {_cell('; '.join(planned.unknown))}.")
    if plan.untried:
        names = ", ".join(map(code, plan.untried))
        parts.append(f"Not tried, since one before fails: {names}.")
    if plan.not_copied:
        parts.append("Could not be copied, so not tried:")
        parts.append("\n".join(f"- {_cell(missing)}" for missing in plan.not_copied))
    return "\n\n".join(parts)


def document(plan: Plan) -> dict[str, Any]:
    """Return the JSON form."""
    return {
        "database": plan.database,
        "version": plan.version,
        "migrations": [
            {
                "id": planned.migration.id,
                "rollback": planned.rollback,
                "undone": planned.undone,
                "statements": [_statement(step) for step in planned.steps],
                "broken": [{"query": b.name, "reason": b.reason} for b in planned.broken],
                "unknown": list(planned.unknown),
                "diff": planned.diff,
                "remade": list(planned.remade),
            }
            for planned in plan.migrations
        ],
        "not_copied": list(plan.not_copied),
        "untried": list(plan.untried),
        "findings": [finding.as_dict() for finding in plan.findings],
    }


def _statement(step: PlanStep) -> dict[str, Any]:

    found: dict[str, Any] = {
        "line": step.place.line,
        "statement": _head(step),
        "locks": [lock.as_dict() for lock in step.trace.locks],
        "rewritten": list(step.trace.rewritten),
        "built": [index for index, _ in step.trace.built],
        "scanned": list(step.trace.scanned),
        "under": list(step.trace.under),
        "rows": step.rows,
    }
    if batches := step.batches:
        words = {"table": batches.table, "key": list(batches.key)}
        found["batches"] = words | {"rows": batches.keys, "batches": batches.batches}
    return found | {"asked": [asdict(answer) for answer in step.answers]}


def _remade(planned: Planned) -> list[str]:
    names = ", ".join(map(shown, planned.remade))
    return [f"  drops {names} {_AGAIN}"] if names else []


def _undo(planned: Planned) -> str:
    if planned.rollback == "repeatable":
        return "runs again when its text changes; a rollback brings the former text back"
    if planned.rollback != "file":
        return f"cannot be undone: {planned.rollback}"
    return {
        True: "can be undone: its rollback was tried on the copy, which has no rows",
        False: "is not undone by its rollback",
        None: "has a rollback, which was not tried",
    }[planned.undone]


def _head(step: PlanStep, width: int | None = None) -> str:
    text = " ".join(step.trace.statement.text.split())
    return text if width is None or len(text) <= width else text[: width - 2] + " …"


def _bullet(finding: Finding) -> str:
    where = f" ({finding.place})" if finding.place else ""
    fix = f" Instead: {finding.fix}." if finding.fix else ""
    return f"- **{finding.severity}** {finding.code}{where}: {_cell(finding.message)}.{_cell(fix)}"


def _cell(text: str) -> str:
    return untagged(text).replace("|", "\\|").replace("\n", " ")


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
