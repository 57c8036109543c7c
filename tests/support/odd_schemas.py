"""Small schemas whose objects are hard to put in order, or to write down at all."""

ODD_SCHEMAS = {
    "serial columns": """
        create table t (id bigserial primary key, n smallserial, unique (n));
    """,
    "a sequence that two tables share": """
        create sequence shared start 5 increment 5;
        create table a (id bigint default nextval('shared') primary key);
        create table b (id bigint default nextval('shared') primary key, other integer);
        alter sequence shared owned by b.other;
    """,
    "a sequence renamed, and owned by a later column": """
        create table t (id serial, later integer);
        alter sequence t_id_seq rename to "T numbers";
        alter sequence "T numbers" owned by t.later;
    """,
    "a default that calls what reads the table": """
        create table t (id integer primary key, n integer);
        create function highest(t) returns integer language sql as 'select 1';
        create function next_n() returns integer language sql
            begin atomic select coalesce(max(n), 0) + 1 from t; end;
        alter table t alter n set default next_n();
    """,
    "checks that take the whole row": """
        create table t (id integer primary key, low integer, high integer);
        create function sane(t) returns boolean language sql immutable as 'select $1.low < $1.high';
        alter table t add constraint t_sane check (sane(t));
    """,
    "a view, its row type, and back": """
        create table t (id integer primary key, name text);
        create view v as select id, name from t;
        create function label(v) returns text language sql as 'select $1.name';
        create or replace view v as select id, name, id::text collate "C" as extra from t;
        create function more() returns setof v language sql begin atomic select * from v; end;
        create or replace view v as select id, name, id::text collate "C" as extra
            from t where name <> all (select m.name from more() as m);
    """,
    "grouped by its primary key": """
        create table parted (id integer, name text, primary key (id)) partition by range (id);
        create table parted_1 partition of parted for values from (0) to (10);
        create table t (id integer primary key, name text, x integer);
        create view by_key as select t.id, t.name, sum(x) as s from t group by t.id;
        create materialized view by_other as select p.id, p.name from parted as p group by p.id;
        create unique index on by_other (id);
    """,
    "functions with bodies that stand on tables": """
        create table "Order" (id integer primary key, "user" text);
        create function orders() returns setof "Order" language sql
            begin atomic select * from "Order"; end;
        create function first_order() returns "Order" language sql stable
            begin atomic select o from orders() as o limit 1; end;
        create view firsts as select (first_order()).id;
    """,
    "names of NOT NULL that a copy took first": """
        create table t (id integer primary key, a text not null, b text not null);
        create table copied (like t including all);
        create table "Child" (a text not null) inherits (t);
        create table another (like "Child" including all, id2 integer not null);
        alter table t alter b drop not null;
        alter table t alter b set not null;
    """,
    "a view that reads itself": """
        create view recent as select 1 as id;
        create or replace view recent as select id from recent;
    """,
    "settings of the database": """
        do $$ begin
            execute format('alter database %I set "app.user" = ''u1''', current_database());
            execute format('alter database %I set request.jwt.id = ''-1''', current_database());
            execute format('alter database %I set "TimeZone" = ''UTC''', current_database());
        end $$;
    """,
    "circular foreign keys": """
        create table a (id integer primary key, b_id integer);
        create table b (id integer primary key, a_id integer references a deferrable);
        alter table a add constraint "to" foreign key (b_id) references b not valid;
        create table self (id integer primary key, up integer references self);
    """,
    "partitions of partitions": """
        create table log (at date not null, kind text not null, id bigint generated always as
            identity, ref integer, note text, primary key (at, kind, id)) partition by range (at);
        create table log_2026 partition of log for values from ('2026-01-01') to ('2027-01-01')
            partition by list (kind);
        create table log_2026_a partition of log_2026 for values in ('a');
        create table log_rest (note text, ref integer, kind text not null, id bigint not null,
            at date not null);
        alter table log attach partition log_rest default;
        create index on log (ref);
        create index log_note on only log (note);
        create index log_2026_note on only log_2026 (note);
        create unique index log_other on log (at, kind, ref);
        create table target (id integer primary key);
        alter table log add foreign key (ref) references target;
        alter table log_rest alter note set default 'x';
        create function touch() returns trigger language plpgsql as 'begin return new; end';
        create trigger touched before update on log for each row execute function touch();
        alter table log_rest disable trigger touched;
        alter table log_rest add constraint short check (length(note) < 9);
        create table points_at (at date, kind text, id bigint,
            foreign key (at, kind, id) references log);
    """,
    "children with ideas of their own": """
        create table parent (id integer not null, kind text default 'p', n integer,
            constraint n_check check (n > 0));
        create table child (x integer) inherits (parent);
        alter table child alter kind set default 'k';
        alter table child alter n set not null;
        alter table child alter kind set storage external;
        alter table child alter n set statistics 50;
        create table other (id integer not null, kind text, n integer,
            constraint n_check check (n > 0));
        alter table other inherit parent;
        alter table parent add column late text default 'l';
        alter table child alter late drop default;
        create table second (y integer);
        create table third (z integer default 3) inherits (parent, second);
    """,
    "types of types": """
        create domain positive as integer check (value > 0);
        create type pair as (a positive, b text collate "C");
        create domain sane_pair as pair check ((value).a < 10);
        create type nest as (p sane_pair, many pair[]);
        create table t (n nest, ns nest[], p sane_pair default row(1, 'x')::pair);
        create function make(positive) returns nest language sql as 'select null::nest';
        create type "order" as enum ('a', 'it''s', '"q"', E'back\\\\slash');
        create domain "Select" as "order" not null default 'a';
        create type span as range (subtype = float8, subtype_diff = float8mi);
        create table spans (s span, m span_multirange);
    """,
    "a domain that asks a function about itself": """
        create domain code as text;
        create function fine(code) returns boolean language sql immutable as 'select $1 <> ''''';
        alter domain code add constraint code_fine check (fine(value));
        alter domain code add constraint later check (value <> 'x') not valid;
        alter domain code set not null;
    """,
    "a range that is made canonical, a type of one's own": """
        create type days;
        create function days_canonical(days) returns days language internal immutable strict
            as 'daterange_canonical';
        create type days as range (subtype = date, canonical = days_canonical);
        create type mytext;
        create function mytext_in(cstring) returns mytext language internal immutable strict
            as 'textin';
        create function mytext_out(mytext) returns cstring language internal immutable strict
            as 'textout';
        create type mytext (input = mytext_in, output = mytext_out, like = text, category = 'S');
        create type announced;
        create table t (d days, m mytext);
    """,
    "operators, classes, casts, aggregates": """
        create type pair as (a integer, b integer);
        create function pair_cmp(pair, pair) returns integer language sql immutable
            as 'select $1.a - $2.a';
        create function pair_lt(pair, pair) returns boolean language sql immutable
            as 'select $1.a < $2.a';
        create function pair_gt(pair, pair) returns boolean language sql immutable
            as 'select $1.a > $2.a';
        create function pair_eq(pair, pair) returns boolean language sql immutable
            as 'select $1.a = $2.a';
        create operator <<< (function = pair_lt, leftarg = pair, rightarg = pair,
            commutator = >>>, restrict = scalarltsel, join = scalarltjoinsel);
        create operator >>> (function = pair_gt, leftarg = pair, rightarg = pair, commutator = <<<);
        create operator === (function = pair_eq, leftarg = pair, rightarg = pair, commutator = ===);
        create operator class pair_ops for type pair using btree as
            operator 1 <<<, operator 3 ===, operator 5 >>>, function 1 pair_cmp(pair, pair);
        create operator family loose using btree;
        alter operator family loose using btree add operator 1 < (integer, bigint);
        create table t (p pair, q integer);
        create index on t (p pair_ops);
        create view v as select p from t where p === row(1, 2)::pair;
        create function to_pair(integer) returns pair language sql immutable
            as 'select row($1, $1)::pair';
        create cast (integer as pair) with function to_pair(integer) as assignment;
        create aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '0',
            parallel = safe, combinefunc = int4pl);
        create aggregate how_many(*) (sfunc = int8inc, stype = bigint, initcond = '0');
        comment on aggregate how_many(*) is 'All.';
        revoke execute on function how_many() from public;
        create aggregate middle(float8 order by float8) (sfunc = ordered_set_transition,
            stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
        create view w as select total(q) from t;
    """,
    "text search, collations, conversions": """
        create collation plain (provider = libc, locale = 'C');
        create text search dictionary short (template = simple, stopwords = 'english');
        create text search configuration mine (copy = simple);
        alter text search configuration mine alter mapping for asciiword with short, simple;
        create table t (body text collate plain, words tsvector generated always as
            (to_tsvector('public.mine'::regconfig, body)) stored);
        create conversion own for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
        create domain d as text collate plain;
    """,
    "foreign data": """
        create foreign data wrapper w options (debug 'true');
        create server s type 'x' version '1' foreign data wrapper w options (host 'h');
        create user mapping for current_user server s options (username 'bob');
        create user mapping for public server s;
        create foreign table f (id integer options (column_name 'ID') not null, t text)
            server s options (table_name 'it''s');
        grant usage on foreign data wrapper w to pg_monitor;
        grant usage on foreign server s to pg_monitor with grant option;
    """,
    "rules, triggers, policies": """
        create table t (id integer primary key, owner_name text);
        create view v as select id, owner_name from t;
        create rule "select" as on insert to v do instead insert into t values (new.id);
        create rule quiet as on delete to t do also nothing;
        alter table t enable always rule quiet;
        create function may(integer) returns boolean language sql as 'select true';
        create function touch() returns trigger language plpgsql as 'begin return new; end';
        create trigger "order" before update of owner_name on t for each row
            when (new.id > 0) execute function touch();
        create constraint trigger later after insert on t deferrable initially deferred
            for each row execute function touch();
        create trigger instead_of instead of delete on v for each row execute function touch();
        create policy "user" on t as restrictive for all to pg_monitor, current_user
            using (may(id)) with check (exists (select from v where v.id = t.id));
        alter table t enable row level security, force row level security;
        alter view v alter owner_name set default 'nobody';
    """,
    "publications": """
        create schema s;
        create table t (id integer primary key, secret text, "user" text);
        create table u (id integer primary key) partition by range (id);
        create table s.w (id integer);
        create publication p for table t (id, "user") where (id > 0), table u
            with (publish = 'insert, delete', publish_via_partition_root = true);
        create publication q for tables in schema s, table t;
        create publication nothing;
        create publication everything for all tables;
    """,
    "names that need quotes": """
        create schema "select";
        create table "select"."Table" ("order" integer constraint "check" check ("order" > 0),
            "a b" text default 'x', "q""q" integer, constraint "primary" primary key ("order"),
            constraint "unique" unique ("a b", "q""q"));
        create index "user" on "select"."Table" ("a b");
        create statistics "analyze" on "order", "a b" from "select"."Table";
        create table "select".child ("end" serial) inherits ("select"."Table");
        comment on constraint "check" on "select"."Table" is 'It''s a \\ check.';
        comment on column "select"."Table"."a b" is 'x';
        create type "select"."Type" as ("from" integer);
        comment on type "select"."Type" is 'a type';
        comment on column "select"."Type"."from" is 'a column';
        grant select ("order"), update ("a b") on "select"."Table" to pg_monitor;
    """,
    "privileges": """
        create schema s;
        create table t (id integer);
        create procedure p(inout n integer) language plpgsql as 'begin n := 1; end';
        revoke all on procedure p(integer) from public;
        revoke delete on t from current_user;
        alter default privileges in schema s grant select on tables to pg_monitor with grant option;
        alter default privileges in schema s grant insert on tables to pg_monitor;
        alter default privileges revoke execute on functions from public;
        create domain d as integer;
        revoke usage on domain d from public;
        grant create on schema s to pg_monitor;
    """,
    "checks that children share with their parents, valid or not": """
        create function f(a int) returns boolean language sql immutable as 'select $1>0';
        create table p (id int, a int, constraint k check (a>0), constraint k3
            check (f(a))) partition by range(id);
        create table p1 (like p including all);
        alter table p attach partition p1 for values from (0) to (1);
        create table p2 partition of p for values from (1) to (2);
        alter table p add constraint k2 check (id <> 9);
        alter table p2 add constraint k4 check (id <> 7);
        create table i (id int, constraint k check (id>0));
        create table i1 (id int, constraint k check (id>0), constraint z check (id > -3))
            inherits (i);
        create table n (id int);
        create table n1 (id int, constraint q check (id>0)) inherits (n);
        alter table n add constraint q check(id>0) not valid;
        create table pn (id int) partition by range (id);
        create table pn1 (id int, constraint q check (id>0));
        alter table pn attach partition pn1 default;
        alter table pn add constraint q check(id>0) not valid;
        create table r (id int) partition by list (id);
        create table r1 (id int, constraint w check (id>0) not valid);
        alter table r attach partition r1 default;
        alter table r add constraint w check (id>0);
        create table v (id int) partition by range (id);
        create table v1 partition of v default partition by range (id);
        create table v11 partition of v1 default;
        alter table v add constraint vc check (id>0) not valid;
        alter table v11 add constraint vd check (id > 8) not valid;
        create table h (id int);
        create table "Z h" () inherits (h);
        create table a_h () inherits ("Z h");
        alter table a_h add constraint hc check (id>0) not valid;
        alter table h add constraint hc check (id>0) not valid;
        create table m1 (id int);
        create table m2 (id int);
        create table m () inherits (m1,m2);
        alter table m1 add constraint mc check (id>0) not valid;
        alter table m2 add constraint mc check (id>0) not valid;
        create table o1 (id int);
        create table o () inherits (o1);
        alter table o1 add constraint oc check (id>0) no inherit not valid;
        alter table o add constraint oc check (id>0)  not valid;
    """,
    "casts of whole arrays": """
        create table t (v varchar(9), n smallint, "odd, ]" varchar);
        create view v as select array['a', v, v || '] , ''', null]::varchar[]::text[] as a,
            array[n, 2, -1]::int2[]::int4[] as b,
            array[array['a', v], array[v, 'b']]::varchar[]::text[] as c,
            array[array['x', "odd, ]"]::varchar[]::text[]]::text[] as d,
            array[v]::varchar(3)[] as e, array[1, n, 1.5]::numeric(5, 2)[] as f,
            array[now()]::timestamp(3) without time zone[] as g,
            array['{}', '[1]'::text]::json[] as h, array[]::int[] as i, array[1, 2] as j,
            array[(select array[v]::varchar[]::text[])]::text[] as k,
            v = any(array['a', v]::varchar[]::text[]) as l
        from t;
        create materialized view m as select array['a', v]::varchar[]::text[] as a from t;
        create policy p on t using (v = any(array['a', v]::varchar[]::text[]));
        create function f() returns trigger language plpgsql as
            'begin return array[new.v]::varchar[]::text[]; end';
        create trigger g before update on t for each row
            when (new.v = any(array['a', old.v]::varchar[]::text[])) execute function f();
        create table s (
            v varchar, g text[] generated always as (array['a', v]::varchar[]::text[]) stored
        );
        create function q(v varchar) returns text[] language sql
            begin atomic select array['a', v]::varchar[]::text[]; end;
        create index on t ((array['a', v]::varchar[]::text[]));
        create statistics st on (array['a', v]::varchar[]::text[]), n from t;
    """,
    "lists of varchar, and keys that are the same": """
        create domain d as varchar check (value in ('a', 'b'));
        create table t (
            id integer primary key, v varchar(9) not null, w "char", c char(3),
            g boolean generated always as (v in ('a', 'it''s', E'b\\\\c', null)) stored,
            b boolean default ('x'::varchar in ('x', 'y')),
            constraint v_check check (v in ('a', 'it''s', E'b\\\\c') and c not in ('x', 'y')),
            constraint v_one check (v in ('a')), unique (v), unique (c, v), unique (c) include (v)
        );
        alter table t add constraint same unique (id);
        alter table t add constraint again unique (v);
        alter table t add constraint "Again" unique (c, v) deferrable;
        alter table t add constraint more unique (c, v);
        alter table t add constraint most unique (c) include (v);
        create index on t (v) where v in ('a', 'b');
        create index on t ((v in ('a', 'b')));
        create policy p on t using (v in ('a', 'b')) with check (v <> all (array['a', 'b']));
        create view w as select v in ('a', 'b') as x from t
            where v in ('it''s', 'b') group by v having v not in ('c', 'd');
        create rule r as on insert to t where new.v in ('q', 'r') do nothing;
        create function body() returns boolean begin atomic select v in ('a', 'b') from t; end;
    """,
    "what is set on things": """
        create table t (id integer not null, body text, n numeric, constraint u unique nulls not
            distinct (id), constraint k primary key (n) deferrable initially deferred)
            with (fillfactor = 70, toast.autovacuum_enabled = off);
        alter table t alter body set compression pglz, alter body set storage main;
        alter table t alter body set (n_distinct = 5), alter n set statistics 7;
        create index i on t ((lower(body)), n desc nulls last) include (id) with (fillfactor = 60);
        alter index i alter column 1 set statistics 9;
        alter table t cluster on i;
        create unique index r on t (id);
        alter table t replica identity using index r;
        create statistics x (dependencies) on (lower(body)), id from t;
        alter statistics x set statistics 3;
        create unlogged table fast (id integer generated by default as identity
            (start 10 increment -1 minvalue -100 maxvalue 10 cycle) primary key);
        create table gen (a integer, b integer generated always as (a * 2) stored);
        create type row_type as (id integer, name text);
        create table typed of row_type (primary key (id));
        create materialized view filled as select 1 as one;
        create materialized view unfilled as select 1 as one with no data;
        create view barred with (security_barrier) as select id from t where id > 0
            with local check option;
        create view on_filled as select one from filled;
        create materialized view on_view as select one from on_filled;
        alter table t add constraint nv check (id > 0) not valid;
    """,
}
"""By name, statements for an empty database."""
