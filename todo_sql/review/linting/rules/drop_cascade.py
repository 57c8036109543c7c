"""DROP … CASCADE."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, qualified, relation, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("drop_stmt", "migration", "rollback"):
        if enum(command, "behavior") == "DROP_CASCADE":
            what = ", ".join(shown(qualified(node.list.items)) or "it" for node in command.objects)
            yield Hit(spot, {"what": what})
    for spot, command, change in project.changes("migration", "rollback"):
        if enum(change, "behavior") == "DROP_CASCADE":
            yield Hit(spot, {"what": f"{shown(relation(command.relation))}.{change.name}"})


RULE = Rule(
    code="R409",
    name="drop-cascade",
    severity="warning",
    message="drop cascade removes whatever depends on {what}",
    cause="what goes with it depends on the database at that moment, not on this file, so a "
    "rollback cannot restore it",
    fix="drop what depends on it by name first, then drop it without cascade",
    bad="""\
drop view open_tasks cascade;
""",
    good="""\
drop view open_tasks;
""",
    check=_check,
)
