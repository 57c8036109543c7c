"""A trigger that is switched off."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown

_OFF = ("AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser")


def _check(project: Project) -> Iterator[Hit]:
    for file, statement, command in project.commands("alter_table_stmt"):
        for node in command.cmds:
            if enum(node.alter_table_cmd, "subtype") in _OFF:
                words = {"table": shown(relation(command.relation))}
                yield Hit(Spot(file, statement.start, statement.end), words)


RULE = Rule(
    code="R410",
    name="trigger-disabled",
    severity="warning",
    message="a trigger of {table} is disabled",
    cause=(
        "audit rows, updated_at and, with `all`, foreign keys are not maintained until "
        "someone enables it again"
    ),
    fix="drop the trigger if it is not wanted, or make its function skip the rows that it should",
    bad="""\
alter table tasks disable trigger all;
""",
    good="""\
drop trigger tasks_touch on tasks;
""",
    check=_check,
)
