"""What contracts and does not say so, and what a contract file takes from a query."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import todo_sql
from support.migrations import write
from support.queries import one_query

from todo_sql.migrations.files.folder import load
from todo_sql.review.contracting import taken_from_queries
from todo_sql.review.linting.phasing import phased
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

BASE = (
    "create table t (id int primary key, a int, b varchar(20), n numeric(8, 2), "
    "d int default 1, g int generated always as identity);"
    "create table u (id int primary key); create view v as select id from t;"
)
CONTRACTS = [
    "drop table u",
    "drop view v",
    "drop function f()",
    "drop trigger mirror on t",
    "alter table t drop column a",
    "alter table t add column c int not null",
    "alter table t alter column a set not null",
    "alter table t add constraint k check (a > 0)",
    "alter table t add constraint k check (a > 0) not valid",
    "alter table t add constraint k unique (a)",
    "alter table t add constraint k foreign key (a) references u (id) not valid",
    "alter table t add constraint k not null a not valid",
    "alter table t alter column a drop default",
    "alter table t alter column b type varchar(10)",
    "alter table t alter column a type smallint",
    "alter table t alter column a type text",
    "alter table t alter column n type numeric(6, 2)",
    "alter table t alter column n type numeric(9, 3)",
    "alter table t rename column a to c",
    "alter table t rename to w",
    "create unique index i on t (a)",
]
EXPANDS = [
    "create table w (id int primary key); alter table w add constraint k check (id > 0)",
    "alter table t add column c int",
    "alter table t add column c int not null default 3",
    "alter table t add column c serial not null",
    "alter table t add column c int; alter table t add constraint k unique (c)",
    "alter table t add column c int check (c > 0)",
    "alter table t alter column d set not null",
    "alter table t alter column g set not null",
    "alter table t add constraint k check (d is not null) not valid",
    "alter table t alter column a set default 2",
    "alter table t alter column id drop not null",
    "alter table t drop constraint k",
    "alter table t alter column b type varchar(30)",
    "alter table t alter column b type text",
    "alter table t alter column a type bigint",
    "alter table t alter column n type numeric(10, 2)",
    "create index i on t (a)",
    "create view w as select a from t",
    "alter type mood add value 'glad'",
    "alter table t rename to t_; create view t as select * from t_",
    "alter table t rename column a to c; alter table t rename to t_; "
    "create view t as select id, c, c as a from t_",
]
EITHER = [
    "update t set a = 1 where a is null",
    "alter table t validate constraint k",
    "comment on table t is 'Words.'",
    "drop index i",
    "grant select on t to r",
    "vacuum t",
]


def kinds(change: str, phase: str = "") -> tuple[bool, bool]:
    """Return whether a change to tables of before contracts, and whether it expands."""
    files = [
        File(Source(f"{at}.sql", text), "migration", tuple(parse(text)))
        for at, text in enumerate([BASE, f"-- phase: {phase or 'expand'}\n{change}"])
    ]
    ((_, says, found),) = phased(Project(tuple(files)))
    assert says is (phase == "contract")
    return any(one.contracts for one in found), any(one.expands for one in found)


@pytest.mark.parametrize("change", CONTRACTS)
def test_what_contracts(change: str) -> None:
    """Drops, demands and narrower types: the release at work may break with them."""
    assert kinds(change)[0]


@pytest.mark.parametrize("change", EXPANDS)
def test_what_expands(change: str) -> None:
    """What a release needs before it, and what it does not know of."""
    assert kinds(change) == (False, True)


@pytest.mark.parametrize("change", EITHER)
def test_what_is_of_either_phase(change: str) -> None:
    """Nothing is said of it in either kind of file."""
    assert kinds(change) == (False, False)


def test_phases_begin_with_the_first_file_that_says_one() -> None:
    """What ran before is history; after a contract file, what is new before it is known."""
    texts = [
        BASE,
        "alter table t drop column a;",
        "-- phase: expand\nalter table t add column c int;",
        "alter table t add constraint k check (c > 0);",
        "-- phase: contract\nalter table t drop column b;",
        "alter table t add constraint l check (c < 9);",
    ]
    files = [
        File(Source(f"{at}.sql", text), "migration", tuple(parse(text)))
        for at, text in enumerate(texts)
    ]
    found = [
        (file.name, any(o.contracts for o in all_))
        for file, _, all_ in phased(Project(tuple(files)))
    ]
    assert found == [("2.sql", False), ("3.sql", False), ("4.sql", True), ("5.sql", True)]


READS = [
    ("alter table t drop column a", "select a from t", True),
    ("alter table t drop column a", "select x.a from t as x", True),
    ("alter table t drop column a", "select * from t", True),
    ("alter table t drop column a", "select x.* from public.t as x", True),
    ("alter table t drop column a", "select id from t where a = :a", True),
    (
        "alter table t drop column a",
        "select id from u where exists (select from t where t.a = u.id)",
        True,
    ),
    ("alter table t drop column a", "update t set a = :a where id = :id", True),
    ("alter table t drop column a", "insert into t (id, a) values (:id, :a)", True),
    ("alter table t drop column a", "select id from t join u using (a)", True),
    ("alter table t drop column a", "select id from t -- a", False),
    ("alter table t drop column a", "select u.a from t join u using (id)", False),
    ("alter table t drop column a", "select count(*) from t", False),
    ("alter table t drop column a", "select a from u", False),
    ("alter table t drop column a", "select a from other.t", False),
    ("alter table other.t drop column a", "select a from other.t", True),
    ('alter table "T" drop column "A b"', 'select "A b" from "T"', True),
    ("drop table u", "select id from t where exists (select from u)", True),
    ("drop table u", "select id as u from t", False),
    ("drop view if exists t, u", "delete from u where id = :id", True),
    ("drop materialized view u", "select id from u", True),
    ("alter table t rename column a to b", "select a from t", True),
    ("alter table t rename to w", "select a from t", True),
    ("drop view t; alter table t_ rename to t", "select id from t", False),
    ("alter table t drop column a; alter table t add column a text", "select a from t", False),
    ("alter table t drop constraint k", "select a from t", False),
]


@pytest.mark.parametrize(("change", "query", "reads"), READS)
def test_what_a_query_reads(tmp_path: Path, change: str, query: str, reads: bool) -> None:
    """By its parse tree, whatever names it gives the table."""
    asked = {"q": one_query(f"-- name: q :many\n{query};\n")}
    write(tmp_path, "20260101000000_c", f"-- phase: contract\n{change};\n")
    found = taken_from_queries(load(tmp_path, tmp_path), asked)
    assert [one.code for one in found] == (["M218"] if reads else [])
    write(tmp_path, "20260101000000_c", f"{change};\n")
    assert taken_from_queries(load(tmp_path, tmp_path), asked) == []


def test_only_some_variants_read_it(tmp_path: Path) -> None:
    """A line that is there only at times counts."""
    text = "-- name: q :many\nselect id from t where true\n    and a = :a -- if: a\n;\n"
    write(tmp_path, "20260101000000_c", "-- phase: contract\nalter table t drop column a;\n")
    (found,) = taken_from_queries(load(tmp_path, tmp_path), {"q": one_query(text)})
    assert "query q" in found.message


@pytest.mark.database
def test_migrate_refuses_it(empty_database: str, tmp_path: Path) -> None:
    """With the query and both places; with a waiver it runs."""
    folder = tmp_path / "migrations"
    write(
        folder, "20260101000000_t", "create table t (id int primary key, a int);", "drop table t;"
    )
    change = "alter table t drop column a;\n"
    write(folder, "20260102000000_c", f"-- phase: contract\n-- irreversible: gone\n{change}", None)
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "t.sql").write_text("-- name: all_of_t :many\nselect id, a from t;\n")

    def run(*words: str) -> tuple[int, str]:
        answer = todo_sql(*words, cwd=tmp_path, DATABASE_URL=empty_database)
        return answer.returncode, answer.stdout + answer.stderr

    code, said = run("migrate")
    assert code == 2
    assert "M218" in said and "all_of_t" in said and "queries/t.sql:1" in said
    assert run("migrate", "--phase", "expand")[0] == 0
    assert run("migrate", "--phase", "contract")[0] == 2
    (folder / "20260102000000_c.sql").write_text(
        f"-- phase: contract\n-- irreversible: gone\n-- allow: M218 nobody runs it\n{change}"
    )
    assert run("migrate", "--phase", "contract")[0] == 0
