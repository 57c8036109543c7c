"""A trigger that is switched off."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, shown

_OFF = ("AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser")


def _check(project: Project) -> Hits:
    for spot, command, change in project.changes():
        if enum(change, "subtype") in _OFF:
            yield Hit(spot, {"table": shown(relation(command.relation))})


RULE = Rule(
    code="R410",
    name="trigger-disabled",
    severity="warning",
    message="a trigger of {table} is disabled",
    cause="audit rows, updated_at and, with `all`, foreign keys are not maintained until "
    "someone enables it again",
    fix="drop the trigger if it is not wanted, or make its function skip the rows that it should",
    bad="""\
alter table tasks disable trigger all;
""",
    good="""\
drop trigger tasks_touch on tasks;
""",
    check=_check,
)
