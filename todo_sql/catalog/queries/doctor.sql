-- The checks of `todo-sql doctor`, one query each. The comment is what a finding says; every
-- query returns what it is about, the detail, and the statement that mends it (or advice).

-- name: tenant_table_without_row_security :many
-- A table of tenants' rows has no row level security.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    'whoever may read it reads every tenant''s rows' as detail,
    format('alter table %I.%I enable row level security', n.nspname, c.relname) as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind in ('r', 'p') and not c.relrowsecurity
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and c.relname <> all(:exempt::text[])
    and exists (
        select from pg_attribute as a
        where a.attrelid = c.oid and a.attname = :tenant_column::text and not a.attisdropped
    )
order by subject;

-- name: row_security_without_policy :many
-- A table has row level security and no policy: it shows nothing to anyone but its owner.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    'granted to ' || string_agg(distinct pg_get_userbyid(x.grantee), ', ') as detail,
    format('create policy … on %I.%I', n.nspname, c.relname) as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
cross join lateral aclexplode(c.relacl) as x
where
    c.relkind in ('r', 'p') and c.relrowsecurity and x.grantee not in (c.relowner, 0)
    and n.nspname !~ '^pg_'
    and not exists (select from pg_policy as p where p.polrelid = c.oid)
group by n.nspname, c.relname
order by subject;

-- name: policy_without_row_security :many
-- A table has policies, but row level security is off: they do nothing.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    string_agg(p.polname, ', ' order by p.polname) as detail,
    format('alter table %I.%I enable row level security', n.nspname, c.relname) as mend
from pg_policy as p
inner join pg_class as c on p.polrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where not c.relrowsecurity
group by n.nspname, c.relname
order by subject;

-- name: role_bypasses_policies :many
-- The role of tenant calls bypasses row level security.
select
    quote_ident(r.rolname) as subject,
    concat_ws(
        ', ',
        case when r.rolsuper then 'it is superuser' end,
        case when r.rolbypassrls then 'it has BYPASSRLS' end,
        (
            select 'it owns ' || string_agg(c.relname, ', ' order by c.relname)
            from pg_class as c where c.relowner = r.oid and c.relkind in ('r', 'p')
        ),
        (
            select 'it may act as ' || string_agg(o.rolname, ', ' order by o.rolname)
            from pg_roles as o
            where (o.rolsuper or o.rolbypassrls) and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')
        )
    ) as detail,
    case
        when r.rolsuper or r.rolbypassrls then format('alter role %I nosuperuser nobypassrls', r.rolname)
        else format('give its tables to another owner; revoke what lets %I act as others', r.rolname)
    end as mend
from pg_roles as r
where
    r.rolname = :tenant_role::text
    and (
        r.rolsuper or r.rolbypassrls
        or exists (select from pg_class as c where c.relowner = r.oid and c.relkind in ('r', 'p'))
        or exists (
            select from pg_roles as o
            where (o.rolsuper or o.rolbypassrls) and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')
        )
    );

-- name: granted_too_much :many
-- A table is granted to everyone, or with privileges that bypass row level security.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    format(
        '%s to %s', string_agg(lower(x.privilege_type), ', ' order by x.privilege_type),
        case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
    ) as detail,
    format(
        'revoke %s on %I.%I from %s', string_agg(lower(x.privilege_type), ', ' order by x.privilege_type),
        n.nspname, c.relname, case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
    ) as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
cross join lateral aclexplode(c.relacl) as x
where
    c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and x.grantee <> c.relowner
    and (
        x.grantee = 0
        or (
            (:isolated::boolean or c.relrowsecurity)
            and x.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
        )
    )
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    )
group by n.nspname, c.relname, x.grantee
order by subject, detail;

-- name: default_privileges_open_tables :many
-- Default privileges open every new table, partitions too.
select
    pg_get_userbyid(d.defaclrole) || coalesce(' in ' || n.nspname, '') as subject,
    'to ' || case x.grantee when 0 then 'public' else pg_get_userbyid(x.grantee) end as detail,
    format(
        'alter default privileges for role %I%s revoke all on tables from %s', pg_get_userbyid(d.defaclrole),
        coalesce(format(' in schema %I', n.nspname), ''),
        case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
    ) as mend
