-- name: each :execrows
insert into items (name) select unnest(:names::text[]);

-- name: numbers :exec
insert into items (n) values (generate_series(1, :n::integer));

-- name: with_each :execrows
with added as (
    insert into items (n) select unnest(:ns::integer[])
),
told as (
    insert into log (item) values (generate_series(1, 2))
)
delete from log where item = :item;

-- name: told :many
with added as (
    insert into items (n) select unnest(:ns::integer[])
)
select id from items;

-- name: no_columns :one
with nothing as (select from items), either as (select from items union all select from log)
select
    (select count(*) from nothing) as a,
    (select count(*) from either) as b,
    exists (select from items where n = :n) as c;

-- name: no_columns_joined :many
select i.id
from items as i
cross join lateral (select from log as l where l.item = i.id) as found
left join (select from log) as more on true;

-- name: changed :execrows
with gone as (delete from log where item = :item),
named as (update items set name = :name where id = :item)
insert into log select from items where id = :item;

-- name: bare :execrows
insert into bare default values;

-- name: odd :many
select n, ns, null::nothing as none from odd where ns = :ns;

-- name: add_odd :one
insert into odd (id, n, ns) values (:id, :n, '{}') returning n;

-- name: rounds :one
with recursive r as (select union all select from r)
select count(*) as n from (select from r limit 3) as x;
