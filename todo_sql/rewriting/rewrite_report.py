"""A sequence as a person reads it: on a terminal, in a pull request, as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from todo_sql.catalog.markdown import block, code
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import MODES, Lock
from todo_sql.review.plan_report import mode
from todo_sql.rewriting.rewrite import Rewrite, RewrittenFile


def text(found: Rewrite) -> str:
    """Return a sequence with what it locks, beside the original."""
    if not found.files:
        return f"{found.original.id}: nothing is rewritten"
    lines = [f"{found.original.id} becomes {len(found.files)} migrations", ""]
    lines.append(f"  as it was: {_effect(found.locks, found.copied)}")
    lines += [
        f"  {file.id}{_phase(file)}: {_effect(file.locks, file.copied)}" for file in found.files
    ]
    lines += [f"  {old} gets a later version: {new}" for old, new in found.renumbered]
    lines += ["", f"  {proved(found)}"]
    return "\n".join(lines)


def proved(found: Rewrite) -> str:
    """Return what was proved of a sequence."""
    proof = found.proof or {}
    return "proved on copies: " + ", ".join(f"{name} {said}" for name, said in proof.items())


def document(found: Rewrite) -> dict[str, Any]:
    """Return the JSON form."""
    return {
        "id": found.original.id,
        "files": [
            {
                "id": file.id,
                "phase": found.original.forward.directives.phase or file.step.phase or "expand",
                "transactional": not file.step.alone,
                "sql": file.text,
                "rollback": file.rollback,
                "locks": [lock.as_dict() for lock in file.locks],
                "rewritten": list(file.copied),
            }
            for file in found.files
        ],
        "proof": found.proof,
        "asks": [finding.as_dict() for finding in found.asks],
        "renumbered": [{"from": old, "to": new} for old, new in found.renumbered],
        "recipes": [recipe.number for recipe in found.recipes],
        "original": {
            "locks": [lock.as_dict() for lock in found.locks],
            "rewritten": list(found.copied),
        },
    }


def markdown(found: Rewrite) -> str:
    """Return the original and its sequence side by side, for a pull request."""
    if not found.files:
        return ""
    original = found.original.forward.source.text.strip()
    sequence = "\n".join(
        f"-- {file.id}{_phase(file)}\n{file.step.sql.strip()}" for file in found.files
    )
    rows = [
        "| | strongest lock | copied |",
        "|---|---|---|",
        f"| as it is | {_strongest(found.locks)} | {_names(found.copied)} |",
        *(
            f"| {code(file.id)}{_phase(file)} | {_strongest(file.locks)} | {_names(file.copied)} |"
            for file in found.files
        ),
    ]
    return "\n\n".join(
        [
            f"#### {code(f'todo-sql rewrite {found.original.id}')} would make of it",
            "<table><tr><th>as it is</th><th>as a sequence</th></tr><tr><td>",
            block("sql", original),
            "</td><td>",
            block("sql", sequence),
            "</td></tr></table>",
            "\n".join(rows),
            f"{proved(found).capitalize()}.",
        ]
    )


def _effect(locks: Sequence[Lock], copied: Sequence[str]) -> str:
    said = [f"{mode(lock)} on {shown(lock.relation)}" for lock in locks if lock.mode in MODES[3:]]
    said += [f"copies {shown(name)}" for name in copied]
    return ", ".join(said) or "nothing that others notice"


def _strongest(locks: Sequence[Lock]) -> str:
    return mode(max(locks, key=lambda lock: MODES.index(lock.mode))) if locks else "none"


def _names(names: Sequence[str]) -> str:
    return ", ".join(code(shown(name)) for name in names) or "nothing"


def _phase(file: RewrittenFile) -> str:
    return " (contract)" if file.step.phase == "contract" else ""
