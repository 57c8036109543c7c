-- name: sizes :many
-- Tables with the rows that statistics tell, and whether row security holds them by a column.
select
    c.relname,
    c.reltuples::int8,
    c.relrowsecurity and exists (
        select from pg_catalog.pg_attribute as a
        where a.attrelid = c.oid and a.attname = :column and not a.attisdropped
    )
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema');
