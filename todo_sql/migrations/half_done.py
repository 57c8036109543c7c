"""Whether the rollback of a migration that is half done would touch what was never done. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from todo_sql.migrations.files.directives import Directives
from todo_sql.migrations.files.migration import Migration
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.migration_errors import PlanError
from todo_sql.sql.grammar import Statement

_WRITES = ("insert_stmt", "merge_stmt")


def refuse(chosen: Iterable[Migration], ledger: Ledger) -> None:
    """Refuse a rollback that cannot tell the rows that batches have done from the others.

    Raises:
        PlanError: It writes what depends on a row, to all rows; nothing was changed.
    """
    for migration in chosen:
        recorded = ledger.by_id.get(migration.id)
        progress = recorded.progress if recorded else None
        script = migration.rollback
        if progress is None or progress.direction != "apply" or script is None:
            continue
        state = progress.batch
        if (
            state is None
            or not state.begun
            or _goes_along(migration.forward.directives, script.directives)
        ):
            continue
        for statement in script.statements:
            if _depends_on_rows(statement):
                raise PlanError(
                    f"{migration.id} is half done, and its rollback would write every row",
                    code="M216",
                    place=script.source.place(statement.start),
                    cause=f"{state} are done; nothing was changed",
                    fix="let the rollback run in batches along the same key (`-- batch:`), so that "
                    "it ends where the migration did; or finish with `todo-sql migrate` first",
                )


def _goes_along(forward: Directives, back: Directives) -> bool:
    one, other = forward.batch, back.batch
    return one is not None and other is not None and one.table == other.table


def _depends_on_rows(statement: Statement) -> bool:
    """Tell whether what a statement writes may be another for each row."""
    if statement.kind != "update_stmt":
        return statement.kind in _WRITES
    targets = statement.node.update_stmt.target_list
    values = (target.res_target.val for target in targets)
    return any(
        not (value.type_cast.arg if value.HasField("type_cast") else value).HasField("a_const")
        for value in values
    )