from pg_default_acl as d
left join pg_namespace as n on d.defaclnamespace = n.oid
cross join lateral aclexplode(d.defaclacl) as x
where d.defaclobjtype = 'r' and x.grantee <> d.defaclrole
group by d.defaclrole, n.nspname, x.grantee
order by subject, detail;

-- name: definer_on_open_path :many
-- A function runs as its owner on a search_path that others can put objects in.
with definers as (
    select
        p.oid, p.proowner as owner, s.path,
        (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity as name
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    left join lateral (
        select
            coalesce(
                (
                    select array_agg(coalesce(replace(m.part[1], '""', '"'), lower(m.part[2])) order by m.place)
                    from regexp_matches(substring(o.option from '=(.*)'), '"((?:[^"]|"")*)"|([^,"\s]+)', 'g')
                        with ordinality as m (part, place)
                ),
                array['']
            ) as path
        from unnest(p.proconfig) as o (option)
        where o.option like 'search_path=%'
    ) as s on true
    where
        p.prosecdef and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
        )
),

judged as (
    select
        d.name, d.owner,
        case
            when d.path is null then 'it has its caller''s path'
            when array_to_string(d.path, '') = '' then 'an empty path does not keep pg_temp out'
            when '$user' = any(d.path) then '"$user" is whatever schema has the name of the role'
            when 'public' = any(d.path) then 'in many databases everyone may create in public'
            when open.schema is not null then format('others may create in %I', open.schema)
            when array_position(d.path, 'pg_temp') is null
                then 'the path does not name pg_temp: types and tables are looked up there first'
            when array_position(d.path, 'pg_temp') < cardinality(d.path) then 'pg_temp is not the last of the path'
        end as why
    from definers as d
    left join lateral (
        select min(n.nspname) as schema
        from pg_namespace as n
        inner join pg_roles as o on n.nspowner = o.oid
        left join lateral aclexplode(n.nspacl) as x on x.privilege_type = 'CREATE'
        left join pg_roles as r on x.grantee = r.oid
        where
            n.nspname = any(d.path)
            and (
                (n.nspowner <> d.owner and not o.rolsuper)
                or (x.grantee is not null and x.grantee not in (d.owner, n.nspowner) and r.rolsuper is not true)
            )
    ) as open on true
)

select
    j.name as subject,
    format('owner %I; %s', pg_get_userbyid(j.owner), j.why) as detail,
    format('alter function %s set search_path = pg_catalog, pg_temp', j.name) as mend
from judged as j
where j.why is not null
order by subject;

-- name: view_reads_as_owner :many
-- A view reads its tables as its owner, by row level security that is the owner's.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    'owner ' || pg_get_userbyid(c.relowner) as detail,
    format('alter view %I.%I set (security_invoker = true)', n.nspname, c.relname) as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind = 'v' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:isolated::boolean or exists (select from pg_class as t where t.relrowsecurity))
    and not exists (
        select from unnest(c.reloptions) as o (option)
        where o.option in ('security_invoker=true', 'security_invoker=on', 'security_invoker=1')
    )
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    )
order by subject;

-- name: foreign_key_without_index :many
-- No index begins with the columns of a foreign key: a delete in the other table reads all of this one.
select
    format('%s on %s', quote_ident(k.conname), k.conrelid::regclass) as subject,
    'refers to ' || k.confrelid::regclass as detail,
    format(
        'create index concurrently on %s (%s)', k.conrelid::regclass,
        (
            select string_agg(quote_ident(a.attname), ', ' order by u.rank)
            from unnest(k.conkey) with ordinality as u (attnum, rank)
            inner join pg_attribute as a on a.attrelid = k.conrelid and u.attnum = a.attnum
        )
    ) as mend
from pg_constraint as k
inner join pg_class as c on k.conrelid = c.oid
where
    k.contype = 'f' and k.conparentid = 0
    and not exists (
        select from pg_index as i
        where
            i.indrelid = k.conrelid and i.indisvalid
            and (
                i.indpred is null
                or pg_get_expr(i.indpred, i.indrelid) ~ '^\([^()]+ IS NOT NULL\)$'
            )
            and (
                select array_agg(u.attnum order by u.attnum)
                from unnest((i.indkey::smallint[])[0:cardinality(k.conkey) - 1]) as u (attnum)
            ) = (select array_agg(u.attnum order by u.attnum) from unnest(k.conkey) as u (attnum))
    )
