"""Other members of each kind: hostile names, partitions, options, several hazards in one file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.database import Server

from todo_sql.rewriting.rewrite import Rewrite

pytestmark = pytest.mark.database

Rewritten = Callable[..., Rewrite]

LONG = "a_very_long_table_name_that_goes_on_and_on_and_on_for_ever"
TAKEN = "a_very_long_table_name_that_g_a_very_long_column_name_that__idx"
LONG_COLUMN = "a_very_long_column_name_that_goes_on_and_on"
TREE = """
create table e (id bigint, at int) partition by range (at);
create table e1 partition of e for values from (0) to (10) partition by range (at);
create table e1a partition of e1 for values from (0) to (5);
create table e2 partition of e for values from (10) to (20);
"""

SAME = {
    "quoted": (
        '''create schema "My Shop";
        create table "My Shop"."Order Items" (id bigint, "Cust ""x""" text, n int);''',
        '''alter table "My Shop"."Order Items" add primary key (id), add unique ("Cust ""x"""),
            add check (n > 0), alter column n set not null;
        create index on "My Shop"."Order Items"
            (n desc nulls last, "Cust ""x""" text_pattern_ops) include (id) where n > 3;''',
    ),
    "cut at 63 bytes, taken": (
        f"create table {LONG} ({LONG_COLUMN} int, b int);create index {TAKEN} on {LONG} (b)",
        f"create index on {LONG} ({LONG_COLUMN});"
        f"alter table {LONG} add unique ({LONG_COLUMN});"
        f"alter table {LONG} alter {LONG_COLUMN} set not null;",
    ),
    "options of a key": (
        "create table t (a int, b int, c text);",
        "alter table t add constraint u unique nulls not distinct (a, b) include (c)"
        " with (fillfactor = 70) deferrable initially deferred;",
    ),
    "keys of partitions": (
        TREE,
        "alter table e add unique (id, at); create index on e (id); create index on e (id);",
    ),
    "foreign key of partitions": (
        TREE + "create table f (id bigint primary key);",
        "alter table e add foreign key (id) references f on delete cascade deferrable;",
    ),
    "not null of partitions": (TREE, "alter table e alter id set not null;"),
    "a check under indexes": (
        "create table t (id int primary key, c varchar(5) check (c <> 'x'), d int);"
        "create index on t (d) where c = 'a'; create index on t (upper(c)); create index on t (c);",
        "alter table t alter c type varchar(10);",
    ),
    "a collation under an index": (
        'create table t (id int primary key, c varchar, d text collate "POSIX");'
        "create index on t (c); create index on t (d);",
        'alter table t alter c type varchar collate "C"; alter table t alter d type text;',
    ),
    "a collation and another type under a unique index": (
        "create table t (id int primary key, c varchar(9)); create unique index on t (lower(c));",
        'alter table t alter c type varchar(20) collate "C";',
    ),
    "two indexes": (
        "create table t (id int, c int); create index i1 on t (c); create index i2 on t (id, c);",
        "drop index i1, i2;",
    ),
    "a table in the middle": (
        "create table a (id int primary key);"
        "create table b (id int primary key, a int references a, p int references b);"
        "create table c (b int references b);",
        "drop table b cascade;",
    ),
    "a shadow with all that a table has": (
        """create schema s; create table s.t (id int primary key, a text default '{}',
            b int unique, c text check (c <> ''));
        comment on table s.t is 'x'; comment on column s.t.a is 'y'; create index on s.t (b desc);
        alter table s.t enable row level security; create policy p on s.t using (true);
        grant select on s.t to public; create function s.f() returns trigger language plpgsql
            as 'begin return new; end';
        create trigger tr before insert on s.t for each row execute function s.f();""",
        """alter table s.t alter column a drop default, alter column a type jsonb using a::jsonb,
            alter column a set default '{}';""",
    ),
    "a shadow whose indexes have long names, the same up to their last letters": (
        f"create table {LONG} (id int primary key, a int, b text);"
        f"create index {LONG}_a1 on {LONG} (a); create index {LONG}_a2 on {LONG} (b);"
        f"create unique index {LONG}_b1 on {LONG} (a, b); alter table {LONG} add constraint"
        f" {LONG}_c1 unique (b); create table kid (id int constraint {LONG}_d1"
        f" references {LONG}, other int constraint {LONG}_d2 references {LONG});",
        f"alter table {LONG} alter a type bigint;",
    ),
    "the key of a serial table, with a child": (
        "create table b (id serial primary key, x int); create table c (b int references b);",
        "alter table b alter column id type bigint;",
    ),
    "a table with a view on it, and its schema": (
        "create schema s; create table s.b (id int primary key); create view v as table s.b;"
        "create table c (b int references s.b); create table d (b int references s.b);",
        "create index on c (b); drop table s.b cascade; drop schema s cascade;",
    ),
    "a schema with all that it holds": (
        "create schema s; create table s.b (id int primary key); create view v as table s.b;"
        "create table c (b int references s.b);",
        "create index on c (b); drop schema s cascade;",
    ),
    "an exclusion constraint": (
        "create table b (id bigint primary key, during tstzrange);",
        "alter table b add constraint b_excl exclude using gist (during with &&);",
    ),
    "what was set before": (
        "create schema s; create table s.t (id int, c int);",
        "set search_path = s; create index on t (c); alter table t alter id set not null;",
    ),
}


@pytest.mark.parametrize(("schema", "forward"), SAME.values(), ids=SAME)
def test_the_sequence_is_proved(schema: str, forward: str, rewritten: Rewritten) -> None:
    """The catalog is the same, names included, and every step can be undone."""
    found = rewritten(schema, forward)
    assert not [one for one in found.asks if one.severity == "error"]
    assert found.proof == {"catalog": "equal", "rollback": "equal", "phases": "equal"}
    assert found.files


MIXED = """
-- Amounts get stricter.
-- lock-timeout: 1s
create table audit (id bigint primary key);
comment on table audit is 'x';
-- note: the key
alter table orders add constraint fk foreign key (customer) references customers,
    add column state text not null default 'open' check (state <> ''),
    alter column amount set not null;
create index on orders (customer);
comment on index orders_customer_idx is 'why: because';
alter table customers add column n int;
update audit set id = 1 where id = 2;
"""


def test_several_hazards_become_one_sequence(server: Server, rewritten: Rewritten) -> None:
    """What is safe stays together; comments and directives come along."""
    found = rewritten(
        "create table customers (id bigint primary key);"
        "create table orders (id bigint primary key, customer bigint, amount int);",
        MIXED,
        "drop table audit; alter table customers drop column n;"
        "alter table orders drop column state, alter column amount drop not null,"
        " drop constraint fk; drop index orders_customer_idx;",
    )
    assert found.proof == {"catalog": "equal", "rollback": "equal", "phases": "equal"}
    first, second = found.files[:2]
    assert first.text.splitlines()[0] == "-- Amounts get stricter."
    assert "create table audit (id bigint primary key);\ncomment on table audit" in first.text
    assert all("-- lock-timeout: 1s" in file.text for file in found.files)
    assert "-- > note: the key" in second.text
    assert found.files[-1].step.sql == "update audit set id = 1 where id = 2;"
    assert [file.id[:14] for file in found.files] == sorted(file.id[:14] for file in found.files)


DROPPED = {
    "the last column": ("drop column c;", "add column c text;"),
    "one in the middle": ("drop column b;", "add column b int not null default 1;"),
    "with an index": ("drop column d;", "add column d int;"),
    "two": ("drop column a, drop column c;", "add column a int, add column c text;"),
}


@pytest.mark.parametrize(("forward", "back"), DROPPED.values(), ids=DROPPED)
def test_a_column_that_is_dropped_comes_back_as_the_last(
    forward: str, back: str, rewritten: Rewritten
) -> None:
    """As it does by the rollback of the original; the proof says so where that moves others."""
    found = rewritten(
        "create table t (id int primary key, a int, b int not null default 1, d int, c text);"
        "create index on t (d);",
        f"create index i on t (id desc); alter table t {forward}",
        f"alter table t {back} drop index i;",
    )
    assert not [one for one in found.asks if one.severity == "error"]
    moved = "equal but for the place of a dropped column"
    rolled = "equal" if forward == "drop column c;" else moved
    assert found.proof == {"catalog": "equal", "rollback": rolled, "phases": "equal"}


def test_what_is_another_each_time_is_no_difference(rewritten: Rewritten) -> None:
    """The time of day in a definition: the original makes another catalog whenever it runs."""
    found = rewritten(
        "create table t (a int, at timestamp);",
        "create index on t (a); create view v as select * from t where at < timestamp 'now';",
    )
    assert found.files
    assert found.proof is not None
    assert found.proof["catalog"] == "equal but for what is another each time"
    assert found.proof["rollback"] == "equal"


NOTHING = {
    "a table of its own": ("", "create table t (a int); create index on t (a);"),
    "a constant default": ("create table t (a int);", "alter table t add b int default 1;"),
    "a table is dropped": ("create table t (a int);", "drop table t;"),
}


@pytest.mark.parametrize(("schema", "forward"), NOTHING.values(), ids=NOTHING)
def test_what_holds_nobody_up_stays(schema: str, forward: str, rewritten: Rewritten) -> None:
    """There is nothing to rewrite, and nothing to ask."""
    found = rewritten(schema, forward)
    assert (found.files, found.asks) == ((), ())


def test_rows_that_do_not_fit_are_told_before(rewritten: Rewritten) -> None:
    """The target is asked, and nothing is written."""
    found = rewritten(
        "create table t (a int); insert into t values (null), (1), (1);",
        "alter table t alter a set not null;",
    )
    assert found.files == ()
    assert [one.code for one in found.asks] == ["P114"]
    assert found.asks[0].cause == "1 row of the target"


def test_two_names_wait_for_one_release(rewritten: Rewritten) -> None:
    """What comes before the release comes first, whatever the order of the original."""
    found = rewritten(
        "create table a (x int primary key); create table b (y int);",
        "alter table a rename column x to z; alter table b rename to c;",
    )
    assert [file.step.phase for file in found.files] == [None, None, "contract", "contract"]
    assert found.proof == {"catalog": "equal", "rollback": "equal", "phases": "equal"}


FIRING = {
    "new": ("begin new.x := 'y'; return new; end", ["new.x"]),
    "old, in capitals": ("begin if OLD.X is null then return new; end if; end", ["OLD.X"]),
    "another column": ("begin new.xx := 'y'; new.y := old.\"X\"; return new; end", []),
    "as json": ("begin raise notice '%', to_jsonb(new) ->> 'x'; return new; end", []),
}


@pytest.mark.parametrize(("body", "says"), FIRING.values(), ids=FIRING)
def test_a_trigger_that_says_the_old_name_is_told(
    body: str, says: list[str], rewritten: Rewritten
) -> None:
    """It sees the row of the table, which no view gives another name."""
    found = rewritten(
        'create table t (id int primary key, x text, xx text, y text, "X" text);'
        f"create function f() returns trigger language plpgsql as $$ {body} $$;"
        "create function g() returns trigger language plpgsql as 'begin new.x := 1; end';"
        "create trigger f before update on t for each row execute function f();",
        "alter table t rename column x to z;",
    )
    assert found.files
    told = [one for one in found.asks if one.code == "P306"]
    assert [one.message.rpartition(" it says ")[2] for one in told] == says
