select id as id_v, boss_id as boss_n, name as name_v, feeling as feeling_n, base as base_v, hired as hired_v, fired as fired_n from people
select id as id_v, called as called_v, name as name_v, lead as lead_n from team_leads
select person_id as p_v, teams as t_v, share as s_v, since as since_n, roles as roles_n from busy
select p.id as id_v, b.teams as t_n, b.share as s_n, coalesce(b.teams, 0) as c_v from people as p left join busy as b on b.person_id = p.id
select id as id_v, age as age_v from people where age > 0
select id as id_v, base::text as b_v, feeling::text as f_n, base = 'sad' as e_v, feeling = 'sad' as g_n, enum_range(base) as r_v from people
select p.name as name_v, b.name as boss_n, c.name as top_n from people as p left join people as b on b.id = p.boss_id left join people as c on c.id = b.boss_id
select p.name as name_v, b.name as boss_v, c.name as top_v from people as p left join people as b on b.id = p.boss_id left join people as c on c.id = b.boss_id where c.id = 1
select p.name as name_v, b.name as boss_v, c.name as top_n from people as p join people as b on b.id = p.boss_id left join people as c on c.id = b.boss_id
select t.name as team_v, p.name as person_n, m.share as share_n from teams as t left join members as m join people as p on p.id = m.person_id on m.team_id = t.id
select t.name as team_n, p.name as person_v, m.share as share_n from teams as t join members as m on m.team_id = t.id right join people as p on p.id = m.person_id
select t.name as team_n, p.name as person_n, m.share as share_n from teams as t full join members as m on m.team_id = t.id full join people as p on p.id = m.person_id
select team_id as team_v, m.share as share_n, t.name as name_n from members as m full join (select id as team_id, name from teams) as t using (team_id)
select team_id as team_v, m.share as share_v, t.name as name_n from members as m left join (select id as team_id, name from teams) as t using (team_id)
select team_id as team_v, m.share as share_n, t.name as name_v from members as m right join (select id as team_id, name from teams) as t using (team_id)
select role as role_n, count(*) as n_v, sum(share) as s_v from members group by role
select role as role_v, count(*) as n_v from members where role is not null group by role
select role as role_v, count(*) as n_v from members group by role having role > ''
select coalesce(role, 'none') as role_v, count(*) as n_v from members group by coalesce(role, 'none')
select coalesce(role, 'none') as role_n, count(*) as n_v from members group by cube (coalesce(role, 'none'))
select coalesce(role, 'none') as role_v, count(*) as n_v from members group by rollup (role)
select person_id as p_v, rank() over (partition by team_id order by share) as r_v, ntile(2) over (order by share) as t_v, dense_rank() over (order by since) as d_v, percent_rank() over (order by share) as q_v from members
select person_id as p_v, max(share) over w as m_v, min(since) over w as s_n, count(role) over w as c_v, last_value(share) over w as l_v from members window w as (partition by team_id order by share)
select person_id as p_v, last_value(share) over (order by share rows between current row and unbounded following) as a_v, lead(share) over (order by share) as l_n, lead(share, 0, 1) over (order by share) as m_v from members
with recursive chain as (select id, boss_id, name, 1 as depth from people where boss_id is null union all select p.id, p.boss_id, p.name, c.depth + 1 from people as p join chain as c on p.boss_id = c.id where c.depth < 5) select id as id_v, boss_id as b_n, name as name_v, depth as d_v from chain
with recursive chain as (select id, boss_id, 0 as d from people union select p.boss_id, p.boss_id, c.d + 1 from people as p join chain as c on c.boss_id = p.id where c.d < 3) select id as id_n, boss_id as b_n, d as d_v from chain
select id as id_v, hired + 1 as next_v, hired > current_date as f_v, fired is not null as g_v, active is true as a_v, active as b_n from people
select id as id_v, coalesce(nick, name) as n_v, coalesce(nick, null) as m_n, nullif(nick, name) as o_n, coalesce(nick, nullif(name, ''), 'x') as p_v from people
select id as id_v, nick as nick_v from people where nick = name
select id as id_v, nick as nick_n from people where nick is not distinct from name or id = 1
select id as id_v, nick as nick_v from people where nick is not distinct from 'a'
select id as id_v, nick as nick_v from people where case when nick = 'a' then true else nick = 'b' end
select name as name_v, nick as nick_n from people where exists (select 1 from members as m where m.person_id = people.id)
select name as name_v, (select m.role from members as m where m.person_id = people.id limit 1) as r_n, (select max(share) from members as m where m.person_id = people.id) as s_n from people
select x.a as a_v, x.b as b_n from (values (1, 'a'), (2, null)) as x (a, b)
select g as g_v, g * 2 as h_v from generate_series(1, 3) as g
select g.n as n_v, p.name as name_n from generate_series(0, 8) as g (n) left join people as p on p.id = g.n
select 1 as one_v, null::int as null_n, 'a' as a_v, true and null as t_n, false as f_v
select name as name_v from people union all select motto from teams where motto is not null
select motto as m_n from teams union all select name from people
select id as id_v, name as name_v, nick as nick_n from people_copy where id is not null and name is not null
select t.id as id_v, p.name as parent_n, l.name as lead_n, q.name as lead_of_parent_n from teams as t left join teams as p on p.id = t.parent_id left join people as l on l.id = t.lead_id left join people as q on q.id = p.lead_id
select t.id as id_v, t.parent_id as p_v, t.lead_id as l_v from teams as t, people as p where t.lead_id = p.id and t.parent_id in (select id from teams)
select l.x as x_v, l.y as y_n from people as p, lateral (select p.name as x, p.nick as y) as l
select l.x as x_n, p.id as id_v from people as p left join lateral (select p.name as x from teams as t where t.lead_id = p.id) as l on true
