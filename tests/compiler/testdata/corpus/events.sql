select id as id_v, day as day_v, name as name_n, payload as payload_v, flag as flag_n from events
select id as id_v, a as a_n, b as b_n, t as t_v from base
select id as id_v, b as b_n from only base where a is null or a > 0
select id as id_v, a as a_v from base where a >= 0
select d.c as c_v, d.extra as extra_n, d.t as t_v from derived as d
select day as day_v, events as events_v, amount as amount_n, names as names_v, flagged as flagged_n from daily
select id as id_v, value as value_n from both_kinds
select id as id_v, value as value_v from both_kinds where value > 0
select c.id as id_v, c.hits as hits_v, c.who as who_n, c.ratio as ratio_v, c.last as last_n, c.ratio * c.hits as p_v from counters as c
select c.id as id_v, d.events as e_n, coalesce(d.events, 0) as z_v from counters as c left join daily as d on d.day = c.id
select c.id as id_v, d.events as e_v, d.amount as a_n from counters as c join daily as d on d.day = c.id
select payload -> 'a' as a_n, payload ->> 'a' as b_n, payload ? 'a' as c_v, payload @> '{}' as d_v, payload || '{}' as e_v, jsonb_typeof(payload) as f_v, payload #> '{a}' as g_n from events where jsonb_typeof(payload) = 'object'
select id as id_v, at as at_n, now() - at as d_n, coalesce(at, now()) as c_v, at > now() as e_n from events
select day as day_v, count(*) as n_v, count(distinct name) as m_v, sum(amount) as s_n, avg(amount) as a_n, max(id) as i_v, jsonb_agg(payload) as p_v, every(flag) as f_n from events group by day
select day as day_n, count(*) as n_v from events group by grouping sets ((day), ())
select day as day_n, id % 2 as odd_n, count(*) as n_v, sum(id) as s_n from events group by rollup (day, id % 2)
select day as day_v, id % 2 as odd_v, count(*) as n_v, sum(id) as s_v from events group by day, id % 2
select name as name_n, count(*) as n_v from events group by name order by count(*) desc
select sum(amount) as s_n, count(*) as n_v, now() as t_v, 1 + 1 as two_v from events
select (select max(day) from events) as m_n, (select count(*) from events) as c_v, (select coalesce(max(day), 0) from events) as z_v, (select 1) as o_v, (select 1 where false) as w_n
select e.id as id_v, x.k as k_v, x.v as v_v from events as e cross join lateral jsonb_each(case when jsonb_typeof(e.payload) = 'object' then e.payload end) as x (k, v)
select jsonb_object_keys(case when jsonb_typeof(payload) = 'object' then payload end) as k_v from events
select generate_series(1, hits) as g_v, id as id_v, who as who_n from counters
select string_to_array(t, ',') as a_v, split_part(t, ',', 1) as b_v, substring(t from 1 for 2) as c_v, substring(t from 'a(.)') as d_n, regexp_match(t, 'a') as e_n, regexp_replace(t, 'a', 'b') as f_v from base
select id::text || ':' || t as a_v, lpad(t, 3) as b_v, md5(t) as c_v, left(t, 1) as d_v, position('a' in t) as e_v, t like 'a%' as f_v, t collate "C" as g_v, initcap(t) as h_v from base
select int4range(1, b) as r_v, lower(int4range(1, b)) as l_n, upper(int4range(1, b)) as u_n, isempty(int4range(1, 1)) as e_v from base where b is null or b >= 1
select numeric '1.5' as n_v, ratio::int as i_v, ratio::text as t_v, round(ratio) as r_v, floor(ratio) as f_v, ratio > 1 as b_v, -ratio as m_v, to_char(ratio, '9.9') as c_v from counters
select id as id_v, case day when 0 then 'zero' when 1 then 'one' else 'many' end as w_v, case day when 0 then 'zero' when 1 then name else 'many' end as x_n, case when day > 1 then 1 end as y_n from events
select id as id_v, flag as flag_v from events where flag = true or flag = false
select id as id_v, flag as flag_v, name as name_v from events where flag and name <> ''
select id as id_v, name as name_v, amount as amount_v from events where (name = 'a' and amount = 1) or (name = 'b' and amount = 2)
select id as id_v, name as name_v, amount as amount_n from events where (name = 'a' and amount = 1) or name = 'b'
