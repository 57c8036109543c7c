"""An enumerated type."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import qualified, shown


def _check(project: Project) -> Hits:
    for spot, command in project.commands("create_enum_stmt"):
        yield Hit(spot, {"type": shown(qualified(command.type_name))})


RULE = Rule(
    code="R505",
    name="enum-type",
    severity="info",
    message="type {type} is an enum",
    cause="a label cannot be dropped, a new one cannot be used in the transaction that adds it, "
    "and under row level security comparisons of enums cannot use an index: they are not "
    "leakproof",
    fix="use text with a check constraint: check (… in ('low', 'medium', 'high'))",
    bad="""\
create type priority as enum ('low', 'high');
""",
    good="""\
alter table tasks add constraint tasks_priority_check check (priority in ('low', 'high')) not valid;
""",
    check=_check,
)
