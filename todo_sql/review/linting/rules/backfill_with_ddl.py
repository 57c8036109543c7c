"""Rows rewritten in the transaction that changes the schema."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown
from todo_sql.sql.grammar import Statement

_WRITES = ("update_stmt", "delete_stmt", "insert_stmt", "merge_stmt")


def _check(project: Project) -> Hits:
    for file in project.files:
        if file.kind != "migration" or not file.transactional:
            continue
        if not any(statement.kind in _WRITES for statement in file.statements):
            continue
        new: set[str] = set()
        altered: str | None = None
        for statement in file.statements:
            if not statement.kind or (statement.kind in _WRITES and not altered):
                continue
            command = statement.root
            if statement.kind == "create_stmt":
                new.add(relation(command.relation))
            elif statement.kind == "index_stmt" or _of_table(statement):
                if relation(command.relation) not in new:
                    altered = altered or relation(command.relation)
            elif statement.kind in _WRITES and altered and not _only_values(statement):
                name = relation(command.relation)
                if name not in new:
                    words = {"table": shown(name), "altered": shown(altered)}
                    yield Hit(file.spot(statement), words, rewritable=True)


def _of_table(statement: Statement) -> bool:
    """Return whether it alters a table: neither index, view nor sequence."""
    command = statement.node.alter_table_stmt
    return statement.kind == "alter_table_stmt" and enum(command, "objtype") == "OBJECT_TABLE"


def _only_values(statement: Statement) -> bool:
    select = statement.node.insert_stmt.select_stmt.select_stmt
    return statement.kind == "insert_stmt" and len(select.values_lists) > 0


RULE = Rule(
    code="R402",
    name="backfill-with-ddl",
    severity="warning",
    message="rows of {table} are written in the transaction that alters {altered}",
    cause="the lock that the change of schema takes is held until the last row is written",
    fix="put the backfill into a migration of its own, between the change and the constraint "
    "that needs it",
    bad="""\
alter table tasks add column label text;
comment on column tasks.label is 'A word for it.';
update tasks set label = title where label is null;
""",
    good="""\
alter table tasks add column label text;
comment on column tasks.label is 'A word for it.';
""",
    check=_check,
)
