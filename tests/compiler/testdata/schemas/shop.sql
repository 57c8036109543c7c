create table customers (
    id int primary key, name text not null, email text, referrer_id int, vip boolean not null,
    score numeric, joined timestamptz not null, seen timestamptz
);
create table orders (
    id int primary key, customer_id int not null, coupon text, total int not null, discount int,
    paid boolean, placed timestamptz not null, shipped timestamptz
);
create table items (
    order_id int not null, line int not null, product_id int, quantity int not null, note text,
    primary key (order_id, line)
);
create table products (id int primary key, title text not null, price int, tags text[] not null, extra jsonb);
create view order_totals as
    select o.id, o.customer_id, c.name, sum(i.quantity) as pieces, count(i.line) as lines, max(i.note) as note
    from orders as o left join items as i on i.order_id = o.id left join customers as c on c.id = o.customer_id
    group by o.id, c.name;
create view vip_customers as select id, name, email, seen from customers where vip and email is not null;
