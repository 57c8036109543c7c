"""DROP … CASCADE."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.reviewed import Spot
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import enum, qualified, relation, shown


def _check(project: Project) -> Iterator[Hit]:
    for file, statement, command in project.commands("drop_stmt", "migration", "rollback"):
        if enum(command, "behavior") == "DROP_CASCADE":
            what = ", ".join(shown(qualified(node.list.items)) or "it" for node in command.objects)
            yield Hit(Spot(file, statement.start, statement.end), {"what": what})
    for file, statement, command in project.commands("alter_table_stmt", "migration", "rollback"):
        for node in command.cmds:
            if enum(node.alter_table_cmd, "behavior") == "DROP_CASCADE":
                words = {"what": f"{shown(relation(command.relation))}.{node.alter_table_cmd.name}"}
                yield Hit(Spot(file, statement.start, statement.end), words)


RULE = Rule(
    code="R409",
    name="drop-cascade",
    severity="warning",
    message="drop cascade removes whatever depends on {what}",
    cause=(
        "what goes with it depends on the database at that moment, not on this file, so a "
        "rollback cannot restore it"
    ),
    fix="drop what depends on it by name first, then drop it without cascade",
    bad="""\
drop view open_tasks cascade;
""",
    good="""\
drop view open_tasks;
""",
    check=_check,
)
