-- Who may do what, what is said about each object, and the roles. Shaped as relations.sql.

-- name: grant :many
-- What differs from the privileges that an object is born with, per grantee: so that
-- "no ACL" and "the owner's default written out" are the same.
with holders as (
    select
        case when c.relkind = 'S' then 'sequence ' else 'table ' end
        || format('%I.%I', n.nspname, c.relname) as object,
        case c.relkind
            when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'materialized view ' else 'table '
        end || format('%I.%I', n.nspname, c.relname) as parent,
        c.relowner as owner,
        coalesce(c.relacl, acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char", c.relowner)) as acl,
        acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char", c.relowner) as born
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where
        c.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
        and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
        )
    union all
    select
        format('column %I.%I.%I', n.nspname, c.relname, a.attname),
        format('column %I.%I.%I', n.nspname, c.relname, a.attname),
        c.relowner, a.attacl, acldefault('c', c.relowner)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    where
        a.attrelid >= 16384 -- what initdb made is not read
        and a.attacl is not null and not a.attisdropped
        and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and c.relname !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
        )
    union all
    select
        case when p.prokind = 'p' then 'procedure ' else 'function ' end || i.identity,
        'function ' || case
            when p.prokind <> 'a' then i.identity
            else format(
                    '%I.%I(%s)', n.nspname, p.proname,
                    coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')
                )
        end,
        p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)), acldefault('f', p.proowner)
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    cross join lateral pg_identify_object('pg_proc'::regclass, p.oid, 0) as i
    where
        p.oid >= 16384
        and p.proacl is not null
        and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
        )
    union all
    select
        'schema ' || quote_ident(n.nspname), 'schema ' || quote_ident(n.nspname),
        n.nspowner, n.nspacl, acldefault('n', n.nspowner)
    from pg_namespace as n
    where
        n.nspacl is not null and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_namespace'::regclass and e.objid = n.oid and e.deptype = 'e'
        )
    union all
    select
        case when t.typtype = 'd' then 'domain ' else 'type ' end || format('%I.%I', n.nspname, t.typname),
        case when t.typtype = 'd' then 'domain ' else 'type ' end || format('%I.%I', n.nspname, t.typname),
        t.typowner, t.typacl, acldefault('T', t.typowner)
    from pg_type as t
    inner join pg_namespace as n on t.typnamespace = n.oid
    where
        t.typacl is not null and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
        )
    union all
    select 'database', null, d.datdba, d.datacl, acldefault('d', d.datdba)
    from pg_database as d
    where d.datname = current_database() and d.datacl is not null
    union all
    select
        'language ' || quote_ident(l.lanname), 'language ' || quote_ident(l.lanname),
        l.lanowner, l.lanacl, acldefault('l', l.lanowner)
    from pg_language as l
    where l.lanacl is not null
    union all
    select
        'foreign server ' || quote_ident(s.srvname), 'server ' || quote_ident(s.srvname),
        s.srvowner, s.srvacl, acldefault('S', s.srvowner)
    from pg_foreign_server as s
    where s.srvacl is not null
    union all
    select
        'foreign data wrapper ' || quote_ident(f.fdwname), 'foreign data wrapper ' || quote_ident(f.fdwname),
        f.fdwowner, f.fdwacl, acldefault('F', f.fdwowner)
    from pg_foreign_data_wrapper as f
    where
        f.fdwacl is not null
        and not exists (
            select from pg_depend as e
            where e.classid = 'pg_foreign_data_wrapper'::regclass and e.objid = f.oid and e.deptype = 'e'
        )
),

held as (
    select h.object, h.parent, x.grantee, lower(x.privilege_type) as privilege, x.is_grantable
    from holders as h
    cross join lateral aclexplode(h.acl) as x
),

born as (
    select h.object, h.parent, x.grantee, lower(x.privilege_type) as privilege, x.is_grantable
    from holders as h
    cross join lateral aclexplode(h.born) as x
),

changes as (
    select 'granted' as change, g.*
    from (
        select * from held
        except
        select * from born
    ) as g
    union all
    select 'revoked', r.*
    from (
        select * from born
        except
        select * from held
    ) as r
)

select
    c.object || ' to ' as object,
    c.parent,
    c.object as target,
    case c.grantee when 0 then 'public' else pg_get_userbyid(c.grantee) end as grantee,
    string_agg(
        c.privilege || case when c.is_grantable then ' with grant option' else '' end, ', ' order by c.privilege
    ) filter (where c.change = 'granted') as granted,
    string_agg(c.privilege, ', ' order by c.privilege) filter (where c.change = 'revoked') as revoked
from changes as c
group by c.object, c.parent, c.grantee;

-- name: default_privilege :many
-- Entries for a schema add to the built-in defaults; the others replace them.
with entries as (
    select
        d.oid, d.defaclrole as role, n.nspname as schema, d.defaclacl as acl,
        case d.defaclobjtype
            when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
            when 'n' then 'schemas' else 'large objects'
        end as target,
        case
            when n.oid is null
                then acldefault(case when d.defaclobjtype = 'S' then 's' else d.defaclobjtype end, d.defaclrole)
        end as born
    from pg_default_acl as d
    left join pg_namespace as n on d.defaclnamespace = n.oid
),

held as (
    select e.oid, x.grantee, lower(x.privilege_type) as privilege, x.is_grantable
    from entries as e
    cross join lateral aclexplode(e.acl) as x
),

