"""A unique key of a distributed table without its column."""

from __future__ import annotations

from todo_sql.review.linting.citus import by_name
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.tree import shown


def _check(project: Project) -> Hits:
    for name, column in by_name(project).items():
        table = project.schema.tables[name]
        keys = [(key.columns, key.spot) for key in table.of("excl")]
        said = project.tenant is not None and column == project.tenant.parameter
        if not said or table.partition_of is not None:  # else R302 says it
            indexes = project.schema.indexes_of(table.name)
            keys += [(index.keys, index.spot) for index in indexes if index.unique]
        for columns, spot in keys:
            if column not in columns:
                names = (key if key.isidentifier() else "…" for key in columns)
                words = {"table": shown(table.name), "columns": ", ".join(names), "column": column}
                yield Hit(spot, words)


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
    cause="each node checks its own rows alone, so Citus refuses a primary key, unique key or "
    "unique index that does not hold the column that the table is distributed by, and an exclusion "
    "that does not compare it by `=`",
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
