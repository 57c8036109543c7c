"""A partition attached without a CHECK that matches its bound."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("alter_table_stmt"):
        if enum(command, "objtype") != "OBJECT_TABLE":
            continue  # of an index, which has no rows to read
        for node in command.cmds:
            change = node.alter_table_cmd
            if enum(change, "subtype") != "AT_AttachPartition":
                continue
            name = relation(getattr(change, "def").partition_cmd.name)
            partition = project.schema.tables.get(name)
            if partition is None or not (partition.of("check") or partition.spot.file is spot.file):
                words = {"partition": shown(name), "table": shown(relation(command.relation))}
                yield Hit(spot, words, rewritable=True)


RULE = Rule(
    code="R308",
    name="attach-without-check",
    severity="warning",
    message="{partition} is attached to {table} and has no check constraint",
    cause="to prove the bound PostgreSQL reads the whole of {partition} under an ACCESS EXCLUSIVE "
    "lock on it",
    fix="add a check constraint that states the bound, `not valid`, validate it, then attach, "
    "then drop it",
    bad="""\
alter table events attach partition events_2026 for values from ('2026-01-01') to ('2027-01-01');
""",
    good="""\
create table events_2026 (at timestamptz constraint events_2026_pkey primary key);
comment on table events_2026 is 'Events of 2026.';
comment on column events_2026.at is 'When.';
alter table events attach partition events_2026 for values from ('2026-01-01') to ('2027-01-01');
""",
    check=_check,
)
