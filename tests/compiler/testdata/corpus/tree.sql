select id as id_v, label as label_v, weight as weight_n from roots
select id as id_v, parent_id as p_n, label as label_v, depth as depth_v, weight as weight_n from walks
select w.label as label_v, n.leaf as leaf_v, w.depth + 1 as d_v from walks as w join nodes as n on n.id = w.id
select n.id as id_v, w.depth as depth_n, w.label as label_n from nodes as n left join walks as w on w.id = n.id
select a.label as from_v, b.label as to_v, e.kind as kind_v, e.cost as cost_n from edges as e join nodes as a on a.id = e.source join nodes as b on b.id = e.target
select a.label as from_v, b.label as to_n, e.kind as kind_n, e.source as s_n from nodes as a left join edges as e on e.source = a.id left join nodes as b on b.id = e.target
select a.label as from_v, b.label as to_v, e.kind as kind_v from nodes as a left join edges as e on e.source = a.id left join nodes as b on b.id = e.target where b.label > ''
select source as s_v, count(*) as n_v, sum(cost) as c_n, sum(coalesce(cost, 1)) as d_v, bool_or(directed) as dir_n, array_agg(distinct target) as t_v from edges group by source
select node_id as n_n, mark as m_n, value as v_v, at as at_n from marks
select node_id as n_v, max(value) as v_v, max(at) as at_n from marks where node_id is not null group by node_id
select n.id as id_v, m.value as v_n, coalesce(m.value, 0) as c_v, m.value + n.id as s_n from nodes as n left join marks as m on m.node_id = n.id
select n.id as id_v, m.value as v_v, m.node_id as n_v from nodes as n join marks as m on m.node_id = n.id
select n.id as id_n, m.value as v_v, m.node_id as n_n from nodes as n right join marks as m on m.node_id = n.id
select n.id as id_v, n.path as path_n, cardinality(n.path) as c_n, n.path[1] as f_n, array_length(n.path, 1) as l_n, coalesce(n.path, '{}') as p_v from nodes as n
select n.id as id_v, x.step as s_n, x.n as i_v from nodes as n cross join lateral unnest(n.path) with ordinality as x (step, n)
select n.id as id_v, n.path || n.id as p_v, array_append(coalesce(n.path, '{}'), n.id) as q_v, n.id = any (n.path) as a_n, array_to_string(n.path, ',') as t_n from nodes as n
select id as id_v, (select count(*) from nodes as c where c.parent_id = n.id) as kids_v, (select sum(c.weight) from nodes as c where c.parent_id = n.id) as w_n, coalesce((select sum(c.weight) from nodes as c where c.parent_id = n.id), 0) as z_v from nodes as n
select id as id_v, not exists (select 1 from nodes as c where c.parent_id = n.id) as leaf_v, n.parent_id is null as root_v from nodes as n
select parent_id as p_n, max(label) as l_v, count(weight) as c_v, min(weight) as w_n from nodes group by parent_id
select parent_id as p_v, max(label) as l_v from nodes where parent_id >= 0 group by parent_id
select p.id as id_v, x.top as top_n from nodes as p left join (select parent_id, max(weight) as top from nodes where parent_id is not null group by parent_id) as x on x.parent_id = p.id
select p.id as id_v, x.top as top_n, x.parent_id as q_v from nodes as p join (select parent_id, max(weight) as top from nodes group by parent_id) as x on x.parent_id = p.id
select label as label_v, weight as w_v from nodes where weight is not null union select kind, cost from edges where cost is not null
select label as label_v, weight as w_n from nodes union all (select kind, cost from edges where cost is not null)
select label as label_v from nodes except all select kind from edges
with recursive t (n) as (values (1) union all select n + 1 from t where n < 5) select n as n_v from t
with recursive t (n, p) as (select 1, null::int union all select n + 1, n from t where n < 5) select n as n_v, p as p_n from t
with recursive up as (select id, parent_id from nodes union select n.id, n.parent_id from nodes as n join up as u on u.parent_id = n.id) select id as id_v, parent_id as p_n from up
with recursive t as (select id, label, 0 as d from nodes union all select t.id, m.mark, t.d + 1 from t left join marks as m on m.node_id = t.id where t.d < 2) select id as id_v, label as label_n, d as d_v from t
with a as (select id, weight from nodes where weight > 1), b as (select a.id, a.weight, e.cost from a left join edges as e on e.source = a.id) select id as id_v, weight as w_v, cost as c_n from b
select e.kind as kind_v, e.cost as cost_v, e.cost * 2 as d_v from edges as e where e.cost > 1
select e.kind as kind_v, greatest(e.cost, e.source) as g_v, least(e.cost, null) as l_n, e.cost is not null as b_v from edges as e
select a.id as id_v, b.id as b_n from nodes as a left join nodes as b on b.parent_id = a.id and b.leaf
select a.id as id_v, b.id as b_n, b.weight as w_n from nodes as a left join nodes as b on b.parent_id = a.id and b.weight > 0
select a.id as a_n, b.id as b_n from nodes as a full join nodes as b on a.parent_id = b.id
select a.id as a_v, b.id as b_n from nodes as a full join nodes as b on a.parent_id = b.id where a.leaf
select a.id as a_v, b.id as b_v from nodes as a full join nodes as b on a.parent_id = b.id where a.leaf and b.label is not null
select coalesce(a.id, b.id) as i_v from nodes as a full join nodes as b on a.id = b.id
select id as i_v, a.label || '' as l_v from nodes as a full join nodes as b using (id)
select s.id as id_n, t.value as v_n from (select id from nodes where leaf) as s full join (select node_id, value from marks) as t on t.node_id = s.id
