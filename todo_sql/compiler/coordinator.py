"""What planning asks of a server: a plan, as the tenant, and of one with Citus the shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, LiteralString

from todo_sql.compiler.prepare import signature
from todo_sql.config import Tenant
from todo_sql.queries.variants import Variant

if TYPE_CHECKING:
    from psycopg import Connection


def is_citus(connection: Connection[Any]) -> bool:
    """Return whether the server has the library of Citus."""
    row = connection.execute(
        "select pg_catalog.current_setting('citus.version', true) is not null"
    ).fetchone()
    return bool(row and row[0])


def act_as(connection: Connection[Any], tenant: Tenant, value: str, *, citus: bool) -> None:
    """Take the tenant's role and setting until the transaction ends.

    Args:
        citus: Whether other nodes plan, too: they are told.
    """
    from psycopg import sql

    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(tenant.role)))
    connection.execute("select pg_catalog.set_config(%s, %s, true)", [tenant.setting, value])
    if citus:
        connection.execute(
            "select pg_catalog.set_config('citus.propagate_set_commands', 'local', true)"
        )
        connection.execute(
            sql.SQL("set local {} to {}").format(sql.Identifier(tenant.setting), sql.Literal(value))
        )


def explained(
    connection: Connection[Any],
    variant: Variant,
    types: Mapping[str, str | None],
    values: Sequence[object],
    *,
    generic: bool,
    options: LiteralString = "format json",
) -> Any:
    """Return what EXPLAIN says of a text with its parameters, in a transaction.

    Args:
        types: Of the parameters, by name; None: unknown.
        values: Of each parameter of the text.
        generic: Whether the plan is one for any values.
    """
    from psycopg import sql

    mode = "force_generic_plan" if generic else "force_custom_plan"
    connection.execute("select pg_catalog.set_config('plan_cache_mode', %s, true)", [mode])
    declared = signature(types.get(name) for name in variant.parameters)
    connection.execute(f"prepare todo_sql_planned{declared} as {variant.sql}".encode())
    given = sql.SQL(" ({})" if values else "").format(sql.SQL(", ").join(map(sql.Literal, values)))
    call = sql.SQL("explain ({}) execute todo_sql_planned").format(sql.SQL(options)) + given
    row = connection.execute(call).fetchone()
    connection.execute("deallocate todo_sql_planned")
    return row[0] if row else []


def shard_counts(plan: object) -> Iterator[int]:
    """Yield to how many shards each part of a plan in JSON goes; nothing for one of one server."""
    if isinstance(plan, list):
        for part in plan:
            yield from shard_counts(part)
    elif isinstance(plan, dict):
        if "Task Count" in plan:
            yield plan["Task Count"]
        for part in plan.values():
            yield from shard_counts(part)
