"""Whether a rollback makes the schema of the copy as it was before its migration."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.errors import Finding
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.review.locks import Tracer

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of a trial.

    Attributes:
        findings: None: the rollback does what it should.
        whole: Whether the migration is applied as it was; else the copy is of no more use.
    """

    findings: tuple[Finding, ...] = ()
    whole: bool = True


def prove(tracer: Tracer, migration: Migration, before: Snapshot) -> Undone:
    """Run the rollback of a migration that is applied, compare, and leave it applied.

    Args:
        tracer: Of the copy.
        migration: One with a rollback.
        before: The catalog before the migration.
    """
    script = migration.rollback
    assert script is not None
    together = script.directives.transactional
    statement = None
    try:
        if together:
            tracer.begin()
        for statement in script.statements:
            tracer.execute(statement)
        statement = None
        if together:
            tracer.settle()
        back = take(tracer.connection)
        if together:
            tracer.connection.execute("rollback")
        else:
            _again(tracer, migration.forward)
            tracer.look_again()
    except psycopg.Error as error:
        tracer.roll_back()
        said = error.diag.message_primary or str(error)
        failed = _finding(script, f"the rollback fails on the copy: {said}", statement)
        return Undone((failed,), whole=together)
    lost = compare(back, before) if script.directives.nothing_to_undo is None else []
    findings = [
        _finding(script, f"the rollback does not restore {one.item.key}", None)
        for one in lost[:_SHOWN]
    ]
    if len(lost) > _SHOWN:
        more = f"the rollback does not restore {len(lost) - _SHOWN} more objects"
        findings.append(_finding(script, more, None))
    return Undone(tuple(findings))


def _again(tracer: Tracer, script: Script) -> None:
    """Apply a migration once more."""
    together = script.directives.transactional
    if together:
        tracer.begin()
    for statement in script.statements:
        tracer.execute(statement)
    if together:
        tracer.commit()


def _finding(script: Script, said: str, statement: object) -> Finding:
    start = getattr(statement, "start", script.statements[0].start if script.statements else 0)
    return Finding(
        "P111",
        "error",
        said,
        script.source.place(start),
        cause="the schema after the rollback is not the one before the migration",
        fix="correct the rollback, or say `-- irreversible: reason`; `todo-sql verify` shows more",
    )
