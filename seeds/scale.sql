-- Load-test data, only with `todo-sql seed --scale N`: N tasks, 1,000 a user, each user with
-- 10 lists and 20 tags. Running it again with a larger N adds what is missing.
insert into users (id, name, email, email_verified)
select
    'load-' || n as id,
    'Load Test ' || n as name,
    'load-' || n || '@example.com' as email,
    true as email_verified
from generate_series(1, ceil(current_setting('seed.scale')::numeric / 1000)::integer) as n
on conflict (id) do nothing;

insert into lists (user_id, name)
select
    u.id as user_id,
    'List ' || n as name
from users as u
cross join generate_series(1, 10) as n
where u.id like 'load-%'
on conflict (user_id, lower(name)) do nothing;

insert into tags (user_id, name)
select
    u.id as user_id,
    'tag ' || n as name
from users as u
cross join generate_series(1, 20) as n
where u.id like 'load-%'
on conflict (user_id, lower(name)) do nothing;

insert into tasks (
    user_id, public_id, list_id, title, description, completed, priority, due_date, created_at, deleted_at
)
select
    g.user_id,
    md5('load/' || g.n)::uuid as public_id,
    l.id as list_id,
    'Task ' || g.n as title,
    case when g.n % 3 = 0 then repeat('More about it. ', (g.n % 20)::integer + 1) end as description,
    g.n % 10 < 6 as completed,
    (array['low', 'medium', 'medium', 'high'])[g.n % 4 + 1] as priority,
    case when g.n % 2 = 0 then timestamptz '2026-01-01 00:00:00+00' + g.n % 730 * interval '1 day' end as due_date,
    timestamptz '2025-01-01 00:00:00+00' + g.n % 1000 * interval '11 hours' as created_at,
    case when g.n % 50 = 0 then timestamptz '2026-06-01 00:00:00+00' + g.n % 1000 * interval '1 hour' end as deleted_at
from (
    select
        n,
        'load-' || ((n - 1) / 1000 + 1) as user_id,
        'List ' || (n % 11) as list_name -- no list is called List 0: one task in eleven has none
    from generate_series(1, current_setting('seed.scale')::bigint) as n
) as g
left join lists as l on g.user_id = l.user_id and g.list_name = l.name
on conflict (user_id, public_id) do nothing;

insert into task_tags (user_id, task_id, tag_id)
select
    t.user_id,
    t.id as task_id,
    g.id as tag_id
from generate_series(1, current_setting('seed.scale')::bigint, 3) as n
cross join generate_series(1, 2) as k
inner join tasks as t
    on t.user_id = 'load-' || ((n - 1) / 1000 + 1) and t.public_id = md5('load/' || n)::uuid
inner join tags as g on t.user_id = g.user_id and g.name = 'tag ' || ((n * k) % 20 + 1)
on conflict (user_id, task_id, tag_id) do nothing;
