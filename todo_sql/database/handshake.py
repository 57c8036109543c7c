"""What a connection is asked before its first call: who is there, and is the role safe.

One flight for both. A pooler is known by its process id, which is not the server's; then
one more flight shows whether it keeps prepared statements apart.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import pq

from todo_sql.database.scope import Settings, scope_step
from todo_sql.logs import ROLE
from todo_sql.wire.call_errors import RoleRefused, Timeout, translate
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import Answer, Failed, fly, probe
from todo_sql.wire.statement import BEGIN, COMMIT, OURS, Step, WireStatement
from todo_sql.wire.waiting import DeadlinePassed, Fly, Work

_WHO = WireStatement("select pg_catalog.pg_backend_pid() as pid", label="greeting")

_ROLE = WireStatement(
    """
    select r.rolname::text as role, r.rolsuper as is_superuser, r.rolbypassrls as bypasses,
        (
            select c.oid::regclass::text
            from pg_catalog.pg_class as c
            where c.relrowsecurity
                and c.relkind in ('r', 'p')
                and pg_catalog.pg_has_role(r.oid, c.relowner, 'usage')
            limit 1
        ) as owned
    from pg_catalog.pg_roles as r
    where r.rolname = current_user
    """,
    label="role check",
)


def greet(link: Link, settings: Settings, deadline: float) -> Work[None]:
    """Learn what a connection can do, and check the role that its calls run as.

    Args:
        link: The connection.
        settings: Of a tenant call: its role must be held by row security. Empty: unchecked.
        deadline: On the monotonic clock.

    Raises:
        RoleRefused: The role is missing, or row security does not hold it.
    """
    unit = [BEGIN, Step(_WHO)]
    if settings:
        unit += [scope_step(settings), OURS, Step(_ROLE)]
    try:
        answer, _ = yield Fly(link, fly(link, [unit, [COMMIT]]), deadline)
    except DeadlinePassed:
        link.broken = True
        raise Timeout("no answer in time", cause="the connection was new") from None
    try:
        results = _checked(link, answer, settings)
    except RoleRefused as refused:
        ROLE.warning("%s", refused.message)
        raise
    if not link.greeted:
        (pid,) = link.prepared(_WHO).rows(results[1], int, "greeting")
        link.pooled = pid != link.pgconn.backend_pid
        link.prepares = not link.pooled or (yield from _probe(link, deadline))
        link.forget()
        link.greeted = True


def _checked(link: Link, answer: Answer, settings: Settings) -> list[pq.abc.PGresult]:
    try:
        results = answer.check()
    except Failed as failed:
        raise _refusal(failed, settings) from None
    if settings:
        (found,) = link.prepared(_ROLE).rows(results[-1], dict, "role check")
        _check(found)
        link.vetted.add(str(dict(settings)["role"]))
    return results


def _probe(link: Link, deadline: float) -> Work[bool]:
    if not psycopg.capabilities.has_send_close_prepared():
        return False
    try:
        renamed: bool = yield Fly(link, probe(link), deadline)
    except DeadlinePassed:
        link.broken = True
        raise Timeout("no answer in time", cause="the connection was new") from None
    return renamed


def _check(found: dict[str, Any]) -> None:
    role = found["role"]
    if found["is_superuser"]:
        why, fix = "is a superuser", f"alter role {role} nosuperuser"
    elif found["bypasses"]:
        why, fix = "has BYPASSRLS", f"alter role {role} nobypassrls"
    elif found["owned"]:
        why = f"owns {found['owned']}, or is a member of its owner"
        fix = f"let another role own {found['owned']}, and revoke that role from {role}"
    else:
        return
    raise RoleRefused(
        f"tenant calls would run as `{role}`, which {why}",
        cause="row level security does not restrict such a role: it would see every tenant's rows",
        fix=f"{fix}; or name another role as `tenant.role` in [tool.todo-sql]",
    )


def _refusal(failed: Failed, settings: Settings) -> Exception:
    error = failed.error
    role = dict(settings).get("role")
    if role and error.sqlstate in ("22023", "42704"):
        return RoleRefused(
            f"tenant calls run as `{role}`, which this server does not have",
            sqlstate=error.sqlstate,
            cause=f"PostgreSQL {error.sqlstate}: {error.message}",
            fix="run `todo-sql migrate`: a migration makes the role",
        )
    if role and error.sqlstate == "42501":
        return RoleRefused(
            f"tenant calls run as `{role}`, which this login may not assume",
            sqlstate=error.sqlstate,
            cause=f"PostgreSQL {error.sqlstate}: {error.message}",
            fix=f"have a role that administers it run: grant {role} to <this login>",
        )
    return translate(error)
