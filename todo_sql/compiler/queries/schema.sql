-- The catalog as the compiler sees it: what queries may name, and what is proved of it.

-- name: columns :many
select a.attrelid::int8, a.attnum, a.attname, a.atttypid::int8, a.atttypmod, a.attnotnull, a.attndims
from pg_catalog.pg_attribute as a
where
    a.attnum > 0 and not a.attisdropped
    and a.attrelid not in (select c.oid from pg_catalog.pg_class as c where c.relkind in ('i', 't', 'I'))
order by a.attrelid, a.attnum;

-- name: not_validated :many
-- NOT NULL constraints that no row was checked for.
select k.conrelid::int8, k.conkey[1]
from pg_catalog.pg_constraint as k
where k.contype = 'n' and not k.convalidated;

-- name: comments :many
-- Of tables and columns.
select d.objoid::int8, d.objsubid, d.description
from pg_catalog.pg_description as d
where d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid >= 16384;

-- name: relations :many
select c.oid::int8, n.nspname, c.relname, c.relkind::text, c.relrowsecurity
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c') and n.nspname <> 'pg_toast';

-- name: inherits :many
select i.inhparent::int8, i.inhrelid::int8
from pg_catalog.pg_inherits as i;

-- name: indexes :many
-- Valid ones of columns alone, outside pg_toast.
select
    i.indrelid::int8,
    (i.indkey::int2[]::int4[])[:i.indnkeyatts - 1],
    i.indisunique,
    i.indpred is not null
from pg_catalog.pg_index as i
where
    i.indisvalid and i.indexprs is null
    and i.indrelid not in (select c.oid from pg_catalog.pg_class as c where c.relnamespace = 99);

-- name: checks :many
-- Those that are enforced; before PostgreSQL 18 all are.
select k.conrelid::int8, k.conname, pg_get_expr(k.conbin, k.conrelid)
from pg_catalog.pg_constraint as k
where
    k.contype = 'c' and k.conrelid <> 0
    and coalesce((to_jsonb(k.*) ->> 'conenforced')::bool, true)
order by k.conrelid, k.conname;

-- name: types :many
select
    t.oid::int8,
    n.nspname,
    t.typname,
    t.typtype::text,
    array[format_type(t.oid, null), quote_ident(n.nspname) || '.'],
    -- int2vector and oidvector, too, have elements, but are written otherwise: `1 2`
    case when t.typinput = 'pg_catalog.array_in'::regproc then t.typelem::int8 else 0 end,
    coalesce(nullif(t.typbasetype::int8, 0), r.rngsubtype::int8, m.rngsubtype::int8, 0),
    t.typrelid::int8,
    case
        when t.typtype = 'e'
            then (
                select array_agg(e.enumlabel::text order by e.enumsortorder)
                from pg_catalog.pg_enum as e where e.enumtypid = t.oid
            )
    end,
    t.typnotnull,
    t.typdelim::text,
    t.typndims
from pg_catalog.pg_type as t
inner join pg_catalog.pg_namespace as n on t.typnamespace = n.oid
left join pg_catalog.pg_range as r on t.oid = r.rngtypid
left join pg_catalog.pg_range as m on t.oid = m.rngmultitypid;

-- name: functions :many
select
    p.oid::int8,
    n.nspname,
    p.proname,
    p.proisstrict,
    p.provolatile::text,
    p.proargtypes::text,
    p.proretset
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid;

-- name: operators :many
-- PostgreSQL's own.
select o.oid::int8, o.oprname
from pg_catalog.pg_operator as o
where o.oprnamespace = 11;