born as (
    select e.oid, x.grantee, lower(x.privilege_type) as privilege, x.is_grantable
    from entries as e
    cross join lateral aclexplode(e.born) as x
),

changes as (
    select 'granted' as change, g.*
    from (
        select * from held
        except
        select * from born
    ) as g
    union all
    select 'revoked', r.*
    from (
        select * from born
        except
        select * from held
    ) as r
)

select
    e.target || coalesce(' in schema ' || quote_ident(e.schema), '') || ' to ' as object,
    pg_get_userbyid(e.role) as owner,
    quote_ident(e.schema) as schema,
    e.target,
    case c.grantee when 0 then 'public' else pg_get_userbyid(c.grantee) end as grantee,
    string_agg(
        c.privilege || case when c.is_grantable then ' with grant option' else '' end, ', ' order by c.privilege
    ) filter (where c.change = 'granted') as granted,
    string_agg(c.privilege, ', ' order by c.privilege) filter (where c.change = 'revoked') as revoked
from changes as c
inner join entries as e on c.oid = e.oid
group by e.target, e.schema, e.role, c.grantee;

-- name: comment :many
-- Materialized: PostgreSQL's own 5,000 comments are left out before they are named.
with described as materialized (
    select d.classoid, d.objoid, d.objsubid, d.description
    from pg_description as d
    where
        (d.objoid >= 16384 or (d.classoid = 'pg_namespace'::regclass and d.objoid = to_regnamespace('public')))
        and d.classoid <> 'pg_extension'::regclass
)

select
    case
        when i.type like '% column' then 'column'
        when i.type in ('table constraint', 'domain constraint') then 'constraint'
        when i.type = 'statistics object' then 'statistics'
        when i.type = 'foreign-data wrapper' then 'foreign data wrapper'
        else i.type
    end || ' ' || case
        when i.type = 'domain constraint' then replace(n.identity, ' on ', ' on domain ')
        else n.identity
    end as object,
    case
        when i.type like '% column' then 'column'
        when i.type in ('table constraint', 'domain constraint') then 'constraint'
        when i.type = 'foreign table' then 'table'
        when i.type = 'composite type' then 'type'
        when i.type = 'statistics object' then 'statistics'
        when i.type = 'foreign-data wrapper' then 'foreign data wrapper'
        when i.type in ('procedure', 'aggregate') then 'function'
        else i.type
    end || ' ' || n.identity as parent,
    d.description as comment
from described as d
cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) as i
left join pg_proc as p on d.classoid = 'pg_proc'::regclass and d.objoid = p.oid and p.prokind = 'a'
cross join
    lateral (
        select
            case
                when p.oid is null then i.identity
                else format(
                        '%I.%I(%s)', i.schema, p.proname,
                        coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')
                    )
            end as identity
    ) as n
left join pg_class as c on d.classoid = 'pg_class'::regclass and d.objoid = c.oid
left join pg_constraint as k on d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid
where
    coalesce(i.schema, '') !~ '^pg_'
    and coalesce(c.relname, '') !~ '^(_yoyo_|yoyo_lock|_todo_sql_)'
    and coalesce(k.contype, 'c') <> 'n'
    and not exists (
        select from pg_depend as e
        where e.classid = d.classoid and e.objid = d.objoid and e.deptype = 'e'
    );

-- name: security_label :many
select
    i.type || ' ' || i.identity || ' for ' || s.provider as object,
    s.label
from pg_seclabel as s
cross join lateral pg_identify_object(s.classoid, s.objoid, s.objsubid) as i;

-- name: database_setting :many
-- Of the database for everyone, and for one role in it.
select
    split_part(s.setting, '=', 1) as object,
    split_part(s.setting, '=', 1) as name,
    substr(s.setting, strpos(s.setting, '=') + 1) as value,
    case when r.setrole <> 0 then pg_get_userbyid(r.setrole) end as grantee
from pg_db_role_setting as r
inner join pg_database as d on r.setdatabase = d.oid
cross join lateral unnest(r.setconfig) as s (setting)
where d.datname = current_database();

-- name: role :many
-- Roles belong to the cluster: they are read, but not compared with the objects.
select
    quote_ident(r.rolname) as object,
    r.rolsuper as superuser,
    r.rolbypassrls as bypass_rls,
    r.rolcreaterole as create_role,
    r.rolcreatedb as create_database,
    r.rolcanlogin as login,
    r.rolinherit as inherit,
    r.rolreplication as replication,
    nullif(r.rolconnlimit, -1)::integer as connection_limit,
    (
        select string_agg(distinct quote_ident(pg_get_userbyid(m.roleid)), ', ')
        from pg_auth_members as m where m.member = r.oid
    ) as member_of,
    (
        select array_to_string(s.setconfig, ', ')
        from pg_db_role_setting as s where s.setrole = r.oid and s.setdatabase = 0
    ) as settings
from pg_roles as r
where r.rolname !~ '^pg_';

-- name: migrator :optional
-- Whoever owns the ledger, else whoever asks.
select coalesce(
    (
        select pg_get_userbyid(c.relowner)::text
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where c.relname = '_yoyo_migration' and n.nspname !~ '^pg_'
        order by pg_get_userbyid(c.relowner) = current_user desc, n.nspname
        limit 1
    ),
    current_user::text
) as migrator;