order by subject;

-- name: invalid_index :many
-- An index is invalid: it is written and never read.
select
    i.indexrelid::regclass::text as subject,
    'on ' || i.indrelid::regclass as detail,
    case
        when c.relkind = 'I'
            then 'create it on each partition that lacks it, and attach it: alter index … attach partition'
        when c.relname ~ '_cc(new|old)\d*$' then 'drop index concurrently ' || i.indexrelid::regclass
        else 'reindex index concurrently ' || i.indexrelid::regclass
    end as mend
from pg_index as i
inner join pg_class as c on i.indexrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    not i.indisvalid and n.nspname !~ '^pg_(temp|toast_temp)_'
    and not exists (select from pg_stat_progress_create_index as b where b.index_relid = i.indexrelid)
order by subject;

-- name: duplicate_index :many
-- Two indexes are the same.
with indexes as (
    select
        i.indexrelid, i.indisunique, i.indnullsnotdistinct, n.nspname, c.relname,
        i.indexrelid::regclass::text as name,
        format('%I.%I', n.nspname, c.relname) = any(:migrated::text[]) as migrated,
        i.indisreplident or c.relkind = 'I' or c.relispartition
        or exists (select from pg_constraint as k where k.conindid = i.indexrelid) as needed,
        concat_ws(
            ' / ', i.indrelid, i.indkey, i.indnkeyatts, i.indclass, i.indcollation, i.indoption, c.relam,
            pg_get_expr(i.indexprs, i.indrelid), 'where ' || pg_get_expr(i.indpred, i.indrelid),
            (
                select string_agg(a.attnum || a.attoptions::text, ',' order by a.attnum)
                from pg_attribute as a where a.attrelid = i.indexrelid
            )
        ) as same
    from pg_index as i
    inner join pg_class as c on i.indexrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname !~ '^pg_' and i.indisvalid
),

ranked as (
    select
        i.*,
        first_value(i.indexrelid) over best as keep,
        first_value(i.name) over best as kept,
        first_value(i.indisunique) over best as kept_unique,
        first_value(i.indnullsnotdistinct) over best as kept_distinct
    from indexes as i
    window best as (
        partition by i.same
        order by i.needed desc, i.indisunique desc, i.migrated desc, i.indexrelid asc
    )
)

select
    r.name as subject,
    'the same as ' || r.kept as detail,
    case
        when r.needed then 'both stand under constraints or partitions: drop one of those by a migration'
        when r.migrated then 'a migration makes both: write one with drop index ' || r.name
        else 'drop index concurrently ' || r.name
    end as mend
from ranked as r
where
    r.indexrelid <> r.keep
    and (not r.indisunique or (r.kept_unique and r.indnullsnotdistinct = r.kept_distinct))
order by subject;

-- name: unused_index :many
-- An index was never used since the statistics began.
select
    s.indexrelid::regclass::text as subject,
    format(
        '%s, on %s; statistics since %s', pg_size_pretty(pg_relation_size(s.indexrelid)), s.relid::regclass,
        coalesce(to_char(d.stats_reset, 'YYYY-MM-DD'), 'the beginning')
    ) as detail,
    case
        when format('%I.%I', s.schemaname, s.indexrelname) = any(:migrated::text[])
            then 'a migration makes it: if no replica and no rare report uses it, write one with drop index '
                || s.indexrelid::regclass
        else 'drop index concurrently ' || s.indexrelid::regclass || ', if replicas do not use it'
    end as mend
from pg_stat_user_indexes as s
inner join pg_index as i on s.indexrelid = i.indexrelid
inner join pg_class as c on s.indexrelid = c.oid
cross join pg_stat_database as d
where
    d.datname = current_database() and s.idx_scan = 0 and not i.indisunique
    and not i.indisreplident and not c.relispartition
    and pg_relation_size(s.indexrelid) > :smallest::bigint
    and s.schemaname !~ '^pg_'
    and not exists (select from pg_constraint as k where k.conindid = s.indexrelid)
    and not exists (
        -- Whether rows may be deleted from the table that a foreign key names is not seen in scans.
        select from pg_constraint as k
        where
            k.contype = 'f' and k.conrelid = s.relid
            and i.indnkeyatts >= cardinality(k.conkey)
            and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
    )
