"""A change that copies the whole table."""

from __future__ import annotations

from typing import Any

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown

_CHANGES = {
    "AT_SetLogged": "set logged",
    "AT_SetUnLogged": "set unlogged",
    "AT_SetAccessMethod": "set access method",
    "AT_SetTableSpace": "set tablespace",
}

_SMALL = ("OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE")  # a row; none of ours


def _check(project: Project) -> Hits:
    for spot, command in project.commands("alter_table_stmt"):
        name = relation(command.relation)
        index = project.schema.indexes.get(name)
        table = project.schema.tables.get(index.table if index else name)
        if table is not None and table.spot.file is spot.file:
            continue
        if enum(command, "objtype") in _SMALL:
            continue
        for node in command.cmds:
            change = _CHANGES.get(enum(node.alter_table_cmd, "subtype"))
            if change and table is not None and table.partitioned:
                continue  # it says what partitions to come are like
            change = change or _stored(node)
            if change is not None:
                words = {"change": change, "table": shown(name)}
                yield Hit(spot, words, rewritable=index is None)


def _stored(node: Any) -> str | None:
    change = node.alter_table_cmd
    if enum(change, "subtype") == "AT_AddColumn":
        for constraint in getattr(change, "def").column_def.constraints:
            kind = enum(constraint.constraint, "contype")
            if kind == "CONSTR_GENERATED" and constraint.constraint.generated_kind != "v":
                return "a stored generated column"
            if kind == "CONSTR_IDENTITY":
                return "an identity column"
    return None


RULE = Rule(
    code="R408",
    name="table-rewritten",
    severity="warning",
    message="{change} rewrites {table}",
    cause="{table} is copied under an ACCESS EXCLUSIVE lock: neither reads nor writes get through",
    fix="do it while the table is small, or build a second table, copy in batches and swap",
    bad="""\
alter table tasks set unlogged;
""",
    good="""\
create unlogged table scratch (id bigint constraint scratch_pkey primary key);
comment on table scratch is 'For a job.';
comment on column scratch.id is 'Number.';
""",
    check=_check,
)
