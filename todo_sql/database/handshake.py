"""What a connection is asked before its first call: who is there, and is the role safe.

One flight for both. A pooler is known by its process id, which is not the server's; then
one more flight shows whether it keeps prepared statements apart. Citus is known by a setting of
its library, which the server loads when it starts.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.abc import PQGen

from todo_sql.database.scope import Settings, scope_step
from todo_sql.logs import ROLE
from todo_sql.wire.call_errors import RoleRefused, Timeout, translate
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import Answer, Failed, fly, losing, probe
from todo_sql.wire.statement import BEGIN, COMMIT, OURS, Step, WireStatement, texts
from todo_sql.wire.waiting import DeadlinePassed, Fly, Work

T = TypeVar("T")

_WHO = WireStatement(
    "select pg_catalog.pg_backend_pid() as pid, "
    "pg_catalog.current_setting('citus.propagate_set_commands', true) is not null as citus",
    label="greeting",
)

# A login may change its own role's settings, and whoever runs SQL as the login may do so: they
# would decide for every later connection whose functions run, and whether it can write. So of
# those that do, what the role says is set aside, for what the database says; `options` in the
# URL count. Behind a pooler the session is shared, and left alone. It runs under their path.
_STEADY = texts(
    """
    select s.name, pg_catalog.set_config(
        s.name,
        coalesce(
            (
                select pg_catalog.substr(
                    c.entry, pg_catalog.int4pl(pg_catalog.strpos(c.entry, '='), 1)
                )
                from pg_catalog.pg_db_role_setting as d
                cross join lateral pg_catalog.unnest(d.setconfig) as c (entry)
                left join pg_catalog.pg_database as b on b.oid operator(pg_catalog.=) d.setdatabase
                where d.setrole operator(pg_catalog.=) 0::pg_catalog.oid
                    and coalesce(b.datname, pg_catalog.current_database())
                        operator(pg_catalog.=) pg_catalog.current_database()
                    and pg_catalog.starts_with(c.entry, pg_catalog.concat(s.name, '='))
                order by d.setdatabase desc
                limit 1
            ),
            s.boot_val
        ),
        false
    ) as value
    from pg_catalog.pg_settings as s
    where s.name operator(pg_catalog.=) any (
        '{search_path,row_security,default_transaction_read_only,transform_null_equals}'
            ::pg_catalog.text[]
    )
        and s.source operator(pg_catalog.=) any ('{user,database user}'::pg_catalog.text[])
        and pg_catalog.pg_backend_pid()::pg_catalog.text operator(pg_catalog.=) $1
    """,
    "pid",
    label="steady",
)

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
        settings: Of a tenant call: its role must be held by row security. Empty: unchecked.
        deadline: On the monotonic clock.

    Raises:
        RoleRefused: The role is missing, or row security does not hold it.
    """
    unit = [BEGIN, Step(_WHO), Step(_STEADY, [str(link.pgconn.backend_pid)])]
    if settings:
        unit += [scope_step(settings), OURS, Step(_ROLE)]
    answer, _ = yield from _asked(link, fly(link, [unit, [COMMIT]]), deadline)
    try:
        results = _checked(link, answer, settings)
    except RoleRefused as refused:
        ROLE.warning("%s", refused.message)
        raise
    for found in link.prepared(_STEADY).rows(results[2], dict, "steady"):
        link.steadied = True
        ROLE.info("%s of the login's role is set aside", found["name"])
    if not link.greeted:
        (who,) = link.prepared(_WHO).rows(results[1], dict, "greeting")
        link.pooled = who["pid"] != link.pgconn.backend_pid
        link.citus = who["citus"]
        link.prepares = not link.pooled or (
            psycopg.capabilities.has_send_close_prepared()
            and (yield from _asked(link, losing(link, probe(link)), deadline))
        )
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


def _asked(link: Link, flying: PQGen[T], deadline: float) -> Work[T]:
    try:
        answer: T = yield Fly(link, flying, deadline)
        return answer
    except DeadlinePassed:
        link.broken = True
        raise Timeout("no answer in time", cause="the connection was new") from None


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
        why = "this server does not have"
        fix = "run `todo-sql migrate`: a migration makes the role"
    elif role and error.sqlstate == "42501":
        why = "this login may not assume"
        fix = f"have a role that administers it run: grant {role} to <this login>"
    else:
        return translate(error)
    return RoleRefused(
        f"tenant calls run as `{role}`, which {why}",
        sqlstate=error.sqlstate,
        cause=f"PostgreSQL {error.sqlstate}: {error.message}",
        fix=fix,
    )
