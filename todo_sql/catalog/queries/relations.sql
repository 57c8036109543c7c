-- Tables and what belongs to them. Every query returns `object` (the qualified, quoted
-- name), mostly `parent` (kind and name of what it belongs to), and one column per
-- attribute that is compared; `oid` (and `attnum`) serve to find dependencies. Objects of
-- PostgreSQL, of extensions and our ledger are left out.

-- name: table :many
select
    c.oid::bigint as oid,
    format('%I.%I', n.nspname, c.relname) as object,
    pg_get_userbyid(c.relowner) as owner,
    case c.relkind when 'p' then 'partitioned' when 'f' then 'foreign' else 'plain' end as form,
    case c.relpersistence when 'u' then 'unlogged' else 'logged' end as persistence,
    c.relrowsecurity as row_security,
    c.relforcerowsecurity as force_row_security,
    pg_get_partkeydef(c.oid) as partition_by,
    parents.inherits,
    pg_get_expr(c.relpartbound, c.oid) as partition_bound,
    parents.detach_pending,
    array_to_string(c.reloptions, ', ') as options,
    array_to_string(toast.reloptions, ', ') as toast_options,
    (select am.amname::text from pg_am as am where am.oid = c.relam) as access_method,
    (select s.spcname::text from pg_tablespace as s where s.oid = c.reltablespace) as tablespace,
    case
        when c.relkind = 'f' or c.relreplident = 'd' then null
        else case c.relreplident when 'n' then 'nothing' when 'f' then 'full' else 'index' end
    end as replica_identity,
    nullif(c.reloftype, 0)::regtype::text as of_type,
    fs.srvname::text as server,
    (
        select jsonb_object_agg(o.option_name, o.option_value)
        from pg_options_to_table(ft.ftoptions) as o
    ) as foreign_options
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
left join pg_class as toast on c.reltoastrelid = toast.oid
left join pg_foreign_table as ft on c.oid = ft.ftrelid
left join pg_foreign_server as fs on ft.ftserver = fs.oid
cross join
    lateral (
        select
            string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno) as inherits,
            bool_or(i.inhdetachpending) as detach_pending
        from pg_inherits as i
        where i.inhrelid = c.oid
    ) as parents
where
    c.relkind in ('r', 'p', 'f')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    );

-- name: column :many
-- Position is the rank among the live columns: a column dropped and added again moves to the end.
-- What a child inherits is ranked apart: no statement could make any other order of both.
select
    a.attrelid::bigint as oid,
    a.attnum,
    d.oid::bigint as default_oid,
    format('%I.%I.%I', n.nspname, c.relname, a.attname) as object,
    case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' else 'table ' end
    || format('%I.%I', n.nspname, c.relname) as parent,
    a.attname::text as name,
    row_number() over (
        partition by a.attrelid, a.attinhcount > 0 and not a.attislocal and not c.relispartition order by a.attnum
    )::integer as position,
    format_type(a.atttypid, a.atttypmod) as type,
    case
        when not a.attnotnull then null
        when nn.convalidated is false then 'not valid'
        when nn.connoinherit then 'no inherit'
        else 'yes'
    end as not_null,
    -- PostgreSQL 18 names each NOT NULL; told where it is not the name that it would choose,
    -- unless it comes with what the table inherits.
    case
        when nn.conislocal and nn.conname::text <> format('%s_%s_not_null', c.relname, a.attname)
            then quote_ident(nn.conname)
    end as not_null_name,
    pg_get_expr(d.adbin, d.adrelid) as "default",
    case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
    case a.attidentity when 'a' then 'always' when 'd' then 'by default' end as identity,
    case when a.attcollation <> t.typcollation then format('%I.%I', cn.nspname, co.collname) end as collation,
    case
        when a.attstorage = t.typstorage then null
        else
            case a.attstorage
                when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended'
            end
    end as storage,
    case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as compression,
    nullif(a.attstattarget, -1)::integer as statistics,
    -- pg_attver is the server's own, not a setting: Debian's 15.20 counts with it.
    (
        select string_agg(o.option, ', ' order by o.option)
        from unnest(a.attoptions) as o (option)
        where o.option not like 'pg\_attver=%'
    ) as options,
    (select jsonb_object_agg(o.option_name, o.option_value) from pg_options_to_table(a.attfdwoptions) as o)
        as foreign_options,
    case when a.attinhcount > 0 and not a.attislocal and not c.relispartition then true end as inherited
