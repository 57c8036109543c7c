"""Which writes may be sent twice, as the compiler proves it; what a query leaves, what none can."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from support.compiling import checked, codes

pytestmark = pytest.mark.database

SCHEMA = """
create table authors (
    id bigint generated always as identity primary key,
    name text not null unique,
    key uuid unique default gen_random_uuid(),
    bio text,
    rank float default random(),
    made timestamptz default clock_timestamp(),
    hits int default 0,
    gone timestamptz
);
create unique index on authors (lower(bio));
create unique index on authors (bio) where gone is null;
create table books (id bigint primary key, author_id bigint not null, title text);
create function noisy(text) returns text language plpgsql volatile as $$
    begin insert into books values (1, 1, $1); return $1; end $$;
create function count_them() returns int language sql stable as 'select count(*)::int from books';
create table logged (id bigint primary key, note text default noisy('x'))
"""

KEPT = "on conflict (name) do update set bio = excluded.bio"
# Each text with the parameters that make a repeat harmless.
TEXTS: list[tuple[str, set[str]]] = [
    (f"insert into authors (name, bio) values (:n, :b) {KEPT} returning id", {"n"}),
    (f"insert into authors (bio, name) values (upper(:b), :n::varchar(9)) {KEPT}", {"n"}),
    (f"insert into authors (name, bio) values (:n, :b), (:m, :c) {KEPT}", {"n", "m"}),
    ("insert into authors (name) values (:n) on conflict (name) do update set name = :n", {"n"}),
    (
        "insert into authors (key, name) values (coalesce(:k, gen_random_uuid()), :n) "
        "on conflict (key) do update set key = excluded.key where authors.gone is null",
        {"k"},
    ),
    (f"insert into authors as a (name, bio) values (:n, now()::text) {KEPT}", {"n"}),
    # a part of the statement that the rest reads
    (
        f"with made as (insert into authors (name, bio) values (:n, :b) {KEPT} returning id) "
        "select m.id, (select count(*) from books as b where b.author_id = m.id) from made as m",
        {"n"},
    ),
    (
        "with made as (insert into authors (key, name) values (coalesce(:k, gen_random_uuid()), :n)"
        " on conflict (key) do update set key = excluded.key returning id) select id from made",
        {"k"},
    ),
    # nothing: the second answer would not be the first
    ("insert into authors (name) values (:n) on conflict (name) do nothing returning id", set()),
    ("insert into authors (name) values (:n) on conflict do nothing", set()),
    ("insert into authors (name) values (:n)", set()),
    # the column is not fed by the parameter that has its name
    (f"insert into authors (name, bio) values (lower(:name), :b) {KEPT}", set()),
    (f"insert into authors (name, bio) values (:name || random(), :b) {KEPT}", set()),
    (
        "insert into books (id, author_id, title) select (random() * 9)::int, a.id, :id "
        "from authors as a limit 1 on conflict (id) do update set title = excluded.title",
        set(),
    ),
    (f"insert into authors (name, bio) select :n, :b {KEPT}", set()),
    # what is updated is not what was inserted
    (
        "insert into authors (name) values (:n) "
        "on conflict (name) do update set hits = authors.hits + 1",
        set(),
    ),
    (
        "insert into authors (name, bio) values (:n, :b) "
        "on conflict (name) do update set bio = 'again'",
        set(),
    ),
    (
        "insert into authors (name, bio) values (:n, :b) "
        "on conflict (name) do update set bio = excluded.name",
        set(),
    ),
    (
        "insert into authors (name) values (:n) "
        "on conflict (name) do update set rank = excluded.rank",
        set(),
    ),
    (
        "insert into authors (name, hits) values (:n, count_them()) "
        "on conflict (name) do update set hits = excluded.hits",
        set(),
    ),
    (
        "insert into authors (name, hits) values (:n, (select count(*) from books)) "
        "on conflict (name) do update set hits = excluded.hits",
        set(),
    ),
    # the row that was made may not be found again
    (
        "insert into authors (bio, gone, name) values (:b, :g, :n) "
        "on conflict (bio) where gone is null do update set bio = excluded.bio",
        set(),
    ),
    (f"insert into authors (name, bio) values (:n, :b) {KEPT} where authors.hits = 1", set()),
    (
        "insert into authors (name, bio, gone) values (:n, :b, :g) "
        f"{KEPT} where authors.gone is null",
        set(),
    ),
    (
        "insert into authors (name, bio) values (:n, :b) "
        "on conflict (lower(bio)) do update set bio = excluded.bio",
        set(),
    ),
    (
        "insert into authors (name, bio) values (:n, :b) "
        "on conflict on constraint authors_name_key do update set bio = excluded.bio",
        set(),
    ),
    # something volatile runs beside, or something else is written
    (f"insert into authors (name, bio) values (:n, noisy(:b)) {KEPT}", set()),
    (f"insert into authors (name, rank) values (:n, random()) {KEPT}", set()),
    (f"insert into authors (name, bio) values (:n, :b) {KEPT} returning noisy('y')", set()),
    (
        "insert into logged (id) values (:i) on conflict (id) do update set id = excluded.id",
        set(),
    ),
    (
        "with b as (insert into books values (:i, 1, 'x')) "
        f"insert into authors (name, bio) values (:n, :b) {KEPT}",
        set(),
    ),
    ("update authors set hits = 1 where name = :n", set()),
    (
        f"with made as (insert into authors (name, bio) values (:n, :b) {KEPT} returning id) "
        "select m.id, noisy('y') from made as m",
        set(),
    ),
    (
        f"with made as (insert into authors (name, bio) values (:n, :b) {KEPT} returning id), "
        "more as (update books set title = 'x' where id = 1 returning id) "
        "select id from made",
        set(),
    ),
    (
        "with made as (insert into authors (name) values (:n) on conflict do nothing returning id) "
        "select id from made",
        set(),
    ),
    ("with gone as (delete from authors where name = :n returning id) select id from gone", set()),
]


@pytest.fixture(scope="module")
def library(todo_sql_server: Any) -> Any:
    """A connection to a database of authors and books."""
    with (
        todo_sql_server.database() as name,
        psycopg.connect(todo_sql_server.url(name), autocommit=True) as connection,
    ):
        connection.execute(SCHEMA)
        yield connection


@pytest.mark.parametrize(("text", "keys"), TEXTS)
def test_what_may_be_sent_twice(
    library: psycopg.Connection[Any], text: str, keys: set[str]
) -> None:
    """An upsert by given parameters that leaves the row as it made it, and nothing else."""
    how = ":many" if "returning" in text else ":exec"
    analysis = checked(
        library,
        f"-- name: write {how}\n-- param: k uuid?\n{text};".replace(
            "-- param: k uuid?\n", "-- param: k uuid?\n" if ":k" in text else ""
        ),
    )
    assert not [finding for finding in analysis.findings if finding.severity == "error"]
    (described,) = analysis.described
    assert set(described.repeat) == keys


def test_each_variant_has_to_be_safe(library: psycopg.Connection[Any]) -> None:
    """Where one of them is not, no variant is repeated; else the keys of all count."""
    text = """
