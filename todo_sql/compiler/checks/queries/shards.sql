-- name: samples :many
-- A value of each type, by its number; null where none is known.
select
    asked.number,
    case
        when whole.typcategory <> 'A' then plain.value
        else '{"' || replace(replace(plain.value, e'\\', e'\\\\'), '"', e'\\"') || '"}'
    end
from unnest(:types::int8[]) as asked (number)
inner join pg_catalog.pg_type as whole on asked.number = whole.oid::int8
inner join pg_catalog.pg_type as element
    on element.oid = case whole.typcategory when 'A' then whole.typelem else whole.oid end
inner join pg_catalog.pg_type as base
    on base.oid = coalesce(nullif(element.typbasetype, 0), element.oid)
cross join lateral (
    select
        case
            when base.typtype = 'e'
                then (
                    select e.enumlabel::text from pg_catalog.pg_enum as e
                    where e.enumtypid = base.oid
                    order by e.enumsortorder limit 1
                )
            when base.typname = 'uuid' then '00000000-0000-4000-8000-000000000001'
            when base.typname in ('json', 'jsonb') then '{}'
            when base.typname in ('time', 'timetz') then '12:00'
            when base.typcategory in ('N', 'V') then '1'
            when base.typcategory = 'S' then 'x'
            when base.typcategory = 'B' then 'true'
            when base.typcategory = 'D' then '2026-01-01'
            when base.typcategory = 'T' then '1 day'
            when base.typcategory = 'R' then 'empty'
            when base.typcategory = 'I' then '127.0.0.1'
        end
) as plain (value);
