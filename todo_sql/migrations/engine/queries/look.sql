-- What a migration looks for on the server besides its own statements, under our own path.

-- name: look :one
-- Whether a backend holds an exclusive lock that others see, whether it waits for one, for whom.
select
    coalesce(bool_or(
        l.granted
        and l.mode = 'AccessExclusiveLock'
        and l.locktype = 'relation'
        and exists (select from pg_class as c where c.oid = l.relation)
    ), false) as holds,
    coalesce(bool_or(not l.granted), false) as waits,
    (
        select
            string_agg(
                format(
                    'pid %s (%s, role %s, %s)',
                    a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.usename,
                    case
                        when a.state = 'active' then 'at: ' || left(a.query, 60)
                        else coalesce(a.state, 'at work') || ' since '
                            || coalesce(to_char(a.state_change at time zone 'utc', 'HH24:MI:SS UTC'), 'unknown')
                    end
                ), ', '
            )
        from pg_stat_activity as a
        where a.pid = any(pg_blocking_pids(:pid))
    ) as blocked_by
from pg_locks as l
where l.pid = :pid;

-- name: indexes :many
-- Those of a name beside a table; or the INVALID ones that a `reindex concurrently` of an index,
-- a table, a schema or the database left behind. And who works on them now.
select
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
    i.indisvalid and i.indisready and i.indislive as valid,
    c.relkind = 'I' as partitioned,
    pg_get_indexdef(i.indexrelid) as definition,
    coalesce((
        select min(p.pid)
        from pg_stat_progress_create_index as p
        where p.index_relid = i.indexrelid and p.pid <> pg_backend_pid()
    ), (
        select min(l.pid)
        from pg_locks as l
        where
            l.relation = i.indexrelid and l.locktype = 'relation'
            and l.database = (select d.oid from pg_database as d where d.datname = current_database())
            and l.pid <> pg_backend_pid()
            and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
    )) as builder
from pg_index as i
inner join pg_class as c on i.indexrelid = c.oid
inner join pg_namespace as n on c.relnamespace = n.oid
where
    case :kind::text
        when 'named'
            then
                c.relname = :name
                and c.relnamespace = (select t.relnamespace from pg_class as t where t.oid = :about::oid)
        else
            not i.indisvalid
            and c.relkind = 'i'
            and n.nspname <> 'pg_toast'
            and c.relname ~ '_cc(new|old)[0-9]*$'
            and case :kind::text
                when 'REINDEX_OBJECT_INDEX'
                    then i.indrelid = (select r.indrelid from pg_index as r where r.indexrelid = :about::oid)
                when 'REINDEX_OBJECT_TABLE' then i.indrelid = :about::oid
                when 'REINDEX_OBJECT_SCHEMA' then n.nspname = :name
                else true
            end
    end;
