create table items (id integer generated always as identity primary key, name text, n integer);
create table log (item integer, at integer[]);
create table bare ();
create type nothing as enum ();
create table odd (id integer primary key, n nothing, ns nothing[] not null);
