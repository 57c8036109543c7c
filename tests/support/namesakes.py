"""What a role that may create in `public` plants there, to run as whoever comes by.

Made from the server's own catalog: its functions, operators, types and relations get
namesakes that complain, in the log too, when anybody but the planter runs them.
"""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

PLANTER = "namesake_planter"
MARK = "PLANTED CODE RAN"

# The body of every trap; %1$L is what was planted, %2$s what ends it.
_TRAP = (
    "declare what pg_catalog.text := %1$L; begin "
    f"if current_user operator(pg_catalog.<>) '{PLANTER}'::pg_catalog.name then "
    f"raise log '{MARK}: %% as %%', what, current_user; "
    f"raise exception '{MARK}: %% as %%', what, current_user; end if; return%2$s; end"
)

# Those of the catalog, of the ledger, and of our own expressions.
_TYPES = (
    "'{varchar,text,name,bpchar,char,int2,int4,int8,oid,regclass,float8,numeric,timestamp,"
    "timestamptz,date,interval,bool,uuid,jsonb,pg_lsn,xid}'::regtype[]"
)

_FUNCTIONS = """
select
    format(
        'create function public.%I(%s) returns %s%s language plpgsql as %L',
        p.proname, a.list, case when p.proretset then 'setof ' end, format_type(p.prorettype, null),
        format({trap}, 'function ' || p.proname,
            case when p.proretset or p.prorettype = 'void'::regtype then '' else ' null' end)
    )
from pg_proc as p
cross join lateral (
    select string_agg(format_type(u.oid, null), ', ' order by u.place) as list
    from unnest(p.proargtypes::oid[]) with ordinality as u (oid, place)
) as a
where p.pronamespace = 'pg_catalog'::regnamespace and p.pronargs <= 4 and p.prokind <> 'p'
"""
_OPERATORS = f"""
select
    format(
        'create function public.op_%s(%s, %s) returns %s language plpgsql as %L',
        q.n, q.l, q.r, q.result,
        format({{trap}}, format('operator %s (%s, %s)', q.name, q.l, q.r), ' null')
    ) || format(
        '; create operator public.%s (leftarg = %s, rightarg = %s, function = public.op_%s)',
        q.name, q.l, q.r, q.n
    )
from (
    select u.name, format_type(u.l, null) as l, format_type(u.r, null) as r,
        format_type(u.result, null) as result, row_number() over () as n
    from (
        select oprname, oprleft, oprright, oprresult from pg_operator
        where oprnamespace = 'pg_catalog'::regnamespace and oprkind = 'b'
        union
        -- Better fits than PostgreSQL's own, for types that it has to convert.
        select n, l, r, case when n in ('||', '+', '-', '*', '/') then l else 'bool'::regtype end
        from unnest(string_to_array('= <> < > <= >= || + - * / ~ !~ ~~ !~~', ' ')) as n
        cross join unnest({_TYPES}) as l
        cross join unnest({_TYPES}) as r
    ) as u (name, l, r, result)
) as q
"""
_DOMAINS = """
select format('create domain public.%I as pg_catalog.%I check (public.trap_value(value))', t, t)
from (
    select typname from pg_type
    where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b' and typelem = 0
) as q (t)
"""
_RELATIONS = """
select format('create view public.%I as select * from pg_catalog.%I where public.trap_row()', c, c)
from (
    select relname from pg_class
    where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
) as q (c)
union all
select 'create view public.pg_stat_statements as select ''x''::text as query, 9::bigint as calls, '
    '900.0::float8 as mean_exec_time, 900.0::float8 as total_exec_time where public.trap_row()'
"""
_KINDS = {
    "functions": _FUNCTIONS,
    "operators": _OPERATORS,
    "domains": _DOMAINS,
    "relations": _RELATIONS,
}
# Statements that PostgreSQL refuses (pseudo-types, names that it keeps) plant nothing.
_PLANT = """
do $plant$
declare statement text; made int := 0;
begin
    for statement in {select} loop
        begin
            execute statement;
            made := made + 1;
        exception when others then null;
        end;
    end loop;
    perform set_config('planting.made', made::text, false);
end $plant$
"""


def plant(url: str) -> dict[str, int]:
    """Plant everything as the role of a URL; return how many objects of each kind there are."""
    counts: dict[str, int] = {}
    trap = "'" + _TRAP.replace("'", "''") + "'"
    with psycopg.connect(url, autocommit=True) as connection:
        # Else what is planted would be used for the planting.
        connection.execute("set search_path = pg_catalog")
        for name, argument in (("trap_value", "anyelement"), ("trap_row", "")):
            body = f"format({trap}, '{name}', ' true')"
            row = connection.execute(f"select {body}".encode()).fetchone()
            assert row
            connection.execute(
                f"create function public.{name}({argument}) returns bool language plpgsql "
                f"as $trap${row[0]}$trap$".encode()
            )
        for kind, select in _KINDS.items():
            connection.execute(_PLANT.replace("{select}", select.replace("{trap}", trap)).encode())
            row = connection.execute("select current_setting('planting.made')::int").fetchone()
            assert row
            counts[kind] = row[0]
        connection.execute("grant select on all tables in schema public to public")
    return counts


def ran(log: Path) -> set[str]:
    """Return what of the planted ran, from a server's log."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(rf"{MARK}: .*", text))
