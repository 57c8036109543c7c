"""Whether the ledger's tables are such as may be read and written by the migrating role.

Whoever owns a table decides what runs when others use it: triggers, rules, policies,
defaults, casts of its types. So a table made beforehand under our name, by somebody who
may create in the schema, is refused, and refused before its first row is read.
"""

from __future__ import annotations

from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.wire.flight import FlightCommand

TABLES = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "_todo_sql_ledger")
# Made with the first repeatable file.
REPEATABLE = "_todo_sql_repeatable"
EVERY = (*TABLES, REPEATABLE)

# The ledger's schema, along the path of the session, wherever the statement runs.
ON_PATH = """(
    select n.nspname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
    where c.oid operator(pg_catalog.=) pg_catalog.to_regclass('_yoyo_migration')
)"""

# Ledgers of ours in any schema: a changed search path must not make us begin anew.
_ANYWHERE = """(
    select {columns}
    from pg_catalog.pg_class as c
    join pg_catalog.pg_class as t
        on t.relnamespace operator(pg_catalog.=) c.relnamespace
        and t.relowner operator(pg_catalog.=) c.relowner
    join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
    where c.relname operator(pg_catalog.=) '_yoyo_migration'
        and t.relname operator(pg_catalog.=) '_todo_sql_ledger'
        and c.relkind operator(pg_catalog.=) 'r' and c.relpersistence operator(pg_catalog.=) 'p'
        and pg_catalog.pg_has_role(c.relowner, 'member')
    having pg_catalog.count(*) operator(pg_catalog.{several}) '1'::pg_catalog.int8
)"""
_ONE = _ANYWHERE.format(columns="pg_catalog.min(n.nspname::pg_catalog.text)", several="=")
# The schemas of all of them, as JSON.
EVERYWHERE = _ANYWHERE.format(
    columns="pg_catalog.to_json(pg_catalog.array_agg(n.nspname::pg_catalog.text))::pg_catalog.text",
    several=">=",
)
FIND = f"coalesce({ON_PATH}, {_ONE}::pg_catalog.name)"

# The same where the configuration says the schema: $1.
_SAID = "n.nspname operator(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name"
PINNED = f"""(
    select n.nspname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace
    where c.relname operator(pg_catalog.=) '_yoyo_migration' and {_SAID}
)"""
PINNED_SCHEMA = f"(select n.nspname from pg_catalog.pg_namespace as n where {_SAID})"

# Why a table may not even be read, or null. 11 is pg_catalog.
_UNREADABLE = """case
    when c.relkind operator(pg_catalog.<>) 'r' or c.relpersistence operator(pg_catalog.=) 't'
        then 'is no ordinary table'
    when c.relrowsecurity then 'has row level security'
    when exists (
        select from pg_catalog.pg_rewrite as r where r.ev_class operator(pg_catalog.=) c.oid
    ) then 'has rules'
    when exists (
        select from pg_catalog.pg_attribute as a
        join pg_catalog.pg_type as t on t.oid operator(pg_catalog.=) a.atttypid
        where a.attrelid operator(pg_catalog.=) c.oid and not a.attisdropped
            and t.typnamespace operator(pg_catalog.<>) '11'::pg_catalog.oid
    ) then 'has columns of types that are not PostgreSQL''s own'
end"""

# Why the first such table may not be written, or null: run under our own search path.
# Superusers need no trap. The roles that we are a member of may set one at any time, so
# theirs are looked at again in each transaction; see `guard`.
_UNWRITABLE = f"""(
    with recursive ours (oid) as (
        select r.oid from pg_roles as r where r.rolname = current_user
        union
        select m.roleid from pg_auth_members as m join ours as o on o.oid = m.member
    )
    select pg_catalog.format('%I %s', c.relname, w.reason)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_roles as o on o.oid = c.relowner
    cross join lateral (
        select coalesce({_UNREADABLE}, case
            when not o.rolsuper and not exists (select from ours where ours.oid = o.oid)
                then format('belongs to %I', o.rolname)
            when exists (
                select from pg_trigger as t
                join pg_proc as p on p.oid = t.tgfoid
                join pg_roles as f on f.oid = p.proowner
                where t.tgrelid = c.oid and not t.tgisinternal
                    and not f.rolsuper and f.rolname <> current_user
            ) then 'has triggers that run functions of others'
            when not o.rolsuper and o.rolname <> current_user and (
                exists (select from pg_attrdef as d where d.adrelid = c.oid)
                or exists (
                    select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'c'
                )
                or exists (
                    select from pg_index as i where i.indrelid = c.oid
                        and (i.indexprs is not null or i.indpred is not null)
                )
            ) then format('belongs to %I and has defaults, checks or expressions', o.rolname)
        end) as reason
    ) as w
    where n.nspname = {{schema}} and c.relname in {EVERY} and w.reason is not null
    order by c.oid
    limit 1
)"""

# Whether a table belongs to another role that is no superuser.
SHARED = f"""exists (
    select from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_roles as o on o.oid = c.relowner
    where n.nspname = {{schema}} and c.relname in {EVERY}
        and not o.rolsuper and o.rolname <> current_user
)"""


def unwritable(schema: str) -> str:
    """Return the expression for why a ledger may not be written, or null."""
    return _UNWRITABLE.format(schema=schema)


def readable(table: str) -> FlightCommand:
    """Return the command that fails unless a table, found along the path, may be read."""
    return FlightCommand(
        f"select ({_UNREADABLE})::pg_catalog.int4 from pg_catalog.pg_class as c "
        f"where c.oid operator(pg_catalog.=) '{table}'::pg_catalog.regclass"
    )


def guard(schema: str, quoted_schema: str, *more: str) -> list[FlightCommand]:
    """Return what holds off traps for the rest of a transaction, under our search path."""
    tables = ", ".join(f"{quoted_schema}.{name}" for name in (*TABLES, *more))
    return [
        FlightCommand(f"lock table {tables} in row exclusive mode"),
        FlightCommand(f"select ({unwritable('$1')})::pg_catalog.int4", (schema,)),
    ]


def refused(reason: str) -> LedgerError:
    """Return the error for a ledger that is not to be trusted: the table, and why."""
    table = reason.split(" ", 1)[0]
    return LedgerError(
        f"the ledger is not to be trusted: {reason}",
        code="M405",
        cause="who owns a table decides what runs when it is used, and it would run as you; "
        "nothing was read or changed",
        fix=f"if nobody of yours made it, drop {table}; if it is your ledger, migrate as its "
        f"owner or as a member of that role, or `alter table {table} owner to` the migrating "
        "role; and take off what hangs on it",
    )
