"""What planning asks of a server with Citus: whether it is one, the tenant, the shards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from todo_sql.config import Tenant

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
