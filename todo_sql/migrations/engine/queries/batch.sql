-- What a statement that runs in batches asks about its table, under our own path.

-- name: batch_keys :many
-- The unique keys of a table that no row lacks, and whose order is the usual one of their types.
select
    i.indisprimary as is_primary,
    json_agg(
        json_build_object('name', a.attname, 'schema', n.nspname, 'date', t.typcategory = 'D')
        order by k.at
    )::text as columns
from pg_index as i
inner join pg_class as c on i.indexrelid = c.oid
inner join pg_am as m on c.relam = m.oid
cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, at)
left join pg_attribute as a on i.indrelid = a.attrelid and k.attnum = a.attnum
left join pg_type as t on a.atttypid = t.oid
left join pg_opclass as o on o.oid = i.indclass[k.at - 1]
left join pg_amop as p
    on
        o.opcfamily = p.amopfamily
        and p.amopstrategy = 5
        and o.opcintype = p.amoplefttype
        and o.opcintype = p.amoprighttype
left join pg_operator as g on p.amopopr = g.oid
left join pg_namespace as n on g.oprnamespace = n.oid
where
    i.indrelid = :table::oid
    and i.indisunique
    and i.indisvalid
    and i.indislive
    and i.indpred is null
    and m.amname = 'btree'
    and k.at <= i.indnkeyatts
group by i.indexrelid, i.indisprimary, i.indoption
having
    bool_and(
        coalesce(
            k.attnum > 0
            and a.attnotnull
            and not exists (
                select from pg_constraint as r
                where r.conrelid = i.indrelid and r.contype = 'n' and not r.convalidated and r.conkey[1] = k.attnum
            )
            and o.opcdefault
            and g.oprname = '>'
            and (i.indcollation[k.at - 1] = a.attcollation),
            false
        )
    )
    and count(distinct i.indoption[k.at - 1] & 1) = 1
order by i.indisprimary desc, i.indexrelid asc;

-- name: batch_table :optional
-- A table by its oid, as our own statements name it.
select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
where c.oid = :table::oid and c.relkind in ('r', 'p');

-- name: standbys :one
-- How far the standby that is farthest behind has still to go, and whether we may see that.
select
    pg_has_role('pg_read_all_stats', 'usage') as seen,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn))::text as behind
from pg_stat_replication as r;
