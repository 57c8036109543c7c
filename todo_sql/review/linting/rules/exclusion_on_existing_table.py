"""An exclusion constraint added to a table in use."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("alter_table_stmt"):
        table = project.schema.tables.get(relation(command.relation))
        if table is not None and (
            table.spot.file is spot.file or (table.partitioned and not command.relation.inh)
        ):
            continue
        for node in command.cmds:
            constraint = getattr(node.alter_table_cmd, "def").constraint
            if enum(constraint, "contype") == "CONSTR_EXCLUSION":
                words = {"table": shown(relation(command.relation))}
                yield Hit(spot, words, rewritable=True)


RULE = Rule(
    code="R309",
    name="exclusion-on-existing-table",
    severity="warning",
    message="the exclusion constraint on {table} builds its index under a lock",
    cause="it cannot be added `not valid` or from an index built concurrently: reads and writes "
    "wait until it is done",
    fix="add it while the table is empty, or in a maintenance window with `-- max-lock-hold:`",
    bad="""\
alter table bookings add constraint bookings_excl exclude using gist (during with &&);
""",
    good="""\
create table bookings (
    id bigint constraint bookings_pkey primary key,
    during tstzrange not null,
    constraint bookings_excl exclude using gist (during with &&)
);
comment on table bookings is 'Bookings.';
comment on column bookings.id is 'Number.';
comment on column bookings.during is 'When.';
""",
    check=_check,
)
