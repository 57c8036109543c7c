select id as id_v, name as name_v, bio as bio_n from authors
select a.id as id_v, p.title as title_n, p.body as body_n from authors as a left join posts as p on p.author_id = a.id
select a.name as name_n, p.title as title_v from authors as a right join posts as p on p.author_id = a.id
select a.name as name_n, p.title as title_n from authors as a full join posts as p on p.author_id = a.id
select a.name as name_v, p.title as title_v from authors as a left join posts as p on p.author_id = a.id where p.published
select a.name as name_v, p.title as title_v from authors as a left join posts as p on p.author_id = a.id where p.score > 0 or p.score < -1
select a.name as name_v, p.title as title_n from authors as a left join posts as p on p.author_id = a.id where p.score > 0 or a.rating > 0
select a.name as name_v, p.title as title_n from authors as a left join posts as p on p.author_id = a.id where p.score is null
select p.id as id_v, c.text as text_n, x.name as name_n from posts as p left join (comments as c join authors as x on x.id = c.author_id) on c.post_id = p.id
select p.id as id_v, c.text as text_v, x.name as name_v from posts as p left join (comments as c join authors as x on x.id = c.author_id) on c.post_id = p.id where x.rating = 1
select p.id as id_v, c.author_id as author_n, x.name as name_n from posts as p left join comments as c on c.post_id = p.id left join authors as x on x.id = c.author_id
select p.id as id_v, c.author_id as author_v, x.name as name_v from posts as p left join comments as c on c.post_id = p.id left join authors as x on x.id = c.author_id where x.name is not null and c.author_id is not null
select author_id as author_v, count(*) as count_v, max(score) as score_n, max(title) as title_v from posts group by author_id
select count(*) as count_v, max(id) as id_n, sum(score) as score_n, coalesce(sum(score), 0) as total_v from posts
select max(id) as id_n from posts having count(*) >= 0
select published as p_v, array_agg(body) as bodies_v, string_agg(body, ',') as joined_n, bool_and(published) as all_v from posts group by published
select author_id as author_n, count(*) as count_v from posts group by rollup (author_id)
select author_id as author_n, published as p_n, grouping(author_id) as g_v from posts group by grouping sets ((author_id), (published))
select id as id_v, title as title_v, comments as comments_v, last_comment as last_n, likes as likes_v from post_stats
select id as id_v, title as title_v, author as author_n, likes as likes_v from shown
select id as id_v, title as title_n, comments as comments_n from outer_shown
select id as id_v, title as title_v, comments as comments_v from outer_shown where title is not null and comments > -1
with t as (select author_id, count(*) as n from posts group by author_id) select a.id as id_v, t.n as n_n, coalesce(t.n, 0) as m_v from authors as a left join t on t.author_id = a.id
with t as (select p.id, c.text from posts as p left join comments as c on c.post_id = p.id) select id as id_v, text as text_n from t
with t as (select p.id, c.text from posts as p left join comments as c on c.post_id = p.id) select id as id_v, text as text_v from t where text <> 'x'
select p.id as id_v, l.text as text_n from posts as p left join lateral (select c.text from comments as c where c.post_id = p.id order by c.id limit 1) as l on true
select p.id as id_v, l.text as text_v, l.again as again_v from posts as p cross join lateral (select c.text, p.title as again from comments as c where c.post_id = p.id) as l
select p.id as id_v, l.n as n_v from posts as p cross join lateral (select count(*) as n from comments as c where c.post_id = p.id) as l
select p.id as id_v, l.m as m_n from posts as p cross join lateral (select max(c.id) as m from comments as c where c.post_id = p.id) as l
select p.id as id_v, l.n as n_v, l.m as m_n from posts as p left join lateral (select count(*) as n, max(c.id) as m from comments as c where c.post_id = p.id) as l on true
select p.id as id_v, l.n as n_n from posts as p left join lateral (select count(*) as n from comments as c where c.post_id = p.id having count(*) > 1) as l on true
select p.id as id_v, l.n as n_n from posts as p left join (select count(*) as n from comments) as l on l.n > 1
select p.id as id_v, l.n as n_n from posts as p left join (select count(*) as n from comments limit 0) as l on true
select p.id as id_v, l.n as n_v from (select count(*) as n from comments) as l right join posts as p on true
select p.id as id_n, l.n as n_v from posts as p full join (select count(*) as n from comments) as l on true
select p.id as id_n, l.n as n_v from posts as p right join (select count(*) as n from comments) as l on true
with x as (select count(*) as n from comments) select p.id as id_v, x.n as n_v from posts as p left join x on true
select p.id as id_v, l.n as n_n from posts as p left join (comments as c left join lateral (select count(*) as n from posts) as l on true) on c.post_id = p.id and c.id > 1
select count(*) as n_v, max(l.n) as m_n from posts as p left join lateral (select count(*) as n from comments) as l on true
select id as id_v, (select count(*) from comments as c where c.post_id = p.id) as n_v, (select c.text from comments as c where c.post_id = p.id limit 1) as text_n from posts as p
select id as id_v, exists (select 1 from comments as c where c.post_id = p.id) as has_v, array(select c.text from comments as c where c.post_id = p.id) as texts_v from posts as p
select id as id_v, case when score is null then 0 else score end as score_v, case when score > 1 then title end as t_n from posts
select id as id_v, case when body is not null then body else title end as b_v, case when body is not null and score > 0 then body when score is not null then title else 'x' end as c_v from posts
select id as id_v, coalesce(body, title) as b_v, nullif(title, '') as t_n, greatest(score, 0) as g_v, least(score, rating) as l_n from posts join authors using (id)
select id as id_v, score + 1 as s_n, id + 1 as i_v, title || 'x' as t_v, title || body as b_n, upper(title) as u_v, length(body) as l_n from posts
select id as id_v, score = 1 as e_n, id = 1 as f_v, score is distinct from 1 as d_v, body is null as b_v, not published as n_v, published or score > 1 as o_n from posts
select id as id_v, id in (1, 2) as a_v, id in (1, score) as b_n, score in (1, 2) as c_n, id = any ('{1,null}'::int[]) as d_n from posts
select id as id_v, id in (select author_id from posts) as a_v, id in (select score from posts) as b_n from authors
select author_id as a_v from posts union select id from authors
select score as s_n from posts union all select id from authors
select id as id_v from authors intersect select score from posts
select score as s_n from posts except select id from authors
select id as id_v, row_number() over (order by id) as n_v, lag(title) over (order by id) as l_n, lag(title, 1, '') over (order by id) as m_v, first_value(title) over (order by id) as f_v, sum(score) over (order by id) as s_n from posts
select id as id_v, sum(id) over (order by id rows between 1 following and 2 following) as a_n, sum(id) over (order by id rows between unbounded preceding and current row) as b_v, nth_value(id, 2) over (order by id) as c_n from posts
select id as id_v, at as at_v from posts where at > now() - interval '1000 years'
select id as id_v, at as at_n from posts where at is null or published
select id as id_v, score as score_v from posts where score in (0, 1, 2, 3)
select id as id_v, score as score_n from posts where score <> all ('{}'::int[])
select id as id_v, body as body_v, score as score_v from posts where (body, score) = ('a', 1)