order by pg_relation_size(s.indexrelid) desc, subject asc;

-- name: sequence_running_out :many
-- A sequence has used more than half of its numbers, or of those that its column holds.
select
    format('%I.%I', s.schemaname, s.sequencename) as subject,
    format('at %s of %s', s.last_value, t.most) as detail,
    concat_ws(
        '; ',
        case
            when t.narrow
                then format('alter table %s alter column %I type bigint', d.refobjid::regclass, a.attname)
        end,
        case
            when t.narrow is not true or d.deptype = 'a'
                then format('alter sequence %I.%I as bigint no maxvalue no minvalue', s.schemaname, s.sequencename)
        end
    ) as mend
from pg_sequences as s
inner join pg_namespace as n on s.schemaname = n.nspname
inner join pg_class as c on n.oid = c.relnamespace and s.sequencename = c.relname and c.relkind = 'S'
left join pg_depend as d
    on d.classid = 'pg_class'::regclass and c.oid = d.objid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
left join pg_attribute as a on d.refobjid = a.attrelid and d.refobjsubid = a.attnum
left join pg_type as y on a.atttypid = y.oid
cross join
    lateral (
        select
            w.bits < 63 as narrow,
            case
                when s.increment_by > 0 then least(s.max_value, 2::numeric ^ coalesce(w.bits, 63) - 1)
                else greatest(s.min_value, -(2::numeric ^ coalesce(w.bits, 63)))
            end::bigint as most
        from (
            select
                case coalesce(nullif(y.typbasetype, 0), y.oid)
                    when 'smallint'::regtype then 15 when 'integer'::regtype then 31
                    when 'bigint'::regtype then 63
                end as bits
        ) as w
    ) as t
where
    not s.cycle
    and case
        when s.increment_by > 0 then s.last_value > t.most / 2
        else t.most < 0 and s.last_value < t.most / 2
    end
order by subject;

-- name: partitions_running_out :many
-- A table partitioned by time has fewer than two months of partitions ahead.
select
    p.partrelid::regclass::text as subject,
    coalesce('the last one ends at ' || to_char(ahead.ends, 'YYYY-MM-DD'), 'there is none with an end') as detail,
    'make the next partitions; schedule the function that makes them' as mend
