"""Which named queries use which index: from generic plans on a database with rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.names import quoted
from todo_sql.config import Config, Tenant
from todo_sql.migrations.seeds import SCALE_FILE, seed
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import variants

SCALE = 5_000
_MOST_VARIANTS = 64


def fill(url: str, config: Config) -> None:
    """Put load-test rows into a migrated database, few enough to be sampled whole."""
    if (config.seeds / SCALE_FILE).is_file():
        seed(url, config.seeds, scale=SCALE)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def serving(
    connection: Connection[Any],
    queries: Mapping[str, NamedQuery],
    tenant: Tenant | None,
    parents: Mapping[str, str],
) -> dict[str, list[str]]:
    """Return, by index, the names of the queries whose plans use it; executes nothing.

    Plans are those of the tenant role under row level security, where that role may run
    the query, and as for large tables.

    Args:
        connection: To a database with rows.
        parents: Of an index on a partition, the index of the parent.
    """
    asked = [
        (name, variant.sql)
        for name, query in queries.items()
        for variant in islice(variants(query), _MOST_VARIANTS)
    ]
    roles: tuple[str, ...] = ("none",)
    if tenant is not None:
        roles = (tenant.role, "none")
        connection.execute("select pg_catalog.set_config(%s, 'nobody', false)", [tenant.setting])
    found: dict[str, set[str]] = {}
    planned = plans(connection, [text for _, text in asked], roles)
    for (name, _), plan in zip(asked, planned, strict=True):
        for index, _ in () if isinstance(plan, str) else lookups(plan):
            found.setdefault(parents.get(index, index), set()).add(name)
    return {index: sorted(found[index]) for index in sorted(found)}


_OPTIONS = "verbose, costs off, format json"
# Since 16 a plan without values can be had at once, before it a prepared statement's, for nulls.
_AT_ONCE = f"execute pg_catalog.concat('explain (generic_plan, {_OPTIONS}) ', asked) into found;"
_PREPARED = f"""
execute pg_catalog.concat('prepare todo_sql_asked as ', asked);
begin
    execute pg_catalog.concat('explain ({_OPTIONS}) execute todo_sql_asked', (
        select case when pg_catalog.array_length(p.parameter_types, 1) is not null
            then pg_catalog.concat('(', pg_catalog.array_to_string(
                pg_catalog.array_fill(
                    'null'::pg_catalog.text,
                    array[pg_catalog.array_length(p.parameter_types, 1)]
                ), ', '
            ), ')')
        end
        from pg_catalog.pg_prepared_statements as p
        where p.name operator(pg_catalog.=) 'todo_sql_asked'
    )) into found;
exception when others then
    found := pg_catalog.to_json(sqlerrm);
end;
deallocate todo_sql_asked;
"""
# It runs under the project's path, so that it names the schema of all that is PostgreSQL's.
_PLANS = """
create or replace function pg_temp.todo_sql_plans(
    texts pg_catalog.text[], roles pg_catalog.text[]
) returns setof pg_catalog.json
language plpgsql as $todo_sql$
declare
    asked pg_catalog.text;
    planner pg_catalog.text;
    found pg_catalog.json;
begin
    foreach asked in array texts loop
        foreach planner in array roles loop
            begin
                perform pg_catalog.set_config('role', planner, true);
                {explain}
                perform pg_catalog.set_config('role', 'none', true);
            exception when others then
                found := pg_catalog.to_json(sqlerrm);
            end;
            exit when pg_catalog.json_typeof(found) operator(pg_catalog.=) 'array';
        end loop;
        return next found;
    end loop;
end
$todo_sql$
"""


def plans(
    connection: Connection[Any], texts: Sequence[str], roles: Sequence[str] = ("none",)
) -> Iterator[Mapping[str, Any] | str]:
    """Yield the generic plan of each statement, or why there is none; executes none of them.

    Plans are those for large tables: no table is read whole where an index serves.

    Args:
        texts: Statements with ``$1`` parameters.
        roles: As whom they are planned: the first that may run one.
    """
    at_once = connection.info.server_version >= 160000
    explained = _PLANS.replace("{explain}", _AT_ONCE if at_once else _PREPARED)
    # It stays: a schema for what is temporary that comes and goes is a new path each time, for
    # which everything that is prepared would be planned anew.
    connection.execute(explained.encode())
    with connection.transaction(force_rollback=True):
        connection.execute("set local search_path = public")
        connection.execute("set local enable_seqscan = off")
        connection.execute("set local plan_cache_mode = force_generic_plan")
        found = connection.execute(
            "select pg_temp.todo_sql_plans(%s, %s)", [list(texts), list(roles)]
        ).fetchall()
    for (plan,) in found:
        yield plan if isinstance(plan, str) else plan[0]["Plan"]


def lookups(
    plan: Mapping[str, Any], schema: str = "public"
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each index that a plan looks something up in, with the table and the condition.

    The `schema` is that of the node above: that of a bitmap's index is said there alone.
    """
    schema = plan.get("Schema", schema)
    if "Index Cond" in plan and "Index Name" in plan:
        yield f"{schema}.{quoted(plan['Index Name'])}", (plan.get("Alias", ""), plan["Index Cond"])
    for name in plan.get("Conflict Arbiter Indexes", ()):
        yield f"{schema}.{quoted(name)}", ("", "conflict")
    for child in plan.get("Plans", ()):
        yield from lookups(child, schema)
