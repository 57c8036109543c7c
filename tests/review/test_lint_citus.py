"""The profile of Citus: its rules count where a project asks for them, and find every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.config import Tenant, load_config
from todo_sql.errors import ConfigError
from todo_sql.review.linting.lint import lint
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project, all_rules
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

ROOT = Path(__file__).parents[2]

TABLES = """
create table tasks (
    user_id text, id bigint, list_id bigint, title text, primary key (user_id, id)
);
create table lists (user_id text, id bigint, primary key (user_id, id));
create table kinds (id text primary key, label text);
create table local (id text primary key);
create table "Odd Notes" (user_id text, id bigint, primary key (user_id, id));
create table events (device text, id bigint, made date, primary key (device, id));
create table months (user_id text, made date, n bigint) partition by range (made);
create table months_1 partition of months for values from ('2026-01-01') to ('2027-01-01');
create function f() returns trigger language plpgsql as 'begin return new; end';
create function whose() returns text language sql stable
return nullif(current_setting('app.current_user_id', true), '');
alter table tasks enable row level security;
alter table lists enable row level security;
create policy own on tasks to todo_app using (user_id = whose());
create policy own on lists to todo_app using (user_id = whose());
grant select, insert, update, delete on tasks, lists, kinds, local, events to todo_app;
select create_reference_table('kinds');
select create_distributed_table('lists', 'user_id', colocate_with => 'none');
select create_distributed_table('tasks', 'user_id', colocate_with => 'lists');
select create_distributed_table('months', 'user_id', colocate_with => 'lists');
select create_distributed_table('"Odd Notes"', 'user_id', colocate_with => 'lists');
select create_distributed_table('events', 'device', colocate_with => 'none');
"""

POLICY = "create policy p on tasks for {} to todo_app {}"
KEY = "alter table tasks add constraint k foreign key (user_id, list_id) references lists {}"
FUNCTION = "create function g(a text) returns bigint language {} {}"
BODY = "create function g(a text) returns bigint language sql as '{}'"
WRITE = "create function g(a text) returns void language sql as '{}'"
TRIGGER = "create trigger t {} for each row execute function f()"
RANGE = "create type r as range (subtype = date);"
RETURNS = "delete from tasks where user_id = 'u' returning {}"
UPSERT = "insert into tasks values ('u', 1) on conflict (user_id, id) do update set {}"

# What lint says of a text, the text, and a statement that uses what it makes.
CASES = [
    # policies
    ("R601", POLICY.format("all", "using (user_id = (select current_user::text))"), ""),
    ("R601", POLICY.format("insert", "with check (exists (select from lists))"), ""),
    ("R601", POLICY.format("select", "using (user_id in (select user_id from lists))"), ""),
    ("R601", POLICY.format("select", "using (array(select 1) = array[1])"), ""),
    ("R601", "create policy p on \"Odd Notes\" to todo_app using (user_id = (select 'u'))", ""),
    ("R601", "create policy p on kinds to todo_app using (id = (select 'k'))", ""),
    ("R601", "create policy p on months to todo_app using (user_id = (select 'u'))", ""),
    ("R601", "create policy p on months_1 to todo_app using (user_id = (select 'u'))", ""),
    ("R601", "create policy p on events as restrictive to todo_app using ((select true))", ""),
    (
        "R601",
        POLICY.format("select", "using (true)") + ";alter policy p on tasks using ((select true))",
        "",
    ),
    ("", POLICY.format("select", "using (user_id = whose())"), ""),
    ("", "create policy p on local to todo_app using ((select true))", ""),
    # unique keys
    (
        "R602",
        "alter table events drop constraint events_pkey; alter table events add primary key (id)",
        "",
    ),
    ("R602", "alter table events add unique (id, made)", ""),
    ("R602", "create unique index on events (lower(device))", ""),
    ("R602", "create unique index on events (id) where made is null", ""),
    ("R602", "create unique index on events (id) include (device)", ""),
    ("R602", "create unique index on events ((device), id)", ""),
    ("R602", "alter table events add column k bigint unique", ""),
    ("R602", "alter table events add constraint x exclude (id with =)", ""),
    ("R602", "alter table tasks add constraint x exclude (id with =)", ""),
    ("R602", "alter table months add constraint x exclude (made with =, n with =)", ""),
    ("R602", "create unique index on months_1 (n)", ""),
    ("", "alter table events add unique (made, device)", ""),
    ("", "create index on events (id)", ""),
    ("", "alter table events add constraint x exclude (device with =, id with =)", ""),
    ("", "alter table kinds add unique (label)", ""),
    ("", "alter table kinds add constraint x exclude (label with =)", ""),
    ("", "create unique index on local (lower(id))", ""),
    # foreign keys
    ("R603", "alter table tasks add foreign key (user_id) references local (id)", ""),
    ("R603", "alter table tasks add column ref text references local", ""),
    (
        "R603",
        "alter table kinds add column n bigint; alter table kinds add foreign "
        "key (id, n) references events (device, id)",
        "",
    ),
    ("R603", "alter table tasks add foreign key (user_id, id) references events (device, id)", ""),
    ("R603", "alter table events add foreign key (device, id) references lists (user_id, id)", ""),
    (
        "R603",
        "create table parts (device text, id bigint, owner text);"
        "select create_distributed_table('parts', 'device', colocate_with => 'events');"
        "alter table parts add foreign key (owner, id) references events (device, id)",
        "",
    ),
    ("", "alter table tasks add foreign key (user_id) references kinds (id)", ""),
    ("", "alter table tasks add foreign key (title) references kinds (id) on delete set null", ""),
    ("", "alter table tasks add column ref text references kinds", ""),
    (
        "",
        "create unique index on lists (id, user_id); alter table tasks add "
        "foreign key (list_id, user_id) references lists (id, user_id)",
        "",
    ),
    ("", "alter table local add foreign key (id) references kinds (id)", ""),
    (
        "",
        "alter table tasks add column up bigint; alter table tasks add foreign "
        "key (user_id, up) references tasks",
        "",
    ),
    # their actions
    ("R604", KEY.format("on delete set null"), ""),
    ("R604", KEY.format("on delete set null (list_id)"), ""),
    ("R604", KEY.format("on delete set default"), ""),
    ("R604", KEY.format("on update cascade"), ""),
    ("R604", KEY.format("on update set null"), ""),
    ("R604", KEY.format("on update set default"), ""),
    (
        "R604",
        "alter table tasks add foreign key (user_id) references kinds (id) on update cascade",
        "",
    ),
    ("", KEY.format("on delete cascade"), ""),
    ("", KEY.format("on delete restrict on update no action"), ""),
    # triggers
    ("R606", TRIGGER.format("after insert on tasks"), ""),
    ("R606", TRIGGER.format("before update on kinds"), ""),
    ("R606", TRIGGER.format("after insert on months"), ""),
    ("R606", TRIGGER.format("after insert on months_1"), ""),
    (
        "R606",
        "create constraint trigger t after insert on lists initially deferred "
        "for each row execute function f()",
        "",
    ),
    ("", TRIGGER.format("after insert on local"), ""),
    # inserts
    ("R607", "insert into tasks values ('u', (select max(id) from lists where user_id = 'u'))", ""),
    ("R607", "insert into kinds values ('a'), (coalesce((select 'b'), 'c'))", ""),
    (
        "R607",
        "with a as (insert into tasks values ((select 'u'), 1) returning id) select 1 from a",
        "",
    ),
    ("R607", "insert into tasks values ('u', (array(select 1))[1])", ""),
    ("R607", "insert into local values ((select max(user_id) from tasks where user_id = 'u'))", ""),
    ("R607", UPSERT.format("list_id = (select 1)"), ""),
    ("R607", UPSERT.format("title = 'x' where exists (select 1)"), ""),
    (
        "",
        "insert into tasks select 'u', max(id) from lists where user_id = 'u' having max(id) > 0",
        "",
    ),
    ("", "insert into local values ((select 'x'))", ""),
    ("", UPSERT.format("list_id = excluded.list_id"), ""),
    ("", "insert into tasks select 'u', (select 1) returning id", ""),
    ("", "insert into tasks select 'u', (select 1) on conflict do nothing", ""),
    # what writes return
    ("R608", RETURNS.format("(select count(*) from lists as l where l.id = tasks.list_id)"), ""),
    ("R608", RETURNS.format("id, exists (select from lists where lists.id = list_id)"), ""),
    (
        "R608",
        RETURNS.format("(select max(x.id) from lists as x where x.user_id = tasks.user_id)"),
        "",
    ),
    ("R608", "insert into tasks values ('u', 1) returning (select 1)", ""),
    ("", RETURNS.format("(select count(*) from lists)"), ""),
    ("", RETURNS.format("(select count(*) from lists where user_id = 'u')"), ""),
    ("", RETURNS.format("id, upper(user_id)"), ""),
    ("", RETURNS.format("id, array(select 1)"), ""),
    ("", RETURNS.format("(select count(*) from kinds)"), ""),
    # types
    ("R609", RANGE + "alter table tasks add column a r", ""),
    ("R609", RANGE + "alter table tasks add column a r[]", ""),
    ("R609", RANGE + "alter table tasks add column a r_multirange", ""),
    (
        "R609",
        "create type r as range (subtype = date, multirange_type_name = many); "
        "alter table kinds add column a many",
        "",
    ),
    ("R609", RANGE + "create domain d as r; alter table tasks add column a d", ""),
    ("R609", RANGE + "create type c as (x r, y int); alter table tasks add column a c", ""),
    ("R609", RANGE + "alter table tasks alter column title type r using null", ""),
    ("R609", "alter table tasks add column a local", ""),
    ("", "create type e as enum ('a'); alter table tasks add column a e[]", ""),
    ("", "create type c as (x int); create domain d as c; alter table tasks add column a d", ""),
    ("", "alter table tasks add column a lists", ""),
    ("", RANGE + "alter table local add column a r", ""),
    # functions in SQL
    ("R610", BODY.format("select count(*) from tasks where title = a"), "select g('u')"),
    ("R610", BODY.format("select count(*) from tasks where user_id = lower(a)"), "select g('u')"),
    (
        "R610",
        BODY.format("select count(*) from tasks where user_id = a or title = a"),
        "select g('u')",
    ),
    (
        "R610",
        BODY.format("select count(*) from tasks join lists using (user_id) where user_id = a"),
        "select g('u')",
    ),
    ("R610", BODY.format("select count(*) from tasks, kinds where user_id = a"), "select g('u')"),
    (
        "R610",
        BODY.format("with x as (select 1 from tasks where user_id = a) select count(*) from x"),
        "select g('u')",
    ),
    (
        "R610",
        BODY.format(
            "select id from tasks where user_id = a union select id from lists where user_id = a"
        ),
        "select g('u')",
    ),
    ("R610", BODY.format("select count(*) from tasks where title = $1"), "select g('u')"),
    ("R610", WRITE.format("insert into tasks select a, 1"), "select g('u')"),
    (
        "R610",
        WRITE.format(
            "delete from tasks where user_id = a and exists (select from lists where user_id = a)"
        ),
        "select g('u')",
    ),
    (
        "R610",
        FUNCTION.format("SQL", "return (select max(id) from tasks where user_id = a)"),
        "select g('u')",
    ),
    (
        "R610",
        "create function g(a text) returns setof text language sql stable as "
        "'select title from tasks where user_id = a'",
        "select g from g('u')",
    ),
    (
        "R610",
        "create view v as select * from tasks; "
        + BODY.format("select count(*) from v where title = a"),
        "select g('u')",
    ),
    (
        "",
        BODY.format("select count(*) from tasks where user_id = a and title = a"),
        "select g('u')",
    ),
    ("", BODY.format("select id from tasks where a = user_id limit 1"), "select g('u')"),
    (
        "",
        FUNCTION.format("sql", "begin atomic select max(id) from lists where user_id = a; end"),
        "select g('u')",
    ),
    ("", WRITE.format("update tasks set title = a where user_id = a"), "select g('u')"),
    ("", WRITE.format("insert into tasks values (a, 1), (a, 2)"), "select g('u')"),
    ("", WRITE.format("delete from tasks where title = a"), "select g('u')"),
    (
        "",
        FUNCTION.format(
            "plpgsql", "as 'begin return (select max(id) from tasks where title = a); end'"
        ),
        "select g('u')",
    ),
    ("", BODY.format("select count(*) from local where id = a"), "select g('u')"),
    ("", BODY.format("select count(*) from kinds where id = a"), "select g('u')"),
    (
        "",
        BODY.format("select count(*) from tasks as t join lists as l on l.user_id = t.user_id"),
        "select g('u')",
    ),
    (
        "",
        "create function g() returns bigint language sql as 'select count(*) "
        "from tasks where title = current_user'",
        "select g()",
    ),
    # functions whose answer changes
    ("R611", "delete from tasks where user_id = 'u' returning now()", ""),
    ("R611", "update tasks set title = 'x' where user_id = 'u' returning current_timestamp", ""),
    ("R611", "insert into tasks values ('u', 1) returning to_char(id, '9')", ""),
    ("R611", "insert into tasks values ('u', 1) returning whose()", ""),
    ("R611", UPSERT.format("title = now()::text"), ""),
    ("R611", UPSERT.format("title = current_user"), ""),
    ("R611", UPSERT.format("title = 'x' where tasks.title < now()::text"), ""),
    (
        "R611",
        "insert into kinds values ('a') on conflict (id) do update set label = random()::text",
        "",
    ),
    ("R611", "update tasks set title = random()::text where user_id = 'u'", ""),
    ("R611", "update kinds set label = gen_random_uuid()::text", ""),
    ("R611", "delete from tasks where user_id = 'u' and title < clock_timestamp()::text", ""),
    ("", "update tasks set title = now()::text where user_id = 'u' and title < current_user", ""),
    ("", "insert into tasks values ('u', 1, 2, random()::text) returning lower(title)", ""),
    ("", UPSERT.format("title = lower(excluded.title)"), ""),
    # changes of tables
    ("R612", "alter table tasks add column n bigserial", ""),
    ("R612", "alter table kinds add column n bigint generated always as identity", ""),
    ("R612", "alter table events alter column id add generated by default as identity", ""),
    ("R612", "alter table tasks add check (id > 0), add column z int", ""),
    (
        "R612",
        "alter table tasks drop constraint tasks_pkey, add primary key (user_id, id, title)",
        "",
    ),
    ("R612", "alter table tasks add column z text check (z <> '')", ""),
    ("R612", "alter table tasks alter column title set statistics 100", ""),
    ("R612", "alter table kinds alter column label set storage plain", ""),
    ("R612", "alter table tasks cluster on tasks_pkey", ""),
    ("R612", "alter table months_1 alter column n set (n_distinct = 10)", ""),
    ("R612", "alter table tasks alter column user_id type varchar(50)", ""),
    ("R612", "alter table tasks drop column user_id", ""),
    ("R612", "alter table tasks alter column user_id set default 'x'", ""),
    ("R612", "alter table tasks rename constraint tasks_pkey to pk", ""),
    ("", "alter table tasks add column a int, drop column title", ""),
    (
        "",
        "alter table tasks add constraint c check (id > 0) not valid; alter "
        "table tasks validate constraint c",
        "",
    ),
    ("", "alter table tasks add column z text constraint zz check (z <> ''), add column y int", ""),
    ("", "alter table tasks alter column title set compression pglz", ""),
    ("", "alter table tasks rename column user_id to owner_id", ""),
    ("", "alter table local alter column id set statistics 100, add check (id <> '')", ""),
    # functions and operators that stay
    (
        "R613",
        "create function g(x local) returns text language plpgsql immutable as "
        "'begin return x.id; end'",
        "select g(null) || title from tasks where user_id = 'u'",
    ),
    (
        "R613",
        RANGE
        + "create function g(x r) returns text language plpgsql immutable as 'begin return x; end'",
        "select g(null) || title from tasks where user_id = 'u'",
    ),
    (
        "R613",
        RANGE + "create function g(x text) returns r language plpgsql as 'begin return null; end'",
        "select g(title) from tasks where user_id = 'u'",
    ),
    (
        "R613",
        "create function g(x tasks) returns text language plpgsql as 'begin return x.title; end'",
        "select g(tasks) from tasks where user_id = 'u'",
    ),
    (
        "R613",
        "create operator === (leftarg = text, rightarg = text, function = texteq)",
        "select title === 'a' from tasks where user_id = 'u'",
    ),
    (
        "",
        "create type e as enum ('a'); create function g(x e) returns text "
        "language plpgsql immutable as 'begin return x; end'",
        "select g('a') || title from tasks where user_id = 'u'",
    ),
    (
        "",
        "create aggregate ag (text) (sfunc = textcat, stype = text)",
        "select ag(title) from tasks",
    ),
    ("", "create procedure g(x text) language plpgsql as 'begin end'", "call g('a')"),
]

# Citus takes these: that they do not reach the shards is seen when the application asks.
UNSEEN = [
    ("R605", "grant select (id), insert (id) on tasks to app"),
    ("R605", "grant update (id) on local, lists to app"),
    ("R605", "grant select (id) on kinds to app"),
    ("R605", "grant select (n) on months_1 to app"),
    ("", "revoke select (id) on tasks from app"),
    ("", "grant select (id) on local to app"),
    # what is taken back is no more said
    (
        "",
        POLICY.format("select", "using ((select true))")
        + ";alter policy p on tasks using (user_id = whose())",
    ),
    ("", POLICY.format("select", "using ((select true))") + ";drop policy p on tasks"),
    ("", KEY.format("on delete set null") + "; alter table tasks drop constraint k"),
    ("", TRIGGER.format("after insert on tasks") + "; drop trigger t on tasks"),
    (
        "",
        "alter table events add constraint x exclude (id with =); alter table "
        "events drop constraint x",
    ),
    (
        "",
        BODY.format("select count(*) from tasks where title = a")
        + ";create or replace "
        + FUNCTION.format("plpgsql", "as 'begin return 1; end'").removeprefix("create "),
    ),
    ("R609", "create type b (input = i, output = o); alter table kinds add column a b[]"),
    ("R612", "alter table months detach partition months_1 concurrently"),
    (
        "R612",
        "alter table tasks add column z text constraint a references kinds (id), add column y int",
    ),
    # those that stand before Citus is told of the tables are another database's
    ("", "select undistribute_table('events'); create unique index on events (id)"),
    (
        "R613",
        "create operator class c for type text using btree as operator 1 <, "
        "function 1 bttextcmp(text, text)",
    ),
]


@pytest.mark.parametrize(("code", "text"), [*((code, text) for code, text, _ in CASES), *UNSEEN])
def test_what_citus_refuses(code: str, text: str) -> None:
    """Each form is found, what Citus takes is not, and the place is the statement's."""
    source = Source("example.sql", TABLES + text + ";")
    file = File(source, "migration", tuple(parse(source.text)))
    project = Project((file,), Tenant(), ())
    found = []
    for rule in all_rules():
        if rule.profile == "citus":
            for hit in rule.check(project):
                for words in (rule.message, rule.cause, rule.fix):
                    words.format_map(hit.words)
                assert hit.spot.start >= len(TABLES)
                found.append(rule.code)
    assert sorted(set(found)) == ([code] if code else [])