-- name: write :exec
insert into authors (
    bio,  -- if: bio
    name
)
values (
    BIO,  -- if: bio
    :name
)
on conflict (name) do update set name = excluded.name;
"""
    safe = checked(library, text.replace("BIO", ":bio")).described[0]
    unsafe = checked(library, text.replace("BIO", "noisy(:bio)")).described[0]
    assert (set(safe.repeat), set(unsafe.repeat)) == ({"name"}, set())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("select pg_advisory_lock(1)::text", "pg_advisory_lock"),
        ("select pg_try_advisory_lock_shared(:key)", "pg_try_advisory_lock_shared"),
        ("with a as (select pg_try_advisory_lock(1) as b) select b from a", "pg_try_advisory_lock"),
        ("select set_config('a.b', :v, false)", "set_config"),
        ("set timezone = 'Asia/Tokyo'", "set timezone"),
        ("/* a */ SET SESSION timezone = 'Asia/Tokyo'", "set session"),
        ("listen news", "listen"),
        ("create temporary table t (a int)", "temporary table"),
        ("create temp view t as select 1 as a", "temporary table"),
        ("prepare a as select 1", "prepare"),
        ("declare a cursor with hold for select 1", "with hold"),
    ],
)
def test_what_outlives_a_call_is_warned_of(
    library: psycopg.Connection[Any], text: str, what: str
) -> None:
    """The pool gives the connection to somebody else."""
    how = ":exec" if not text.startswith(("select", "with")) else ":one"
    analysis = checked(library, f"-- name: leaves {how}\n{text};")
    (finding,) = [one for one in analysis.findings if one.code == "C126"]
    assert what in finding.message
    assert finding.fix
    assert analysis.described[0].leaves


@pytest.mark.parametrize(
    "text",
    [
        "select pg_advisory_xact_lock(1)::text",
        "select set_config('a.b', 'c', true)",
        "set local timezone = 'Asia/Tokyo'",
        "notify news",
        "select 'listen', 'copy a from stdin' as set",
    ],
)
def test_what_ends_with_its_transaction_is_not(library: psycopg.Connection[Any], text: str) -> None:
    """Nor is a word in a string."""
    how = ":exec" if not text.startswith("select") else ":one"
    assert "C126" not in codes(checked(library, f"-- name: clean {how}\n{text};"))


@pytest.mark.parametrize(
    "text",
    [
        "copy authors to stdout",
        "COPY (select 1) TO /* a */ STDOUT",
        "copy authors (name) from stdin",
        "begin",
        "commit",
        "savepoint a",
    ],
)
def test_what_no_call_can_make(library: psycopg.Connection[Any], text: str) -> None:
    """It is refused by the compiler, so that nothing is generated of it."""
    analysis = checked(library, f"-- name: no :exec\n{text};")
    assert "C125" in codes(analysis)
    assert not analysis.described
