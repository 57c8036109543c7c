"""Which named queries use which index: from generic plans on a database with rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.names import quoted
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import variants

if TYPE_CHECKING:
    from psycopg import Connection

    from todo_sql.config import Config, Tenant

SCALE = 5_000
_MOST_VARIANTS = 64


def fill(url: str, config: Config) -> None:
    """Put load-test rows into a migrated database, few enough to be sampled whole."""
    import psycopg

    from todo_sql.migrations.seeds import SCALE_FILE, seed

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
        queries: The named queries.
        tenant: How rows are isolated, or None.
        parents: Of an index on a partition, the index of the parent.
    """
    import psycopg

    found: dict[str, set[str]] = {}
    with connection.transaction(force_rollback=True):
        connection.execute("set local search_path = public")
        connection.execute("set local enable_seqscan = off")
        if tenant is not None:
            connection.execute("select pg_catalog.set_config(%s, 'nobody', true)", [tenant.setting])
        for name, query in queries.items():
            for variant in islice(variants(query), _MOST_VARIANTS):
                for role in (tenant.role, None) if tenant else (None,):
                    try:
                        with connection.transaction():
                            if role is not None:
                                connection.execute(f"set local role {quoted(role)}".encode())
                            plan = explain(connection, variant.sql)
                            connection.execute("reset role")
                    except psycopg.Error:
                        continue  # not for this role, or not a query that can be planned
                    for index, _ in lookups(plan):
                        found.setdefault(parents.get(index, index), set()).add(name)
                    break
    return {index: sorted(found[index]) for index in sorted(found)}


def explain(connection: Connection[Any], text: str) -> Mapping[str, Any]:
    """Return the generic plan of a statement with ``$1`` parameters."""
    options = "verbose, costs off, format json"
    if connection.info.server_version >= 160000:
        row = connection.execute(f"explain (generic_plan, {options}) {text}".encode()).fetchone()
    else:
        row = _explain_prepared(connection, text, options)
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def _explain_prepared(connection: Connection[Any], text: str, options: str) -> Any:
    """Explain on a server that has no GENERIC_PLAN: a prepared statement's, for nulls."""
    import psycopg

    with connection.transaction(force_rollback=True):
        connection.execute("set local plan_cache_mode = force_generic_plan")
        connection.execute(f"prepare todo_sql_explain as {text}".encode())
        try:
            (count,) = connection.execute(
                "select pg_catalog.cardinality(parameter_types)"
                " from pg_catalog.pg_prepared_statements"
                " where name operator(pg_catalog.=) 'todo_sql_explain'"
            ).fetchone() or (0,)
            values = f"({', '.join(['null'] * count)})" if count else ""
            asked = f"explain ({options}) execute todo_sql_explain{values}"
            with connection.transaction():
                return connection.execute(asked.encode()).fetchone()
        finally:
            with suppress(psycopg.OperationalError):
                connection.execute("deallocate todo_sql_explain")


def lookups(plan: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each index that a plan looks something up in, with the table and the condition."""
    schema = plan.get("Schema", "public")
    if "Index Cond" in plan and "Index Name" in plan:
        where = (plan.get("Alias", ""), plan["Index Cond"])
        yield f"{schema}.{quoted(plan['Index Name'])}", where
    for name in plan.get("Conflict Arbiter Indexes", ()):
        yield f"{schema}.{quoted(name)}", ("", "conflict")
    for child in plan.get("Plans", ()):
        yield from lookups(child)
