-- What must be there before what: for dumps that load and mending that runs.

-- name: dependency :many
-- As PostgreSQL notes them, between objects that initdb did not make.
select
    d.classid::regclass::text as class,
    d.objid::bigint as oid,
    d.objsubid as attnum,
    d.refclassid::regclass::text as needs_class,
    d.refobjid::bigint as needs_oid,
    d.refobjsubid as needs_attnum,
    d.deptype::text as type
from pg_depend as d
where d.objid >= 16384 and d.refobjid >= 16384;
