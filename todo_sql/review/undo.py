"""Whether a rollback makes the schema of the copy as it was before its migration."""

from __future__ import annotations

import psycopg

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.errors import Finding
from todo_sql.migrations.files.migration import Script
from todo_sql.review.locks import Tracer

_SHOWN = 5


def prove(
    tracer: Tracer, script: Script, forward: Script, before: Snapshot
) -> tuple[list[Finding], bool]:
    """Run the rollback of a migration that is applied, compare with `before`, and apply it again.

    Returns:
        What is wrong with the rollback, and whether the migration is applied as it was; else the
        copy is of no more use.
    """
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
            with tracer.transaction(alone=not forward.directives.transactional):
                for one in forward.statements:
                    tracer.execute(one)
            tracer.look_again()
    except psycopg.Error as error:
        tracer.roll_back()
        said = error.diag.message_primary or str(error)
        return [_finding(script, f"the rollback fails on the copy: {said}", statement)], together
    lost = compare(back, before) if script.directives.nothing_to_undo is None else []
    keys = [one.item.key for one in lost[:_SHOWN]]
    if len(lost) > _SHOWN:
        keys.append(f"{len(lost) - _SHOWN} more objects")
    return [_finding(script, f"the rollback does not restore {key}", None) for key in keys], True


def _finding(script: Script, said: str, statement: object) -> Finding:
    start = getattr(statement, "start", script.statements[0].start if script.statements else 0)
    return Finding.error(
        "P111",
        said,
        script.source.place(start),
        cause="the schema after the rollback is not the one before the migration",
        fix="correct the rollback, or say `-- irreversible: reason`; `todo-sql verify` shows more",
    )