from pg_attribute as a
inner join pg_class as c on a.attrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
inner join pg_type as t on a.atttypid = t.oid
left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
left join pg_collation as co on a.attcollation = co.oid
left join pg_namespace as cn on co.collnamespace = cn.oid
left join pg_constraint as nn
    on a.attrelid = nn.conrelid and nn.contype = 'n' and nn.conkey[1] = a.attnum
where
    a.attnum > 0 and not a.attisdropped
    and c.relkind in ('r', 'p', 'f', 'v', 'm')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: constraint :many
-- Those of tables and of domains. A NOT NULL is told with its column.
select
    k.oid::bigint as oid,
    format('%I on %I.%I', k.conname, n.nspname, c.relname) as object,
    format('table %I.%I', n.nspname, c.relname) as parent,
    k.conname::text as name,
    case k.contype
        when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key'
        when 'c' then 'check' when 'x' then 'exclude' else 'trigger'
    end as form,
    pg_get_constraintdef(k.oid) as definition,
    columns.names as columns,
    nullif(k.confrelid, 0)::regclass::text as "references",
    k.convalidated as validated,
    case when k.coninhcount > 0 and not k.conislocal and not c.relispartition then true end as inherited,
    case when k.conparentid <> 0 then true end as of_partition,
    (
        select format('%I on %s', p.conname, p.conrelid::regclass) from pg_constraint as p
        where p.oid = k.conparentid
    ) as partition_of,
    (
        select
            string_agg(
                format(
                    '%s %s', p.proname,
                    case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' else 'always' end
                ), ', ' order by p.proname
            )
        from pg_trigger as t
        inner join pg_proc as p on t.tgfoid = p.oid
        where t.tgconstraint = k.oid and t.tgisinternal and t.tgenabled <> 'O'
    ) as triggers
from pg_constraint as k
inner join pg_class as c on k.conrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
cross join
    lateral (
        select array_agg(a.attname::text order by u.rank) as names
        from unnest(k.conkey) with ordinality as u (attnum, rank)
        inner join pg_attribute as a on k.conrelid = a.attrelid and u.attnum = a.attnum
    ) as columns
where
    k.contype in ('p', 'u', 'f', 'c', 'x')
    -- A foreign key to a partitioned table has a hidden twin per partition.
    and not exists (select from pg_constraint as p where p.oid = k.conparentid and p.conrelid = k.conrelid)
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    )
union all
select
    k.oid::bigint,
    format('%I on %I.%I', k.conname, n.nspname, t.typname),
    format('domain %I.%I', n.nspname, t.typname),
    k.conname::text, 'check', pg_get_constraintdef(k.oid), null, null, k.convalidated, null, null, null, null
from pg_constraint as k
inner join pg_type as t on k.contypid = t.oid
inner join pg_namespace as n on t.typnamespace = n.oid
where
    k.contype = 'c'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
    );

-- name: index :many
with made_by as materialized (
    select k.conindid, k.conname::text as name
    from pg_constraint as k
    where k.contype in ('p', 'u', 'x')
)

select
    i.oid::bigint as oid,
    format('%I.%I', n.nspname, i.relname) as object,
    case c.relkind when 'm' then 'materialized view ' else 'table ' end
    || format('%I.%I', n.nspname, c.relname) as parent,
    i.relname::text as name,
    pg_get_indexdef(x.indexrelid) as definition,
    x.indisvalid as valid,
    case when x.indisclustered then true end as clustered,
    case when x.indisreplident then true end as replica_identity,
    x.indisunique as "unique",
    x.indisprimary as "primary",
    keys.columns,
    pg_get_expr(x.indpred, x.indrelid) as predicate,
    (select am.amname::text from pg_am as am where am.oid = i.relam) as method,
    array_to_string(i.reloptions, ', ') as options,
    (select s.spcname::text from pg_tablespace as s where s.oid = i.reltablespace) as tablespace,
    keys.statistics,
    made_by.name as "constraint",
    (select h.inhparent::regclass::text from pg_inherits as h where h.inhrelid = i.oid) as partition_of
from pg_index as x
inner join pg_class as i on x.indexrelid = i.oid
inner join pg_class as c on x.indrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
left join made_by on x.indexrelid = made_by.conindid
cross join
    lateral (
        select
        -- pg_get_indexdef would say the same of a plain column, but takes its time.
            array_agg(
                case
                    when x.indkey[a.attnum - 1] = 0 then pg_get_indexdef(a.attrelid, a.attnum, true)
                    else (
                        select quote_ident(p.attname) from pg_attribute as p
                        where p.attrelid = c.oid and p.attnum = x.indkey[a.attnum - 1]
                    )
                end order by a.attnum
            ) filter (where a.attnum <= x.indnkeyatts) as columns,
            string_agg(a.attnum || ': ' || a.attstattarget, ', ' order by a.attnum)
            filter (where a.attstattarget >= 0) as statistics
        from pg_attribute as a
        where a.attrelid = i.oid
    ) as keys
