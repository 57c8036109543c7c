"""A unique key of a distributed table without its column."""

from __future__ import annotations

from collections.abc import Iterator

from todo_sql.review.linting.citus import distributed
from todo_sql.review.linting.rule import Hit, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Iterator[Hit]:
    for table, column in distributed(project):
        if project.tenant and project.has_tenant(table) and column == project.tenant.parameter:
            continue  # R302 says it
        for index in project.schema.indexes_of(table.name):
            if index.unique and column not in index.keys:
                names = (key if key.isidentifier() else "…" for key in index.keys)
                words = {"table": shown(table.name), "columns": ", ".join(names), "column": column}
                yield Hit(index.spot, words)


_TABLES = """\
create table events (
    device_id text not null,
    id bigint not null,
    constraint events_pkey primary key (device_id, id)
);
comment on table events is 'What is to be done.';
comment on column events.device_id is 'Whose it is.';
comment on column events.id is 'Its number.';
select create_distributed_table('events', 'device_id');
"""

RULE = Rule(
    code="R602",
    name="citus-unique-key",
    severity="error",
    message="unique key ({columns}) of {table} does not carry {column}",
    cause=(
        "each node checks its own rows alone, so Citus refuses a primary key, unique key or unique "
        "index that does not hold the column that the table is distributed by"
    ),
    fix="add {column} to the key, or make the table a reference table",
    bad=_TABLES
    + """\
create unique index idx_events_id on events (id);
""",
    good=_TABLES
    + """\
create unique index idx_events_id on events (id, device_id);
""",
    check=_check,
    profile="citus",
)