from pg_partitioned_table as p
cross join
    lateral (
        select
            max(
                (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz
            ) as ends
        from pg_inherits as i
        inner join pg_class as c on i.inhrelid = c.oid
        where i.inhparent = p.partrelid
    ) as ahead
where
    p.partstrat = 'r' and p.partnatts = 1
    and exists (
        select from pg_attribute as a
        where
            a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
            and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
    )
    and coalesce(ahead.ends, '-infinity') < now() + interval '2 months'
order by subject;

-- name: connections_running_out :many
-- Most of the server's connections are taken.
select
    current_database()::text as subject,
    format('%s of %s', count(*), current_setting('max_connections')) as detail,
    'use a pool, or raise max_connections' as mend
from pg_stat_activity as a
where a.backend_type = 'client backend'
having count(*) > 0.8 * current_setting('max_connections')::integer;

-- name: idle_in_transaction :many
-- A session has sat in an open transaction for more than five minutes: it keeps locks and old rows.
select
    format('pid %s, %s', a.pid, coalesce(nullif(a.application_name, ''), 'no application name')) as subject,
    format('since %s', to_char(a.state_change, 'YYYY-MM-DD HH24:MI')) as detail,
    format('select pg_terminate_backend(%s)', a.pid) as mend
from pg_stat_activity as a
where
    a.state like 'idle in transaction%' and a.datname = current_database()
    and a.state_change < now() - interval '5 minutes'
order by a.state_change;

-- name: dead_rows :many
-- A table holds many dead rows: autovacuum does not keep up.
select
    format('%I.%I', s.schemaname, s.relname) as subject,
    format('%s dead, %s live', s.n_dead_tup, s.n_live_tup) as detail,
    format('vacuum analyze %I.%I', s.schemaname, s.relname) as mend
from pg_stat_user_tables as s
where s.n_dead_tup > 10000 and s.n_dead_tup > 0.3 * s.n_live_tup
order by s.n_dead_tup desc;

-- name: statistics_installed :optional
-- The extension's own view, and none that was put in its place.
select c.oid::regclass::text as view
from pg_class as c
inner join pg_depend as d
    on d.classid = 'pg_class'::regclass and c.oid = d.objid and d.deptype = 'e'
        and d.refclassid = 'pg_extension'::regclass
inner join pg_extension as e on d.refobjid = e.oid
where
    e.extname = 'pg_stat_statements' and c.relname = 'pg_stat_statements'
    and c.relnamespace = to_regnamespace('public');

-- name: slow_queries :many
-- A statement is slow on average.
-- tenant: none
select
    coalesce(
        substring(s.query from '/\* (\S+\.sql:\w+) \*/'), left(regexp_replace(s.query, '\s+', ' ', 'g'), 60)
    ) as subject,
    format('%s ms on average over %s calls', round(s.mean_exec_time::numeric, 1), s.calls) as detail,
    'look at it with `todo-sql explain`' as mend
from public.pg_stat_statements as s
where s.calls >= 5 and s.mean_exec_time > 100
order by s.total_exec_time desc
limit 10;

-- name: open_schema_on_path :many
-- Others may create in a schema on the search path: what they make there runs as who calls it.
with paths as (
    select current_user as role, p.reset_val as path, 'of this session' as whose
    from pg_settings as p
    where p.name = 'search_path'
    union all
    select
        coalesce(r.rolname, current_user) as role,
        substring(o.option from '=(.*)') as path,
        concat_ws(' ', 'of', 'role ' || quote_ident(r.rolname), 'database ' || quote_ident(d.datname)) as whose
    from pg_db_role_setting as s
    left join pg_roles as r on s.setrole = r.oid
    left join pg_database as d on s.setdatabase = d.oid
    cross join lateral unnest(s.setconfig) as o (option)
    where
        o.option like 'search_path=%'
        and (s.setdatabase = 0 or d.datname = current_database())
),

named as (
    select p.whose, coalesce(replace(nullif(m.part[1], '$user'), '""', '"'), lower(m.part[2]), p.role) as schema
    from paths as p
    cross join lateral regexp_matches(p.path, '"((?:[^"]|"")*)"|([^,"\s]+)', 'g') as m (part)
)

select
    quote_ident(n.nspname) as subject,
    format(
        '%s may create there; on the search path %s',
        case x.grantee when 0 then 'everyone' else quote_ident(pg_get_userbyid(x.grantee)) end,
        string_agg(distinct p.whose, ', ')
    ) as detail,
    format(
        'revoke create on schema %I from %s', n.nspname,
        case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
    ) as mend
from named as p
inner join pg_namespace as n on p.schema = n.nspname
cross join lateral aclexplode(n.nspacl) as x
left join pg_roles as r on x.grantee = r.oid
where
    x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
    and r.rolsuper is not true and r.rolname is distinct from current_user
group by n.nspname, x.grantee
order by subject, detail;

-- name: constraint_not_valid :many
-- A constraint is NOT VALID: rows from before it may break it, and the planner does not trust it.
select
    format(
        '%I on %s', k.conname,
        case k.conrelid when 0 then format_type(k.contypid, null) else k.conrelid::regclass::text end
    ) as subject,
    pg_get_constraintdef(k.oid) as detail,
    format(
        'alter %s %s validate constraint %I', case k.conrelid when 0 then 'domain' else 'table' end,
        case k.conrelid when 0 then format_type(k.contypid, null) else k.conrelid::regclass::text end, k.conname
    ) as mend
from pg_constraint as k
inner join pg_namespace as n on k.connamespace = n.oid
left join pg_class as c on k.conrelid = c.oid
where
    not k.convalidated and k.conparentid = 0 and (k.conislocal or k.conrelid = 0)
    and coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
    and (c.oid is null or c.relkind in ('r', 'p'))
    and n.nspname !~ '^pg_'
order by subject;

-- name: table_without_key :many
-- A table has no primary key: one row of it cannot be named, nor replicated when it changes.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    case
        when u.index is null then 'no unique index either'
        else format('the unique index %s would do', u.index)
    end as detail,
    case
        when u.index is null then format('alter table %I.%I add primary key (…)', n.nspname, c.relname)
        else format('alter table %I.%I add primary key using index %I', n.nspname, c.relname, u.name)
    end as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
left join lateral (
    select i.indexrelid::regclass::text as index, x.relname as name
    from pg_index as i
    inner join pg_class as x on i.indexrelid = x.oid
    inner join pg_am as m on x.relam = m.oid
    where
        i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
        and i.indpred is null and i.indexprs is null and m.amname = 'btree' and c.relkind = 'r'
        and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
        and not exists (
            select from pg_attribute as a
            where
                a.attrelid = c.oid and not a.attnotnull
                and a.attnum = any((i.indkey::smallint[])[0:i.indnkeyatts - 1])
        )
    order by i.indexrelid
    limit 1
) as u on true
where
    c.relkind in ('r', 'p') and not c.relispartition
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'p')
    and not exists (
        select from pg_depend as e
        where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
    )
