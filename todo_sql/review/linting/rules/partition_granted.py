"""A grant that reaches a partition."""

from __future__ import annotations

from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import enum, relation, roles, shown


def _check(project: Project) -> Hits:
    tables = project.schema.tables
    for spot, command in project.commands("grant_stmt"):
        if not command.is_grant or enum(command, "objtype") != "OBJECT_TABLE":
            continue
        who = ", ".join(roles(command.grantees))
        if enum(command, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
            if not any(table.partition_of for table in tables.values()):
                continue
            named = ["every table of the schema, with its partitions,"]
        else:
            names = (relation(node.range_var) for node in command.objects)
            named = [
                f"partition {shown(name)}"
                for name in names
                if name in tables and tables[name].partition_of
            ]
        for what in named:
            yield Hit(spot, {"what": what, "who": who})


RULE = Rule(
    code="R202",
    name="partition-granted",
    severity="error",
    message="{what} is granted to {who}",
    cause="a partition that is read directly follows its own policies, not its parent's",
    fix="grant on the parent alone; a query on the parent needs no privilege on its partitions",
    bad="""\
create table events (at timestamptz constraint events_pkey primary key) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
comment on table events is 'Events.';
comment on column events.at is 'When.';
comment on table events_2026 is 'Events of 2026.';
comment on column events_2026.at is 'When.';
grant select on events, events_2026 to todo_app;
""",
    good="""\
create table events (at timestamptz constraint events_pkey primary key) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
comment on table events is 'Events.';
comment on column events.at is 'When.';
comment on table events_2026 is 'Events of 2026.';
comment on column events_2026.at is 'When.';
grant select on events to todo_app;
""",
    check=_check,
)
