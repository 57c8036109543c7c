-- What a statement did, asked in its own transaction or from beside it. None of these takes
-- a lock on the relations that it asks about.

-- name: relations :many
-- Tables, partitions, indexes, sequences, views: what traffic may be using.
select
    c.oid::bigint as oid,
    n.nspname || '.' || c.relname as name,
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
-- From the statistics: how many rows, how many bytes with indexes; -1 rows: never analyzed.
select
    n.nspname || '.' || c.relname as name,
    c.reltuples::bigint as rows,
    pg_catalog.pg_total_relation_size(c.oid)::bigint as bytes
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema';
