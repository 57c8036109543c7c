-- What a statement did, asked in its own transaction or from beside it. None of these takes
-- a lock on the relations that it asks about.

-- name: relations :many
-- Tables, partitions, indexes, sequences, views: what traffic may be using.
select
    c.oid::bigint as oid,
    n.nspname || '.' || c.relname as name,
    n.nspname::text as schema,
    c.relname::text as table,
    c.relkind::text as kind,
    coalesce(pg_relation_filenode(c.oid), 0)::bigint as file,
    coalesce(i.indrelid, c.oid)::bigint as table_oid
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
left join pg_catalog.pg_index as i on c.oid = i.indexrelid
where
    c.relkind in ('r', 'p', 'i', 'I', 'S', 'v', 'm', 'f')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)';

-- name: held_locks :many
-- Those of one backend, by default the one that asks; also the one that it waits for.
select l.relation::bigint as oid, l.mode, l.granted
from pg_catalog.pg_locks as l
where
    l.pid = coalesce(:pid::integer, pg_catalog.pg_backend_pid()) and l.locktype = 'relation'
    and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database());

-- name: scans :many
-- Sequential scans that this transaction began.
select c.oid::bigint as oid, pg_catalog.pg_stat_get_xact_numscans(c.oid)::bigint as scans
from pg_catalog.pg_class as c
where c.relkind in ('r', 'm') and pg_catalog.pg_stat_get_xact_numscans(c.oid) > 0;

-- name: waiting :optional
select a.state, a.wait_event_type, a.wait_event
from pg_catalog.pg_stat_activity as a
where a.pid = :pid;

-- name: sizes :many
-- From the statistics, so that no lock is waited for; -1 rows: never analyzed.
select
    n.nspname || '.' || c.relname as name,
    c.reltuples::bigint as rows,
    c.relpages * current_setting('block_size')::bigint as bytes
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema';

-- name: runs_as_superuser :many
-- Functions that others than superusers wrote: to plan or ask a question may run them as a superuser.
select p.oid::regprocedure::text as name
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_roles as o on p.proowner = o.oid
inner join pg_catalog.pg_language as l on p.prolang = l.oid
where
    not o.rolsuper
    and l.lanname not in ('internal', 'c')
    and exists (select from pg_catalog.pg_roles as r where r.rolname = session_user and r.rolsuper)
order by p.oid
limit 1;

-- The shape of what holds rows, and what changed of it. `since` is the id of a transaction:
-- what it and later ones wrote; by default everything. A transaction counts with 32 bits.

-- name: next_transaction :one
select (pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295)::bigint as id;

-- name: shape_columns :many
select
    a.attrelid::bigint as oid,
    a.attnum::integer as number,
    a.attname::text as name,
    a.attisdropped as dropped,
    a.attnotnull as not_null,
    a.attidentity <> '' as identity,
    a.attgenerated <> '' as generated,
    a.atthasmissing as settled,
    a.atttypid::bigint as type_oid,
    a.atttypmod::integer as modifier,
    case when a.attisdropped then null else format_type(a.atttypid, a.atttypmod) end as type,
    pg_get_expr(d.adbin, d.adrelid) as "default"
from pg_attribute as a
inner join pg_class as c on a.attrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
where
    a.attnum > 0 and c.relkind in ('r', 'p')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and (:since::bigint is null or a.xmin::text::bigint >= :since)
order by a.attrelid, a.attnum;

-- name: shape_constraints :many
-- Of PostgreSQL 18's NOT NULL constraints, too: a column may be marked before it is proved.
select
    k.oid::bigint as oid,
    k.conrelid::bigint as table_oid,
    k.contypid::bigint as domain_oid,
    k.confrelid::bigint as references_oid,
    k.conparentid::bigint as parent_oid,
    k.conname::text as name,
    k.contype::text as form,
    k.convalidated as validated,
    k.conkey::integer[] as columns,
    k.confkey::integer[] as references_columns,
    k.confmatchtype::text as match,
    k.conindid::bigint as index_oid,
    case when k.contype = 'c' then pg_get_expr(k.conbin, k.conrelid) end as expression,
    (
        select array_agg(format('operator(%I.%s)', own.nspname, o.oprname) order by u.rank)
        from unnest(coalesce(k.conexclop, k.conpfeqop)) with ordinality as u (operator, rank)
        inner join pg_operator as o on u.operator = o.oid
        inner join pg_namespace as own on o.oprnamespace = own.oid
    ) as operators,
    k.conexclop is not null as excludes,
    -- 18's PERIOD; on older servers there is no such column.
    coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) as period
from pg_constraint as k
inner join pg_namespace as n on k.connamespace = n.oid
where
    k.contype in ('c', 'f', 'n', 'x', 'p', 'u')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:since::bigint is null or k.xmin::text::bigint >= :since);