where
    x.indexrelid >= 16384 -- else those that initdb made are rendered before they are left out
    and c.relkind in ('r', 'p', 'm')
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: sequence :many
-- Where a sequence stands is data, and not compared.
select
    c.oid::bigint as oid,
    format('%I.%I', n.nspname, c.relname) as object,
    own.parent,
    pg_get_userbyid(c.relowner) as owner,
    s.seqtypid::regtype::text as type,
    s.seqstart as start,
    s.seqincrement as increment,
    s.seqmin as minimum,
    s.seqmax as maximum,
    s.seqcache as cache,
    s.seqcycle as cycle,
    case c.relpersistence when 'u' then 'unlogged' else 'logged' end as persistence,
    own.owned_by,
    own.identity
from pg_sequence as s
inner join pg_class as c on s.seqrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
left join lateral (
    select
        format('table %s', d.refobjid::regclass) as parent,
        format('%s.%I', d.refobjid::regclass, a.attname) as owned_by,
        d.deptype = 'i' as identity
    from pg_depend as d
    inner join pg_attribute as a on d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    where
        d.classid = 'pg_class'::regclass and d.objid = c.oid
        and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
) as own on true
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: view :many
select
    c.oid::bigint as oid,
    format('%I.%I', n.nspname, c.relname) as object,
    pg_get_userbyid(c.relowner) as owner,
    pg_get_viewdef(c.oid) as definition,
    array_to_string(c.reloptions, ', ') as options
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind = 'v'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: materialized_view :many
-- Whether it is filled is data, and not compared.
select
    c.oid::bigint as oid,
    format('%I.%I', n.nspname, c.relname) as object,
    pg_get_userbyid(c.relowner) as owner,
    pg_get_viewdef(c.oid) as definition,
    array_to_string(c.reloptions, ', ') as options,
    (select am.amname::text from pg_am as am where am.oid = c.relam) as access_method,
    (select s.spcname::text from pg_tablespace as s where s.oid = c.reltablespace) as tablespace,
    c.relispopulated as populated
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind = 'm'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: statistics :many
select
    s.oid::bigint as oid,
    format('%I.%I', n.nspname, s.stxname) as object,
    format('table %s', s.stxrelid::regclass) as parent,
    pg_get_userbyid(s.stxowner) as owner,
    pg_get_statisticsobjdef(s.oid) as definition,
    nullif(s.stxstattarget, -1)::integer as target
from pg_statistic_ext as s
inner join pg_namespace as n on s.stxnamespace = n.oid
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_statistic_ext'::regclass and e.objid = s.oid and e.deptype = 'e'
    );

-- name: trigger :many
select
    t.oid::bigint as oid,
    format('%I on %I.%I', t.tgname, n.nspname, c.relname) as object,
    case when c.relkind = 'v' then 'view ' else 'table ' end
    || format('%I.%I', n.nspname, c.relname) as parent,
    t.tgname::text as name,
    pg_get_triggerdef(t.oid) as definition,
    case t.tgenabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'replica' else 'always'
    end as enabled,
    case when t.tgparentid <> 0 then true end as of_partition
from pg_trigger as t
inner join pg_class as c on t.tgrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    not t.tgisinternal
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: policy :many
select
    p.oid::bigint as oid,
    format('%I on %I.%I', p.polname, n.nspname, c.relname) as object,
    format('table %I.%I', n.nspname, c.relname) as parent,
    p.polname::text as name,
    case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
    end as command,
    p.polpermissive as permissive,
    (
        select string_agg(case r.oid when 0 then 'public' else quote_ident(pg_get_userbyid(r.oid)) end, ', ' order by 1)
        from unnest(p.polroles) as r (oid)
    ) as roles,
    pg_get_expr(p.polqual, p.polrelid) as "using",
    pg_get_expr(p.polwithcheck, p.polrelid) as "check"
from pg_policy as p
inner join pg_class as c on p.polrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );

-- name: rule :many
select
    r.oid::bigint as oid,
    format('%I on %I.%I', r.rulename, n.nspname, c.relname) as object,
    case when c.relkind = 'v' then 'view ' else 'table ' end
    || format('%I.%I', n.nspname, c.relname) as parent,
    r.rulename::text as name,
    pg_get_ruledef(r.oid) as definition,
    case r.ev_enabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'replica' else 'always'
    end as enabled
from pg_rewrite as r
inner join pg_class as c on r.ev_class = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    r.rulename <> '_RETURN'
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    );