order by subject;

-- name: wraparound :many
-- Transaction numbers of long ago are still in use: at two thousand million PostgreSQL stops writing.
select
    'database ' || quote_ident(d.datname) as subject,
    format(
        'the oldest transaction is %s million old, the oldest multixact %s',
        round(age(d.datfrozenxid) / 1e6, 1), round(mxid_age(d.datminmxid) / 1e6, 1)
    ) as detail,
    format(
        'vacuum (freeze) in %I; first end what holds rows back: old transactions, prepared ones, replication slots',
        d.datname
    ) as mend
from pg_database as d
where greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) > :oldest::integer
union all
(
    select
        'table ' || coalesce(p.oid, c.oid)::regclass as subject,
        format(
            'its oldest transaction is %s million old, its oldest multixact %s',
            round(age(c.relfrozenxid) / 1e6, 1), round(mxid_age(c.relminmxid) / 1e6, 1)
        ) as detail,
        'vacuum (freeze) ' || coalesce(p.oid, c.oid)::regclass as mend
    from pg_class as c
    left join pg_class as p on c.oid = p.reltoastrelid
    where
        c.relkind in ('r', 'm', 't') and c.relfrozenxid <> '0'
        and greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) > :oldest::integer
    order by age(c.relfrozenxid) desc, subject asc
    limit 10
);

-- name: bloat :many
-- A table takes much more room than its rows need, by an estimate from the planner's statistics.
select
    format('%I.%I', e.nspname, e.relname) as subject,
    format(
        '%s, of which about %s would do for %s rows', pg_size_pretty(e.pages * e.block),
        pg_size_pretty((e.needed * e.block)::bigint), e.reltuples::bigint
    ) as detail,
    format(
        'pg_repack, or in a quiet hour vacuum full %I.%I, which locks the table; ask pgstattuple first',
        e.nspname, e.relname
    ) as mend
from (
    select
        n.nspname, c.relname, c.reltuples, b.block,
        pg_relation_size(c.oid) / b.block as pages,
        ceil(
            c.reltuples * (ceil((23 + count(*) / 8 + sum((1 - s.null_frac) * s.avg_width)) / 8) * 8 + 4)
            / ((b.block - 24) * coalesce(f.fill, 100) / 100)
        ) as needed
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    inner join pg_stats as s on n.nspname = s.schemaname and c.relname = s.tablename and not s.inherited
    cross join (select current_setting('block_size')::bigint as block) as b
    left join lateral (
        select substring(o.option from '\d+')::integer as fill
        from unnest(c.reloptions) as o (option)
        where o.option like 'fillfactor=%'
    ) as f on true
    where c.relkind in ('r', 'm') and c.reltuples >= 0 and n.nspname !~ '^pg_'
    group by n.nspname, c.oid, c.relname, c.reltuples, c.relnatts, b.block, f.fill
    having count(*) = (
            select count(*) from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        )
) as e
where e.pages * e.block > :wasted::bigint and (e.pages - e.needed) * e.block > :wasted::bigint
    and e.needed < e.pages * 0.5
order by (e.pages - e.needed) desc, subject asc
limit 20;

