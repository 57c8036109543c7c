create type mood as enum ('sad', 'ok', 'glad');
create domain positive as int check (value > 0);
create domain title as text not null;
create table people (
    id int primary key, boss_id int, name text not null, nick text, feeling mood, base mood not null,
    age positive, hired date not null, fired date, active boolean
);
create table teams (id int primary key, name text not null, lead_id int, parent_id int, open boolean not null, motto text);
create table members (person_id int not null, team_id int not null, role text, since date, share int not null, primary key (person_id, team_id));
create view team_leads as
    select t.id, t.name, p.name as lead, p.nick, coalesce(p.nick, t.name) as called
    from teams as t left join people as p on p.id = t.lead_id;
create view busy as
    select person_id, count(*) as teams, sum(share) as share, min(since) as since, string_agg(role, ',') as roles
    from members group by person_id;
create materialized view people_copy as select id, name, nick from people;
