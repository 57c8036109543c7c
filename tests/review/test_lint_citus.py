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
create table tasks (user_id text, id bigint, list_id bigint, primary key (user_id, id));
create table lists (user_id text, id bigint, primary key (user_id, id));
create table kinds (id text primary key);
create table local (id text primary key);
create table "Odd Notes" (user_id text, id bigint, primary key (user_id, id));
create table events (device text, id bigint, made date);
select create_reference_table('kinds'), create_distributed_table('events', 'device');
"""

POLICY = "create policy p on tasks for {} to app {}"
KEY = "alter table tasks add constraint k foreign key (user_id, list_id) references lists {}"
FUNCTION = "create function f(a text) returns bigint language {} {}"

CASES = [
    # policies
    ("R601", POLICY.format("all", "using (user_id = (select current_user))")),
    ("R601", POLICY.format("insert", "with check (exists (select from lists))")),
    ("R601", POLICY.format("select", "using (user_id in (select user_id from lists))")),
    ("R601", POLICY.format("select", "using (array(select 1) = array[1])")),
    ("R601", 'create policy p on "Odd Notes" to app using (user_id = (select current_user))'),
    (
        "R601",
        POLICY.format("select", "using (true)") + ";alter policy p on tasks using ((select true))",
    ),
    ("", POLICY.format("select", "using (user_id = current_user_id())")),
    (
        "",
        POLICY.format("select", "using ((select true))")
        + ";alter policy p on tasks using (user_id = current_user_id())",
    ),
    ("", POLICY.format("select", "using ((select true))") + ";drop policy p on tasks"),
    ("", "create policy p on local to app using ((select true))"),
    # unique keys
    ("R602", "alter table events add primary key (id)"),
    ("R602", "alter table events add unique (id, made)"),
    ("R602", "create unique index on events (lower(device))"),
    ("R602", "create unique index on events (id) where made is null"),
    ("", "alter table events add primary key (id, device)"),
    ("", "create index on events (id)"),
    # foreign keys
    ("R603", "alter table tasks add foreign key (list_id, user_id) references lists (user_id, id)"),
    ("R603", "alter table tasks add foreign key (user_id) references local (id)"),
    ("R603", "alter table kinds add foreign key (id) references events (device)"),
    ("", "alter table tasks add foreign key (user_id) references kinds (id)"),
    ("", "alter table tasks add foreign key (list_id, user_id) references lists (id, user_id)"),
    ("", "alter table local add foreign key (id) references kinds (id)"),
    # their actions
    ("R604", KEY.format("on delete set null")),
    ("R604", KEY.format("on delete set null (list_id)")),
    ("R604", KEY.format("on delete set default")),
    ("R604", KEY.format("on update cascade")),
    ("R604", KEY.format("on update set null")),
    ("", KEY.format("on delete cascade")),
    ("", KEY.format("on delete restrict on update no action")),
    ("", KEY.format("on delete set null") + "; alter table tasks drop constraint k"),
    # grants
    ("R605", "grant select (id), insert (id) on tasks to app"),
    ("R605", "grant update (id) on local, lists to app"),
    ("R605", "grant select (id) on kinds to app"),
    ("", "revoke select (id) on tasks from app"),
    ("", "grant select (id) on local to app"),
    # triggers
    ("R606", "create trigger t after insert on tasks for each row execute function f()"),
    (
        "R606",
        "create constraint trigger t after insert on lists initially deferred "
        "for each row execute function f()",
    ),
    ("", "create trigger t after insert on local for each row execute function f()"),
    # inserts
    ("R607", "insert into tasks values ('u', (select max(id) from lists))"),
    ("R607", "insert into kinds values ('a'), (coalesce((select 'b'), 'c'))"),
    ("R607", "with a as (insert into tasks values ((select 'u'), 1) returning id) select from a"),
    ("", "insert into tasks select 'u', max(id) from lists"),
    ("", "insert into local values ((select 'x'))"),
    # what writes return
    ("R608", "delete from tasks where id = 1 returning (select count(*) from lists)"),
    ("R608", "insert into tasks values ('u', 1) returning exists (select from lists)"),
    ("", "delete from tasks where id = 1 returning id, upper(user_id)"),
    # types
    ("R609", "create type r as range (subtype = date); alter table tasks add column a r"),
    ("R609", "create type b (input = i, output = o); alter table kinds add column a b[]"),
    ("", "create type e as enum ('a'); alter table tasks add column a e"),
    ("", "create type r as range (subtype = date); alter table local add column a r"),
    # functions
    ("R610", FUNCTION.format("sql", "as 'select count(*) from tasks where user_id = a'")),
    ("R610", FUNCTION.format("SQL", "return (select max(id) from tasks where user_id = a)")),
    ("R610", FUNCTION.format("sql", "begin atomic select max(id) from lists; end")),
    ("", FUNCTION.format("plpgsql", "as 'begin return (select max(id) from tasks); end'")),
    ("", FUNCTION.format("sql", "as 'select count(*) from local'")),
    ("", "create function f() returns bigint language sql as 'select count(*) from tasks'"),
    (
        "",
        FUNCTION.format("sql", "as 'select count(*) from tasks'")
        + ";create or replace "
        + FUNCTION.format("plpgsql", "as 'begin return 1; end'").removeprefix("create "),
    ),
]


@pytest.mark.parametrize(("code", "text"), CASES)
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
