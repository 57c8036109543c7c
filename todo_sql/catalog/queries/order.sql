-- What must be there before what: for dumps that load and mending that runs.

-- name: dependency :many
-- Between tables, views, functions, types, domains and sequences; a view's dependencies are
-- those of its rule, a table's include those of its defaults and constraints.
with links as materialized (
    select
        coalesce(r.ev_class, a.adrelid, nullif(k.conrelid, 0), nullif(k.contypid, 0), d.objid) as objid,
        case
            when r.oid is not null or a.oid is not null or k.conrelid <> 0 then 'pg_class'::regclass
            when k.contypid <> 0 then 'pg_type'::regclass
            else d.classid
        end as classid,
        d.refclassid,
        d.refobjid
    from pg_depend as d
    left join pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_attrdef as a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
    left join pg_constraint as k
        on d.classid = 'pg_constraint'::regclass and k.oid = d.objid and k.contype = 'c'
    where
        d.deptype in ('n', 'a') and d.objid >= 16384 and d.refobjid >= 16384
        and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
        and (d.classid <> 'pg_constraint'::regclass or k.oid is not null)
        and d.classid in (
            'pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_rewrite'::regclass,
            'pg_attrdef'::regclass, 'pg_constraint'::regclass
        )
),

-- A row type stands for its table, an array type for its element.
resolved as (
    select distinct
        l.classid, l.objid,
        case when t.typrelid <> 0 then 'pg_class'::regclass else l.refclassid end as refclassid,
        coalesce(nullif(t.typrelid, 0), nullif(t.typelem, 0), l.refobjid) as refobjid
    from links as l
    left join pg_type as t on l.refclassid = 'pg_type'::regclass and t.oid = l.refobjid
)

select
    case o.type when 'procedure' then 'function' when 'aggregate' then 'function' else o.type end
    || ' ' || o.identity as object,
    case n.type when 'procedure' then 'function' when 'aggregate' then 'function' else n.type end
    || ' ' || n.identity as needs
from resolved as r
cross join lateral pg_identify_object(r.classid, r.objid, 0) as o
cross join lateral pg_identify_object(r.refclassid, r.refobjid, 0) as n
where (r.classid, r.objid) <> (r.refclassid, r.refobjid);
