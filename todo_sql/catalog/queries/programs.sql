-- Schemas, extensions, functions, types and the rarer objects. Shaped as relations.sql.

-- name: schema :many
select
    quote_ident(n.nspname) as object,
    pg_get_userbyid(n.nspowner) as owner
from pg_namespace as n
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_namespace'::regclass and e.objid = n.oid and e.deptype = 'e'
    );

-- name: extension :many
select
    quote_ident(e.extname) as object,
    e.extversion as version,
    e.extnamespace::regnamespace::text as schema
from pg_extension as e;

-- name: function :many
select
    (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity as object,
    p.proname::text as name,
    case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as form,
    pg_get_userbyid(p.proowner) as owner,
    case
        when p.prokind <> 'a' then pg_get_functiondef(p.oid)
        else format(
            'sfunc = %s, stype = %s, finalfunc = %s, initcond = %L, sortop = %s',
            a.aggtransfn, a.aggtranstype::regtype, a.aggfinalfn, a.agginitval, a.aggsortop::regoper
        )
    end as definition,
    pg_get_function_result(p.oid) as returns,
    l.lanname::text as language,
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
    p.prosecdef as security_definer,
    array_to_string(p.proconfig, ', ') as settings
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
inner join pg_language as l on l.oid = p.prolang
left join pg_aggregate as a on a.aggfnoid = p.oid
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
    );

-- name: type :many
-- Enums, composite, range and base types; a domain is a kind of its own.
select
    format('%I.%I', n.nspname, t.typname) as object,
    pg_get_userbyid(t.typowner) as owner,
    case t.typtype when 'e' then 'enum' when 'c' then 'composite' when 'r' then 'range' else 'base' end as form,
    case t.typtype
        when 'e' then (
            select string_agg(quote_literal(l.enumlabel), ', ' order by l.enumsortorder)
            from pg_enum as l where l.enumtypid = t.oid
        )
        when 'c' then (
            select
                string_agg(
                    format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum
                )
            from pg_attribute as a
            where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        )
        when 'r' then (
            select
                format('subtype = %s', r.rngsubtype::regtype)
                || case when r.rngcanonical <> 0 then format(', canonical = %s', r.rngcanonical) else '' end
                || case when r.rngsubdiff <> 0 then format(', subtype_diff = %s', r.rngsubdiff) else '' end
            from pg_range as r where r.rngtypid = t.oid
        )
        else format('input = %s, output = %s', t.typinput, t.typoutput)
    end as definition
from pg_type as t
inner join pg_namespace as n on n.oid = t.typnamespace
left join pg_class as c on c.oid = t.typrelid
where
    (t.typtype in ('e', 'r') or (t.typtype = 'c' and c.relkind = 'c') or (t.typtype = 'b' and t.typelem = 0))
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
    );

-- name: domain :many
select
    format('%I.%I', n.nspname, t.typname) as object,
    pg_get_userbyid(t.typowner) as owner,
    format_type(t.typbasetype, t.typtypmod) as type,
    case when t.typcollation <> b.typcollation then format('%I.%I', cn.nspname, co.collname) end as collation,
    t.typnotnull as not_null,
    t.typdefault as default,
    (
        select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ' ' order by k.conname)
        from pg_constraint as k where k.contypid = t.oid and k.contype = 'c'
    ) as constraints
from pg_type as t
inner join pg_namespace as n on n.oid = t.typnamespace
inner join pg_type as b on b.oid = t.typbasetype
left join pg_collation as co on co.oid = t.typcollation
left join pg_namespace as cn on cn.oid = co.collnamespace
where
    t.typtype = 'd'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
    );

-- name: event_trigger :many
select
    quote_ident(e.evtname) as object,
    pg_get_userbyid(e.evtowner) as owner,
    e.evtevent::text as event,
    array_to_string(e.evttags, ', ') as tags,
    e.evtfoid::regprocedure::text as function,
    case e.evtenabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'replica' else 'always'
    end as enabled
from pg_event_trigger as e;

-- name: publication :many
select
    quote_ident(p.pubname) as object,
    pg_get_userbyid(p.pubowner) as owner,
    p.puballtables as all_tables,
    concat_ws(
        ', ',
        case when p.pubinsert then 'insert' end,
        case when p.pubupdate then 'update' end,
        case when p.pubdelete then 'delete' end,
        case when p.pubtruncate then 'truncate' end
    ) as publish,
    p.pubviaroot as via_root,
    (
        select
            string_agg(
                r.prrelid::regclass || coalesce(' where (' || pg_get_expr(r.prqual, r.prrelid) || ')', ''), ', '
                order by r.prrelid::regclass::text
            )
        from pg_publication_rel as r where r.prpubid = p.oid
    ) as tables
from pg_publication as p;

-- name: other :many
-- The kinds that a project of this sort seldom has: their presence, owner and core definition.
select
    i.type || ' ' || i.identity as object,
    i.type as form,
    o.definition
from (
    select 'pg_collation'::regclass as class, c.oid, c.collnamespace as namespace,
        (to_jsonb(c) - 'oid' - 'collnamespace' - 'collowner' - 'collversion')::text as definition
    from pg_collation as c
    union all
    select 'pg_operator'::regclass, o.oid, o.oprnamespace, o.oprcode::regprocedure::text
    from pg_operator as o
    union all
    select 'pg_cast'::regclass, c.oid, null, format('%s %s', nullif(c.castfunc, 0)::regprocedure, c.castcontext)
    from pg_cast as c
    union all
    select 'pg_opclass'::regclass, o.oid, o.opcnamespace, format('default %s', o.opcdefault)
    from pg_opclass as o
    union all
    select 'pg_opfamily'::regclass, o.oid, o.opfnamespace, null
    from pg_opfamily as o
    union all
    select 'pg_ts_config'::regclass, t.oid, t.cfgnamespace,
        (
            select string_agg(format('%s: %s', m.maptokentype, m.mapdict::regdictionary), ', ' order by m.maptokentype, m.mapseqno)
            from pg_ts_config_map as m where m.mapcfg = t.oid
        )
    from pg_ts_config as t
    union all
    select 'pg_ts_dict'::regclass, t.oid, t.dictnamespace, t.dictinitoption
    from pg_ts_dict as t
    union all
    select 'pg_language'::regclass, l.oid, null, format('trusted %s', l.lanpltrusted)
    from pg_language as l
    union all
    select 'pg_foreign_data_wrapper'::regclass, f.oid, null, array_to_string(f.fdwoptions, ', ')
    from pg_foreign_data_wrapper as f
    union all
    select 'pg_foreign_server'::regclass, s.oid, null, array_to_string(s.srvoptions, ', ')
    from pg_foreign_server as s
    union all
    select 'pg_am'::regclass, a.oid, null, a.amhandler::regproc::text
    from pg_am as a
) as o
cross join lateral pg_identify_object(o.class, o.oid, 0) as i
where
    o.oid >= 16384 -- the first one that is not made by initdb
    and coalesce(i.schema, '') !~ '^pg_' and coalesce(i.schema, '') <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = o.class and e.objid = o.oid and e.deptype in ('e', 'i')
    );
