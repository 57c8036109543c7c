create table events (
    id int not null, day int not null, name text, amount int, payload jsonb not null, flag boolean, at timestamptz
) partition by range (day);
create table events_low partition of events for values from (0) to (3);
create table events_high partition of events for values from (3) to (100);
create table base (id int not null, a int, b int, t text not null);
create table derived (extra int, c text not null) inherits (base);
do $$
begin -- NOT NULL of the parent alone: a child's row may be NULL
    if current_setting('server_version_num')::int >= 180000 then
        execute 'alter table base add constraint base_a_present not null a no inherit';
    else
        execute 'alter table only base alter column a set not null';
    end if;
end $$;
create table counters (id int primary key, hits int not null, last timestamptz, who text, ratio numeric not null);
create view daily as
    select day, count(*) as events, sum(amount) as amount, array_agg(name) as names, bool_or(flag) as flagged
    from events group by day;
create view both_kinds as select id, amount as value from events union all select id, hits from counters;