BEFORE = [
    "insert into tasks values ('u', (select 1))",
    "update tasks set title = random()::text",
    "alter table tasks alter column title set statistics 100",
    "alter table tasks add column n bigserial",
]


@pytest.mark.parametrize(
    "how",
    [
        "select create_distributed_table('tasks', 'user_id')",
        "do $$ begin perform create_distributed_table('tasks', 'user_id'); end $$",
    ],
)
@pytest.mark.parametrize("text", BEFORE)
def test_only_what_runs_behind_it(text: str, how: str) -> None:
    """A migration that runs before the tables are handed to Citus may do what it likes."""
    table = "create table tasks (user_id text, id bigint, title text, primary key (user_id, id));"
    found = []
    for parts in ((text, how), (how, text)):
        source = Source("example.sql", table + ";".join(parts) + ";")
        file = File(source, "migration", tuple(parse(source.text)))
        project = Project((file,), Tenant(), ())
        rules = [rule for rule in all_rules() if rule.profile == "citus"]
        found.append([rule.code for rule in rules if list(rule.check(project))])
    assert found[0] == []
    assert len(found[1]) == 1


@pytest.mark.parametrize(("line", "expected"), [("", False), ('profile = "citus"', True)])
def test_only_where_it_is_asked_for(tmp_path: Path, line: str, expected: bool) -> None:
    """A project on one server hears nothing of it."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20260101000000_a.sql").write_text(
        "-- irreversible: none\n"
        "create table tasks (user_id text, id bigint, constraint a primary key (user_id, id));\n"
        "create trigger t after insert on tasks for each row execute function f();\n"
    )
    (tmp_path / "todo-sql.toml").write_text(
        'tenant = { parameter = "user_id", setting = "a.b", role = "app" }\n[lint]\n' + line
    )
    codes = {one.code for one in lint(load_config(tmp_path)).findings}
    assert ("R606" in codes) is expected


def test_there_is_no_other_profile(tmp_path: Path) -> None:
    """A mistyped one is told."""
    (tmp_path / "todo-sql.toml").write_text('lint = { profile = "citrus" }\n')
    with pytest.raises(ConfigError, match="profile"):
        load_config(tmp_path)


def test_the_example_is_clean() -> None:
    """The folder that distributes the Todo database answers all that the profile asks."""
    assert not lint(load_config(ROOT / "examples" / "citus")).findings
