"""A grant on columns of a distributed table."""

from __future__ import annotations

from todo_sql.review.linting.citus import names_on_nodes
from todo_sql.review.linting.example_tables import CITUS_TASKS
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, roles, shown


def _check(project: Project) -> Hits:
    names = names_on_nodes(project)
    for spot, command in project.commands("grant_stmt"):
        privileges = [one.access_priv for one in command.privileges]
        of_columns = [one.priv_name for one in privileges if len(one.cols)]
        if not command.is_grant or not of_columns or enum(command, "objtype") != "OBJECT_TABLE":
            continue
        for node in command.objects:
            name = relation(node.range_var)
            if name in names:
                words = {"privileges": ", ".join(of_columns), "table": shown(name)}
                who = ", ".join(roles(command.grantees))
                yield Hit(spot, {**words, "who": who})


RULE = Rule(
    code="R605",
    name="citus-column-grant",
    severity="warning",
    message="{privileges} on columns of {table} is granted to {who}",
    cause="Citus hands a grant on a table on to its shards, and none on columns: every query ends "
    "in `permission denied` for a shard",
    fix="grant it on the table; or let a role with the whole table in on the nodes alone "
    "(examples/citus)",
    bad=CITUS_TASKS
    + """\
grant select (id) on tasks to todo_app;
""",
    good=CITUS_TASKS
    + """\
grant select on tasks to todo_app;
""",
    check=_check,
    profile="citus",
)