-- name: shape_indexes :many
-- Unique ones, and those of exclusions.
select
    i.indexrelid::bigint as oid,
    i.indrelid::bigint as table_oid,
    c.relname::text as name,
    i.indisvalid as valid,
    i.indisexclusion as excludes,
    i.indnullsnotdistinct as nulls_equal,
    pg_get_expr(i.indpred, i.indrelid) as predicate,
    (
        select
            array_agg(
                pg_get_indexdef(i.indexrelid, u.rank::integer, false)
                || case when co.oid is null then '' else format(' collate %I.%I', cn.nspname, co.collname) end
                order by u.rank
            )
        from unnest(i.indcollation::oid[]) with ordinality as u (collation_oid, rank)
        left join pg_collation as co on u.collation_oid = co.oid
        left join pg_namespace as cn on co.collnamespace = cn.oid
        where u.rank <= i.indnkeyatts
    ) as keys,
    (select h.inhparent::bigint from pg_inherits as h where h.inhrelid = i.indexrelid) as parent_oid
from pg_index as i
inner join pg_class as c on i.indexrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    (i.indisunique or i.indisexclusion)
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:since::bigint is null or i.xmin::text::bigint >= :since);

-- name: shape_children :many
-- Partitions and children of tables; with the partition that takes what no other does.
select
    h.inhrelid::bigint as oid,
    h.inhparent::bigint as parent_oid,
    p.relkind = 'p' as partition,
    nullif(pt.partdefid, 0)::bigint as default_oid
from pg_inherits as h
inner join pg_class as p on h.inhparent = p.oid
left join pg_partitioned_table as pt on h.inhparent = pt.partrelid
where p.relkind in ('r', 'p') and (:since::bigint is null or h.xmin::text::bigint >= :since);

-- name: shape_domains :many
select
    t.oid::bigint as oid,
    format_type(t.oid, null) as name,
    t.typbasetype::bigint as base_oid,
    format_type(t.typbasetype, t.typtypmod) as base,
    t.typnotnull as not_null
from pg_type as t
inner join pg_namespace as n on t.typnamespace = n.oid
where
    t.typtype = 'd' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:since::bigint is null or t.xmin::text::bigint >= :since);

-- name: triggered :many
-- Tables on which a trigger of somebody's fires: a write may then write anywhere.
select distinct t.tgrelid::bigint as oid
from pg_trigger as t
where not t.tgisinternal and t.tgenabled <> 'D';

-- name: foreign_functions :many
-- Functions of these names that are not PostgreSQL's own: such a one may do anything.
select p.proname::text as name
from pg_proc as p
where p.proname = any(:names::text[]) and p.pronamespace <> 'pg_catalog'::regnamespace
order by p.oid
limit 1;

-- name: modifier_cast :optional
-- What makes a value fit the modifier of its type, such as the length of a varchar.
select
    format('%I.%I', n.nspname, p.proname) as function,
    p.pronargs::integer as arguments,
    format_type(:type::oid, -1) as type
from pg_cast as k
inner join pg_proc as p on k.castfunc = p.oid
inner join pg_namespace as n on p.pronamespace = n.oid
where k.castsource = :type::oid and k.casttarget = :type::oid;

-- name: partition_rule :one
-- Takes a lock that blocks nobody, until the end of what asks.
select pg_get_partition_constraintdef(:oid::oid) as rule;

-- name: bound_partitions :many
-- A partition, and the default one beside it, with what binds their rows.
select
    format('%I.%I', n.nspname, c.relname) as name,
    pg_get_partition_constraintdef(c.oid) as rule,
    c.oid = p.partdefid as is_default
from pg_inherits as i
inner join pg_partitioned_table as p on i.inhparent = p.partrelid
inner join pg_class as c on c.oid in (i.inhrelid, p.partdefid)
inner join pg_namespace as n on c.relnamespace = n.oid
where i.inhrelid = to_regclass(:partition);

-- name: cluster_state :one
-- What belongs to the whole cluster, as one value: whether it changed is all that is asked.
select md5(concat(
    (select string_agg(to_jsonb(r)::text, '' order by r.oid) from pg_roles as r),
    (select string_agg(to_jsonb(m)::text, '' order by m.roleid, m.member, m.grantor) from pg_auth_members as m),
    (
        select string_agg(to_jsonb(s)::text, '' order by s.setdatabase, s.setrole) from pg_db_role_setting as s
        where s.setdatabase <> (select d.oid from pg_database as d where d.datname = current_database())
    ),
    (
        select string_agg(concat(d.oid, d.datname, d.datdba, d.datacl), '' order by d.oid) from pg_database as d
        where d.datname !~ '^todo_sql_scratch_'
    ),
    (select string_agg(concat(t.oid, t.spcname, t.spcowner, t.spcacl), '' order by t.oid) from pg_tablespace as t),
    (select string_agg(to_jsonb(a)::text, '' order by a.oid) from pg_parameter_acl as a),
    (
        select string_agg(to_jsonb(d)::text, '' order by d.objoid, d.classoid) from pg_shdescription as d
        where d.objoid <> (select b.oid from pg_database as b where b.datname = current_database())
    )
)) as state;