-- name: never_analysed :many
-- A table was never analysed: the planner guesses how many rows it has, and which.
select
    format('%I.%I', n.nspname, c.relname) as subject,
    case
        when c.relkind = 'p' then pg_size_pretty(z.size) || ' in its partitions; autovacuum never analyses the whole'
        else pg_size_pretty(z.size)
    end as detail,
    format('analyze %I.%I', n.nspname, c.relname) as mend
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
cross join
    lateral (
        select
            case c.relkind
                when 'p' then (select sum(pg_relation_size(p.relid))::bigint from pg_partition_tree(c.oid) as p)
                else pg_relation_size(c.oid)
            end as size
    ) as z
where
    c.relkind in ('r', 'm', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and pg_stat_get_last_analyze_time(c.oid) is null and pg_stat_get_last_autoanalyze_time(c.oid) is null
    and not exists (
        select from pg_stats as s where s.schemaname = n.nspname and s.tablename = c.relname
    )
    and z.size > :smallest::bigint
    and (c.relkind = 'p' or c.reltuples < 0 or pg_stat_get_live_tuples(c.oid) > 0)
order by z.size desc, subject asc;

-- name: login_has_settings :many
-- A login of the tenants' role has settings of its own, which whoever runs SQL as it can change.
select
    quote_ident(r.rolname) as subject,
    string_agg(o.option, '; ' order by o.option) as detail,
    format(
        'if nobody meant them: alter role %I%s reset all', r.rolname,
        coalesce(' in database ' || quote_ident(d.datname), '')
    ) as mend
from pg_db_role_setting as s
inner join pg_roles as r on s.setrole = r.oid
inner join pg_roles as t on t.rolname = :tenant_role::text
left join pg_database as d on s.setdatabase = d.oid
cross join lateral unnest(s.setconfig) as o (option)
where
    r.rolcanlogin and not r.rolsuper and pg_has_role(r.oid, t.oid, 'member')
    and (d.datname is null or d.datname = current_database())
group by r.rolname, d.datname
order by subject, mend;

-- name: not_looked_at :many
-- What the checks could not see, by check.
select
    'sequence_running_out' as name,
    format(
        '%s may not read %s sequence%s: %s', quote_ident(current_user), count(*),
        case count(*) when 1 then '' else 's' end,
        string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text)
    ) as reason
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind = 'S' and n.nspname !~ '^pg_(temp|toast_temp)_'
    -- In a case, so that no other kind of relation is asked about.
    and case c.relkind when 'S' then not has_sequence_privilege(c.oid, 'SELECT, USAGE') end
having count(*) > 0
union all
select
    'bloat' as name,
    format(
        '%s may not read the statistics of %s table%s: %s', quote_ident(current_user), count(*),
        case count(*) when 1 then '' else 's' end,
        string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text)
    ) as reason
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where
    c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not (has_table_privilege(c.oid, 'SELECT') or has_any_column_privilege(c.oid, 'SELECT'))
having count(*) > 0
union all
select
    u.name,
    format(
        '%s may not see what sessions of other roles do: grant pg_read_all_stats', quote_ident(current_user)
    ) as reason
from unnest(array['idle_in_transaction', 'slow_queries']) as u (name)
where not pg_has_role('pg_read_all_stats', 'USAGE')
union all
select u.name, 'track_counts is off: the server counts nothing' as reason
from unnest(array['unused_index', 'dead_rows']) as u (name)
where current_setting('track_counts') = 'off'
union all
select
    'unused_index' as name,
    'this is a replica: what runs on the primary is not counted here' as reason
where pg_is_in_recovery()
union all
select
    'slow_queries' as name,
    case
        when e.oid is null then 'pg_stat_statements is not installed'
        when c.oid is null then format('pg_stat_statements is in schema %I, which is not read', n.nspname)
        else 'pg_stat_statements is not in shared_preload_libraries'
    end as reason
from (select) as once
left join pg_extension as e on e.extname = 'pg_stat_statements'
left join pg_namespace as n on e.extnamespace = n.oid
left join pg_class as c on c.relname = 'pg_stat_statements' and c.relnamespace = to_regnamespace('public')
where
    e.oid is null or c.oid is null
    or current_setting('pg_stat_statements.track', true) is null
union all
select 'role_bypasses_policies' as name, format('there is no role %I', t.role) as reason
from (select :tenant_role::text as role) as t
where t.role is not null and not exists (select from pg_roles as r where r.rolname = t.role);
