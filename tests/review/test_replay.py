"""What lint knows of the schema after a history: nothing of what was dropped is left."""

from __future__ import annotations

import pytest
from review.test_rules import hits

from todo_sql.review.linting import citus
from todo_sql.review.linting.example_tables import CITUS_TASKS, NOTES, OWN_TASKS
from todo_sql.review.linting.phasing import phased
from todo_sql.review.linting.proved import _untrue
from todo_sql.review.linting.replay import build
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

BARE = "create table notes (id bigint constraint notes_pkey primary key, author text);\n"
FULL = f"""\
{BARE}
comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
comment on column notes.author is 'Who.';
"""
USERS = "create table users (id text constraint users_pkey primary key);\n"
HELD = f"""\
{FULL}
alter table notes add constraint notes_key unique (author), add constraint c check (id > 0);
create index on notes (author);
grant select on notes to todo_app;
alter table notes enable row level security;
create policy p on notes for select to todo_app using (true);
create trigger t before insert on notes for each row execute function f();
"""


def migration(text: str, name: str = "example.sql") -> File:
    """Return a migration under review."""
    return File(Source(name, text), "migration", tuple(parse(text)))


@pytest.mark.parametrize(
    ("drop", "make"),
    [
        ("drop table notes", BARE),
        ("drop table if exists notes cascade", BARE),
        ("do $$ begin execute 'drop table notes'; end $$", BARE),
        ("drop schema public cascade; create schema public", BARE),
        ("alter table notes rename to old", BARE + "drop table old"),
        ("create schema s; alter table notes set schema s", BARE + "drop table s.notes"),
        ("alter schema public rename to s; create schema public", BARE + "drop schema s"),
    ],
)
def test_a_table_that_is_made_again_has_nothing_of_the_former(drop: str, make: str) -> None:
    """Comments, keys, checks, indexes, privileges, policies, triggers: all are gone."""
    fresh, again = build([migration(BARE)]), build([migration(f"{HELD};{drop};{make}")])
    assert again.tables.keys() == fresh.tables.keys()
    assert again.indexes.keys() == fresh.indexes.keys()
    one, other = again.tables["public.notes"], fresh.tables["public.notes"]
    for name in ("commented", "policies", "triggers", "grants", "row_security"):
        assert getattr(one, name) == getattr(other, name)
    assert [key.name for key in one.constraints] == ["notes_pkey"]
    assert not any(column.commented for column in one.columns.values())
    assert {"R501", "R502"} <= set(hits(f"{FULL};{drop};{make}"))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("alter table notes drop column author; alter table notes add author text", ["R502"]),
        ("comment on column notes.author is null", ["R502"]),
        ("comment on table notes is null", ["R501"]),
        ("alter table notes rename author to writer", []),
        ("alter table notes rename to papers", []),
        ("alter table notes drop constraint notes_pkey", ["R506"]),
        ("alter table notes add unique (author)", ["R503"]),
        ("alter table notes add unique (author), drop constraint notes_author_key", []),
        ("alter table notes add check (id > 0), drop constraint notes_id_check", []),
        ("alter table notes add unique (author), drop column author", []),
        (
            "alter table notes add unique (author); alter table notes rename to papers;"
            "alter table papers drop constraint notes_author_key",
            [],
        ),
        (
            "alter table notes add unique (author);"
            "alter table notes rename constraint notes_author_key to k",
            [],
        ),
        ("alter index notes_pkey rename to k; alter table notes drop constraint k", ["R506"]),
    ],
)
def test_what_of_a_table_is_dropped_is_not_told(change: str, found: list[str]) -> None:
    """A finding speaks of what is there after the last statement."""
    assert hits(f"{FULL};{change};") == found


@pytest.mark.parametrize(
    "drop",
    [
        "drop table users cascade",
        "alter table users drop column id cascade",
        "alter table users rename to people; drop table people cascade",
        "alter table users rename id to key; alter table users drop column key cascade",
    ],
)
def test_a_foreign_key_goes_with_what_it_refers_to(drop: str) -> None:
    """Nobody is asked for an index of a key that a cascade took away."""
    refers = "alter table notes add constraint notes_author_fkey foreign key (author) references"
    text = f"{USERS}{BARE}{refers} users (id);"
    assert "R303" in hits(text)
    assert "R303" not in hits(f"{text}{drop};")


@pytest.mark.parametrize(
    "change",
    [
        "drop view v",
        "alter view v rename to w; drop view w",
        "alter table v rename to w; drop view w",
        "alter view v set schema s; drop view s.v",
        "alter view v set schema s; drop schema s cascade",
        "alter schema public rename to s; drop schema s cascade",
    ],
)
def test_a_view_is_followed_to_its_end(change: str) -> None:
    """By whatever name and in whatever schema it is dropped."""
    made = "create schema s; create view v as select 1 as one;"
    assert "R206" in hits(made)
    assert "R206" not in hits(made + change)


