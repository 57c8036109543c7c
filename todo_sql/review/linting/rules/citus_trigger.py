"""A trigger of a table that is on the nodes."""

from __future__ import annotations

from todo_sql.review.linting.citus import on_nodes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for table in on_nodes(project):
        for name, spot in table.triggers.items():
            yield Hit(spot, {"trigger": name, "table": shown(table.name)})


RULE = Rule(
    code="R606",
    name="citus-trigger",
    severity="warning",
    message="trigger {trigger} is on {table}, which is on the nodes",
    cause="Citus refuses to distribute the table unless citus.enable_unsafe_triggers is on, on "
    "every node; the trigger then fires on the shard, and may touch nothing but what is on its "
    "node",
    fix="let it write to shards of the same tenant alone (`shard_of` in examples/citus), set "
    "citus.enable_unsafe_triggers on each node, and waive this: -- allow: R606 …",
    bad=CITUS_TASKS
    + """\
create trigger tasks_touch before update on tasks
for each row execute function touch();
""",
    good=CITUS_TASKS
    + """\
create trigger tasks_touch before update on tasks
for each row execute function touch();
drop trigger tasks_touch on tasks;
""",
    check=_check,
    profile="citus",
)
