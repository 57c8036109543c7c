select id as id_v, email as email_n, vip as vip_v, seen as seen_n from customers
select o.id as id_v, c.name as name_v from orders as o join customers as c on c.id = o.customer_id
select o.id as id_v, c.name as name_n, c.vip as vip_n, coalesce(c.vip, false) as v_v from orders as o left join customers as c on c.id = o.customer_id
select id as id_v, name as name_n, pieces as pieces_n, lines as lines_v, note as note_n from order_totals
select id as id_v, email as email_v, seen as seen_n from vip_customers
select v.id as id_n, v.email as email_n, o.id as order_v from orders as o left join vip_customers as v on v.id = o.customer_id
select v.id as id_v, v.email as email_v, o.id as order_v from orders as o left join vip_customers as v on v.id = o.customer_id where v.email like '%'
select c.id as id_v, r.name as referrer_n, r.id as r_n from customers as c left join customers as r on r.id = c.referrer_id
select c.id as id_v, r.name as referrer_v, c.referrer_id as ref_v from customers as c join customers as r on r.id = c.referrer_id
select id as id_v, title as title_v, unnest(tags) as tag_n from products
select id as id_v, unnest(array[title, 'x']) as t_v from products
select id as id_v, unnest(array[title, 'x']) as t_n, unnest(array[1, 2, 3]) as u_v from products
select p.id as id_v, t.tag as tag_n, t.n as n_v from products as p cross join unnest(p.tags) with ordinality as t (tag, n)
select id as id_v, extra as extra_n, extra ->> 'a' as a_n, jsonb_typeof(extra) as k_n from products
select id as id_v, extra as extra_v, extra ->> 'a' as a_v from products where extra ->> 'a' is not null
select p.id as id_v, e.value as value_v from products as p cross join jsonb_array_elements(case jsonb_typeof(p.extra) when 'array' then p.extra end) as e (value)
select p.id as id_v, e.key as key_v, e.value as value_n from products as p cross join jsonb_each_text(case jsonb_typeof(p.extra) when 'object' then p.extra end) as e
select id as id_v, jsonb_build_object('id', id, 'price', price) as j_v, to_jsonb(price) as p_n, array[price] as a_v, row(price) as r_v from products
select i.order_id as o_v, i.line as l_v, p.title as t_n, i.quantity * p.price as cost_n, i.quantity * 2 as q_v from items as i left join products as p on p.id = i.product_id
select i.order_id as o_v, p.title as t_v, i.product_id as p_v from items as i join products as p on p.id = i.product_id
select order_id as o_v, sum(quantity) as q_v, avg(quantity) as a_v, max(product_id) as p_n, count(product_id) as c_v, min(note) as n_n from items group by order_id
select order_id as o_v, sum(quantity) filter (where product_id > 1) as q_n, count(*) filter (where product_id > 1) as c_v from items group by order_id
select o.id as id_v, sum(i.quantity) as q_n, coalesce(sum(i.quantity), 0) as z_v, count(i.line) as c_v, array_agg(i.note) as notes_v from orders as o left join items as i on i.order_id = o.id group by o.id
select coalesce(total, 0) as t_v, total + coalesce(discount, 0) as p_v, total - discount as d_n from orders
select id as id_v, shipped - placed as took_n, placed + interval '1 day' as next_v, age(placed) as age_v, date_trunc('day', placed) as day_v, placed::date as d_v from orders where isfinite(placed) and isfinite(shipped) is not false
select id as id_v, extract(year from placed) as y_v, extract(epoch from placed) as e_v, extract(day from placed) as d_n, to_char(placed, 'YYYY') as c_n from orders
select id as id_v, placed at time zone 'UTC' as p_v, now() as now_v, current_date as today_v, current_user as who_v, gen_random_uuid() as u_v from orders
select id as id_v, total::text as t_v, total::numeric / 2 as h_v, round(total::numeric / 3, 2) as r_v, total % 3 as m_v, abs(total) as a_v from orders
select id as id_v, coupon as coupon_v from orders where coupon is not null
select id as id_v, coupon as coupon_v from orders where coupon ilike '%' and true
select id as id_v, coupon as coupon_v, paid as paid_v from orders where not (coupon is null or paid is null)
select id as id_v, paid as paid_v from orders where paid
select id as id_v, paid as paid_v from orders where not paid
select id as id_v, paid as paid_n from orders where paid is not true
select id as id_v, paid as paid_v from orders where paid is true
select id as id_v, paid as paid_v from orders where paid is not unknown
select id as id_v, coupon as coupon_v from orders where coupon = any (array['a', 'b'])
select id as id_v, coupon as coupon_n from orders where coupon = any (array['a', 'b']) or id > 2
select id as id_v, coupon as coupon_v from orders where length(coupon) > 0
select id as id_v, coupon as coupon_v from orders where upper(coupon || '') in (select upper(name) from customers)
select c.name as name_v, t.n as n_n from customers as c left join (select customer_id, count(*) as n from orders group by customer_id) as t on t.customer_id = c.id
select c.name as name_v, t.n as n_v from customers as c left join (select customer_id, count(*) as n from orders group by customer_id) as t on t.customer_id = c.id where t.n > 0
select id as id_v, score as s_n, coalesce(score, 0) as z_v, score::int as i_n, score > 0 as p_n from customers
select distinct on (customer_id) customer_id as c_v, coupon as k_n, id as id_v from orders order by customer_id, placed desc
select concat(coupon, total) as c_v, concat_ws(',', coupon, total) as w_v, format('%s', coupon) as f_v, coupon || total as o_n from orders
select id as id_v, total between 1 and 2 as b_v, discount between 1 and 2 as d_n, total::text like '1%' as l_v, coupon ~ 'a' as r_n from orders