@pytest.mark.parametrize(
    "change",
    [
        "drop function f()",
        "alter function f() rename to g; drop function g()",
        "alter function f() set schema s; drop schema s cascade",
        "alter procedure f() rename to g; drop routine g()",
    ],
)
def test_a_function_is_followed_to_its_end(change: str) -> None:
    """By whatever name and in whatever schema it is dropped."""
    made = "create function f() returns int language sql security definer as 'select 1';"
    assert "R204" in hits(made)
    assert "R204" not in hits(made + change)


@pytest.mark.parametrize(
    "change",
    [
        "drop policy p on tasks",
        "alter policy p on tasks rename to q; drop policy q on tasks",
        "drop policy p on public.tasks",
        "drop table tasks",
    ],
)
def test_a_policy_is_followed_to_its_end(change: str) -> None:
    """By whatever name it is dropped."""
    made = f"{OWN_TASKS}create policy p on tasks for select to todo_app using (true);"
    assert "R105" in hits(made)
    assert "R105" not in hits(made + change)


def test_privileges_on_a_schema_go_with_it() -> None:
    """What was granted on a schema that is made again is not."""
    made = "create schema s; grant create on schema s to public;"
    assert build([migration(made)]).creators["s"]
    again = build([migration(f"{made} drop schema s; create schema s;")])
    assert not again.creators.get("s")


def test_privileges_on_all_of_a_schema_are_on_no_other() -> None:
    """What is revoked in one schema stays in the next."""
    made = "create function {}f() returns int language sql as 'select 1';"
    revoked = "revoke execute on all functions in schema public from public;"
    found = build([migration(made.format("") + made.format("s.") + revoked)]).functions
    assert (found["public.f"].public, found["s.f"].public) == (False, True)


def test_partitions_go_with_their_parent() -> None:
    """They are dropped with it."""
    made = "create table p (id int) partition by list (id);"
    made += "create table q partition of p for values in (1) partition by list (id);"
    made += "create table r partition of q default;"
    assert build([migration(f"{made} drop table p;")]).tables == {}
    renamed = build([migration(f"{made} alter table q rename to s;")])
    assert renamed.tables["public.r"].partition_of == "public.s"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("", {"public.notes": "id"}),
        ("drop table notes", {}),
        (f"drop table notes; {BARE}", {}),
        ("alter table notes rename to papers", {"public.papers": "id"}),
    ],
)
def test_a_table_that_is_made_again_is_not_distributed(change: str, said: dict[str, str]) -> None:
    """Citus forgets a table that is dropped, and follows its name."""
    text = f"{BARE} select create_distributed_table('notes', 'id'); {change}"
    assert citus.by_name(Project((migration(text),))) == said


def test_a_type_that_is_made_again_is_another() -> None:
    """A range type is on no other node; an enumeration of its name is."""
    made = "create type r as range (subtype = int); create domain d as r;"
    assert citus.types_missing(Project((migration(made),))) == {"r", "r_multirange", "d"}
    again = "drop domain d; drop type r; create type r as enum ('a'); create domain d as r;"
    assert not {"r", "d"} & citus.types_missing(Project((migration(made + again),)))


@pytest.mark.parametrize(
    ("change", "proved"),
    [
        ("", True),
        ("drop table notes; create table notes (author text);", False),
        ("alter table notes drop column author, add column author text;", False),
        ("alter table notes drop constraint c;", False),
        ("alter table notes rename to old; create table notes (author text);", False),
    ],
)
def test_a_proof_is_of_the_column_that_is_there(change: str, proved: bool) -> None:
    """SET NOT NULL reads a table whose CHECK went with the former column."""
    text = f"{NOTES} alter table notes add constraint c check (author is not null);{change}"
    text += "alter table notes alter author set not null;"
    found = [codes for _, _, codes in _untrue([migration(text)])]
    assert (("adding-not-nullable-field",) in found) is proved


@pytest.mark.parametrize(
    ("change", "contracts"),
    [
        ("", False),
        ("drop table notes; create table notes (author text);", True),
        ("alter table notes drop author, add author text;", True),
    ],
)
def test_a_default_is_of_the_column_that_is_there(change: str, contracts: bool) -> None:
    """A column that was made again without its default may lack a value."""
    first = f"create table notes (author text default '');{change}"
    second = "-- phase: expand\nalter table notes alter author set not null;"
    *_, (_, _, found) = phased(Project((migration(first, "1.sql"), migration(second, "2.sql"))))
    assert (found[-1].contracts is not None) is contracts


def test_a_new_table_is_new_under_another_name() -> None:
    """The release at work knows neither name."""
    made = "-- phase: expand\ncreate table notes (id int); alter table notes rename to papers;"
    made += "alter table papers alter id set not null;"
    ((_, _, found),) = phased(Project((migration(made),)))
    assert [one.contracts for one in found] == [None, None, None]


def test_the_example_of_citus_stays_without_a_finding() -> None:
    """The tables of the examples are whole."""
    assert hits(CITUS_TASKS, "citus") == []
