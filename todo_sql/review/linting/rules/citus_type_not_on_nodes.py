"""A column of a type that Citus does not make on the nodes."""

from __future__ import annotations

from todo_sql.review.linting.citus import on_nodes, types_missing
from todo_sql.review.linting.example_tables import RANGED_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    missing = types_missing(project)
    for table in on_nodes(project):
        for column in table.columns.values():
            if column.type in missing:
                words = {"table": shown(table.name), "column": column.name, "type": column.type}
                yield Hit(column.typed or column.spot, words)


RULE = Rule(
    code="R609",
    name="citus-type-not-on-nodes",
    severity="error",
    message="column {table}.{column} is of {type}, which Citus makes on no other node",
    cause="Citus hands on enums, composites and domains with the table; ranges, types of one's own "
    "in C, what is made of them, and rows of tables that the coordinator keeps it does not",
    fix="use one of PostgreSQL's own types; or make the type on each node first, by "
    "run_command_on_workers",
    bad=RANGED_TASKS
    + """\
alter table tasks add column effort float_range;
comment on column tasks.effort is 'How long it takes.';
""",
    good=RANGED_TASKS
    + """\
alter table tasks add column effort numrange;
comment on column tasks.effort is 'How long it takes.';
""",
    check=_check,
    profile="citus",
)
