"""Repeatable files: run again when their text changes, and what others stand on survives it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
from support.migrations import fetch, write

from todo_sql.migrations.engine import lock_retry
from todo_sql.migrations.files.beside import load_whole
from todo_sql.migrations.migration_errors import InvalidFiles, MigrationFailed, PlanError
from todo_sql.migrations.migrator import Migrator
from todo_sql.review.verify import verify

pytestmark = pytest.mark.database

TABLE = "20260101000000_items"
A, B = "repeatable/a", "repeatable/b"


def of(url: str, folder: Path) -> Migrator:
    """Return the migrator of a folder with what lies beside."""
    return Migrator(url, load_whole(folder, folder))


def again(folder: Path, name: str, text: str) -> None:
    """Write a repeatable file."""
    (folder / "repeatable").mkdir(exist_ok=True)
    (folder / "repeatable" / f"{name}.sql").write_text(text)


def states(url: str, folder: Path) -> dict[str, str]:
    """Return the states of repeatable files."""
    return {one.name: one.state.value for one in of(url, folder).status().repeatables}


@pytest.fixture
def items(tmp_path: Path) -> Path:
    """A folder with one table."""
    write(
        tmp_path,
        TABLE,
        "create table items (id int primary key, title text, note text);\n"
        "insert into items values (1, 'one', 'n');",
        "drop table items;",
    )
    return tmp_path


def ran(url: str, folder: Path) -> list[str]:
    """Migrate and return what ran."""
    return [done.id for done in of(url, folder).migrate()]


def test_they_run_after_the_migrations_when_their_text_changed(
    items: Path, empty_database: str
) -> None:
    """In the order of `depends`, once, and again when a text is another; line ends do not count."""
    again(items, "b", "create or replace view a_view as select id from z_view;\n")
    again(items, "z", "create or replace view z_view as select id from items;\n")
    (items / "repeatable" / "b.sql").write_text(
        "-- depends: z\ncreate or replace view a_view as select id from z_view;\n"
    )
    assert ran(empty_database, items) == [TABLE, "repeatable/z", "repeatable/b"]
    assert ran(empty_database, items) == []
    (items / "repeatable" / "z.sql").write_text(
        "create or replace view z_view as select id from items;\r\n"
    )
    assert ran(empty_database, items) == []
    again(items, "z", "create or replace view z_view as select id, title from items;\n")
    assert states(empty_database, items) == {"z": "pending", "b": "applied"}
    assert ran(empty_database, items) == ["repeatable/z"]
    (items / "repeatable" / "b.sql").unlink()
    assert states(empty_database, items) == {"z": "applied", "b": "missing"}
    assert ran(empty_database, items) == []
    of(empty_database, items).repair(confirm=lambda changes: None)
    assert states(empty_database, items) == {"z": "applied"}


def test_none_runs_while_a_migration_waits(items: Path, empty_database: str) -> None:
    """`--to` short of the last one leaves them; they could need what is not there."""
    write(items, "20260102000000_more", "alter table items add column extra int;")
    again(items, "a", "create or replace view a as select extra from items;")
    assert [d.id for d in of(empty_database, items).migrate(to=TABLE)] == [TABLE]
    assert ran(empty_database, items) == ["20260102000000_more", A]


def test_one_that_fails_leaves_nothing(items: Path, empty_database: str) -> None:
    """It is one transaction with its row; the migrations before it are applied."""
    again(items, "a", "create or replace view a as select id from items;\nselect 1 / 0;")
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, items).migrate()
    place = caught.value.finding.place
    assert place and (place.file, place.line) == ("repeatable/a.sql", 2)
    assert fetch(empty_database, "select to_regclass('a')::text") == [None]
    assert states(empty_database, items) == {"a": "pending"}
    again(items, "a", "create or replace view a as select id from items;")
    assert ran(empty_database, items) == [A]


ROLE = "items_reader"


@pytest.fixture
def reader(server: object) -> object:
    """A role that is granted things."""
    admin: psycopg.Connection = server.admin  # type: ignore[attr-defined]
    admin.execute(f"drop role if exists {ROLE}".encode())
    admin.execute(f"create role {ROLE}".encode())
    yield ROLE
    for (name,) in admin.execute("select datname from pg_database where datallowconn").fetchall():
        with psycopg.connect(server.url(name), autocommit=True) as there:  # type: ignore[attr-defined]
            there.execute(f"drop owned by {ROLE} cascade".encode())
    admin.execute(f"drop role {ROLE}".encode())


VIEW = "create or replace view a as select id, title from items;"
# By name: what stands on view a, the file's new text, and what must be so afterwards.
REPLACED = {
    "a column renamed": ("", "create or replace view a as select id, title as name from items;"),
    "a column dropped": ("", "create or replace view a as select id from items;"),
    "a type changed": ("", "create or replace view a as select id::bigint, title from items;"),
    "columns in another order": ("", "create or replace view a as select title, id from items;"),
    "a view on it": (
        "create view on_it as select id from a; grant select on on_it to items_reader;"
        "comment on view on_it is 'stays'",
        "create or replace view a as select id, note from items;",
    ),
    "views in a chain": (
        "create view on_it as select id from a; create view on_that as select id from on_it;"
        "grant select on on_it to items_reader; comment on view on_it is 'stays'",
        "create or replace view a as select note, id from items;",
    ),
    "a materialized view with an index": (
        "create materialized view on_it as select id from a; create unique index on on_it (id);"
        "grant select on on_it to items_reader; comment on materialized view on_it is 'stays'",
        "create or replace view a as select note, id from items;",
    ),
    "a function on it": (
        "create function on_it() returns bigint begin atomic select count(id) from a; end;"
        "grant execute on function on_it to items_reader; comment on function on_it is 'stays'",
        "create or replace view a as select note, id from items;",
    ),
    "a trigger of its own": (
        "create function on_it() returns trigger language plpgsql as 'begin return new; end';"
        "create trigger t instead of insert on a for each row execute function on_it();"
        "comment on function on_it is 'stays'",
        "create or replace view a as select note, id from items;",
    ),
    "a drop before": (
        "create view on_it as select id from a; grant select on on_it to items_reader;"
        "comment on view on_it is 'stays'",
        "drop view if exists a;\ncreate view a as select note, id from items;",
    ),
}


@pytest.mark.parametrize("case", REPLACED)
def test_what_stands_on_a_view_survives_its_change(
    items: Path, empty_database: str, reader: str, case: str
) -> None:
    """It is dropped and made again with privileges and comments, in one transaction."""
    standing, text = REPLACED[case]
    again(items, "a", VIEW)
    of(empty_database, items).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        if "drop view" not in text:
            connection.execute(f"grant select, insert on a to {reader}".encode())
            connection.execute(f"grant select (id) on a to {reader}".encode())
            connection.execute("comment on view a is 'the view'; comment on column a.id is 'id'")
        for statement in filter(None, standing.replace("; end", "\0").split(";")):
            connection.execute(statement.replace("\0", "; end").encode())
    again(items, "a", text)
    assert ran(empty_database, items) == [A]
    with psycopg.connect(empty_database) as connection:
        definition = str(connection.execute("select pg_get_viewdef('a')").fetchone())
        assert "note" in definition or not standing
        if "drop view" not in text:
            row = connection.execute(
                "select has_table_privilege(%s, 'a', 'select, insert'), "
                "obj_description('a'::regclass, 'pg_class'), col_description('a'::regclass, "
                "(select attnum from pg_attribute where attrelid = 'a'::regclass "
                "and attname = 'id'))",
                [reader],
            ).fetchone()
            assert row == (True, "the view", "id")
        if standing:
            (comment,) = connection.execute(
                "select coalesce(obj_description(to_regclass('on_it'), 'pg_class'), "
                "obj_description(to_regproc('on_it'), 'pg_proc'))"
            ).fetchone() or (None,)
            assert comment == "stays"
        if "trigger t" in standing:
            connection.execute("select 1 from pg_trigger where tgname = 't'").fetchone()
    assert ran(empty_database, items) == []


FUNCTION = "create or replace function f(n int) returns int language sql as 'select n';"
FUNCTIONS = {
    "another result": "create or replace function f(n int) returns bigint language sql as "
    "'select n::bigint';",
    "another parameter name": "create or replace function f(m int) returns int language sql as "
    "'select m';",
    "a table": "create or replace function f(n int) returns table (a int, b int) language sql as "
    "'select n, n';",
    "no default any more": "create or replace function f(n int) returns int language sql as "
    "'select n + 1';",
}


@pytest.mark.parametrize("case", FUNCTIONS)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_function_of_another_shape_replaces_the_old_one(
    items: Path, empty_database: str, reader: str, case: str, quoted: bool
) -> None:
    """Privileges and comment are kept; what was revoked from everybody stays revoked."""
    name = '"Odd f"' if quoted else "f"
    first = FUNCTION.replace("f(", f"{name}(")
    if case == "no default any more":
        first = first.replace("n int", "n int default 1")
    again(items, "f", first)
    of(empty_database, items).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"revoke execute on function {name}(int) from public".encode())
        connection.execute(f"grant execute on function {name}(int) to {reader}".encode())
        connection.execute(f"comment on function {name}(int) is 'kept'".encode())
    again(items, "f", FUNCTIONS[case].replace("f(", f"{name}("))
    assert ran(empty_database, items) == ["repeatable/f"]
    with psycopg.connect(empty_database) as connection:
        row = connection.execute(
            "select has_function_privilege(%s, p.oid, 'execute'), "
            "exists (select from aclexplode(p.proacl) as x where x.grantee = 0), "
            "obj_description(p.oid, 'pg_proc') from pg_proc as p where proname in ('f', 'Odd f')",
            [reader],
        ).fetchall()
    assert row == [(True, False, "kept")]


def test_two_changed_views_that_need_each_other_run_together(
    items: Path, empty_database: str
) -> None:
    """A column is renamed in a view and in the one on it: one transaction, both recorded."""
    again(items, "a", VIEW)
    again(items, "b", "-- depends: a\ncreate or replace view b as select title from a;")
    of(empty_database, items).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create view c as select 1 as one from b")
    again(items, "a", "create or replace view a as select id, title as name from items;")
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, items).migrate()
    assert caught.value.finding.code == "M340"
    assert "title" in caught.value.finding.message
    assert fetch(empty_database, "select title from b") == ["one"]
    again(items, "b", "-- depends: a\ncreate or replace view b as select name from a;")
    assert ran(empty_database, items) == [A, B]
    assert fetch(empty_database, "select name from b") == ["one"]
    assert fetch(empty_database, "select one from c") == [1]
    assert states(empty_database, items) == {"a": "applied", "b": "applied"}


REFUSED = {
    "a column's default": "create table more (n int default f(1))",
    "a check": "create table more (n int, check (f(n) > 0))",
    "an index of a table": "create table more (n int); create index on more (f(n))",
    "a generated column": "create table more (n int, m int generated always as (f(n)) stored)",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_data_is_not_dropped(items: Path, empty_database: str, case: str) -> None:
    """The reason is told, and everything is as it was."""
    text = FUNCTION.replace("language sql", "language sql immutable")
    again(items, "f", text)
    of(empty_database, items).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(REFUSED[case].encode())
        connection.execute("insert into more (n) values (1)")
    again(items, "f", text.replace("returns int", "returns bigint"))
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, items).migrate()
    assert caught.value.finding.code == "M340"
    assert "more" in caught.value.finding.message
    assert fetch(empty_database, "select n from more") == [1]
    assert states(empty_database, items) == {"f": "pending"}


def test_a_rollback_brings_the_former_text_back(items: Path, empty_database: str) -> None:
    """The release added a column and changed the view; its rollback drops the column again."""
    again(items, "a", VIEW)
    of(empty_database, items).migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create view on_it as select id from a")
        connection.execute("comment on view a is 'kept'")
    write(
        items,
        "20260102000000_extra",
        "alter table items add column extra int default 7;",
        "alter table items drop column extra;",
    )
    again(items, "a", "create or replace view a as select id, title, extra from items;")
    again(items, "b", "create or replace view b as select extra from items;")
    assert ran(empty_database, items) == ["20260102000000_extra", A, B]
    (done,) = of(empty_database, items).rollback()
    assert done.id == "20260102000000_extra"
    assert fetch(empty_database, "select title from a") == ["one"]
    assert fetch(empty_database, "select id from on_it") == [1]
    assert fetch(empty_database, "select obj_description('a'::regclass)") == ["kept"]
    assert fetch(empty_database, "select to_regclass('b')::text") == [None]
    assert states(empty_database, items) == {"a": "pending", "b": "pending"}
    assert ran(empty_database, items) == ["20260102000000_extra", A, B]
    assert fetch(empty_database, "select extra from b") == [7]
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, items).rollback(steps=2)
    assert "on_it" in caught.value.finding.message
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("drop view on_it")
    assert len(of(empty_database, items).rollback()) == 1
    assert fetch(empty_database, "select to_regclass('a')::text") == [None]


def test_one_file_alone_goes_back(items: Path, empty_database: str) -> None:
    """A release without a migration: the former text of one file, and no further."""
    again(items, "a", VIEW)
    of(empty_database, items).migrate()
    with pytest.raises(PlanError) as caught:
        of(empty_database, items).bring_back("a")
    assert caught.value.finding.code == "M215"
    again(items, "a", "create or replace view a as select note from items;")
    of(empty_database, items).migrate()
    assert of(empty_database, items).bring_back("a").id == A
    assert fetch(empty_database, "select title from a") == ["one"]
    assert states(empty_database, items) == {"a": "pending"}


def test_a_busy_view_is_waited_for(
    items: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that cannot be had in time is tried for again, also where things are made anew."""
    again(items, "a", VIEW)
    of(empty_database, items).migrate()
    again(items, "a", "-- lock-timeout: 100ms\ncreate or replace view a as select id from items;")
    with psycopg.connect(empty_database) as other:
        other.execute("select id from a")
        tries = 0

        def release(*_: object) -> None:
            nonlocal tries
            tries += 1
            other.rollback()

        from todo_sql.migrations.engine import transactional

        monkeypatch.setattr(transactional, "give_way", release)
        assert lock_retry.RETRY_FOR > 0
        assert ran(empty_database, items) == [A]
        assert tries == 1


def test_verify_runs_each_twice(
    items: Path, scratch: Callable[[], AbstractContextManager[str]]
) -> None:
    """The second run must change nothing."""
    again(items, "a", VIEW)
    again(
        items,
        "b",
        "create table if not exists grows ();\nalter table grows add column if not "
        "exists n int;\ndo $$ begin execute format('alter table grows add column c%s int', "
        "(select count(*) from pg_attribute where attrelid = 'grows'::regclass)); end $$;",
    )
    again(items, "c", "create view c as select 1 as one;")
    proofs = {p.id: p for p in verify(scratch, load_whole(items, items))}
    assert proofs[A].outcome == "repeatable"
    assert proofs[B].outcome == "different"
    assert {f.code for f in proofs[B].findings} == {"R907"}
    assert proofs["repeatable/c"].outcome == "failed"
    assert proofs["repeatable/c"].findings[0].code == "R907"


def _misnamed(folder: Path) -> None:
    again(folder, "bad name", "select 1;")


def _with_rollback(folder: Path) -> None:
    again(folder, "a.rollback", "select 1;")


def _alone(folder: Path) -> None:
    again(folder, "a", "-- transactional: false\nvacuum;")


def _irreversible(folder: Path) -> None:
    again(folder, "a", "-- irreversible: no\nselect 1;")


def _unknown(folder: Path) -> None:
    again(folder, "a", "-- depends: nobody\nselect 1;")


def _circle(folder: Path) -> None:
    again(folder, "a", "-- depends: b\nselect 1;")
    again(folder, "b", "-- depends: a\nselect 1;")


def _twice(folder: Path) -> None:
    again(folder, "a", "select 1;")
    (folder / "repeatable" / "more").mkdir()
    (folder / "repeatable" / "more" / "a.sql").write_text("select 2;")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_misnamed, "M113"),
        (_with_rollback, "M113"),
        (_alone, "M114"),
        (_irreversible, "M114"),
        (_unknown, "M108"),
        (_circle, "M109"),
        (_twice, "M113"),
    ],
)
def test_a_wrong_file_is_told_before_anything_runs(
    items: Path, spoil: Callable[[Path], None], code: str
) -> None:
    """With its place, as for migrations."""
    spoil(items)
    with pytest.raises(InvalidFiles) as caught:
        load_whole(items, items)
    assert [one.code for one in caught.value.findings] == [code]
    assert caught.value.findings[0].place


@pytest.mark.parametrize(
    "text",
    [
        "create view v as select id from items;",
        "create materialized view v as select id from items;",
        "create table v (id int);",
        "create function f() returns int language sql return 1;",
        "create function f() returns trigger language plpgsql as 'begin return new; end';\n"
        "create trigger g before insert on items for each row execute function f();",
        "create policy p on items using (true);",
        "create domain d as int;",
        "create type e as enum ('a');",
        "create schema s;",
    ],
)
def test_what_cannot_run_again_is_told_how(items: Path, empty_database: str, text: str) -> None:
    """Where a file makes what it made before, the advice is that of repeatable files."""
    again(items, "one", text)
    assert ran(empty_database, items) == [TABLE, "repeatable/one"]
    again(items, "one", text + "\n-- another text")
    with pytest.raises(MigrationFailed) as caught:
        ran(empty_database, items)
    assert "already exists" in caught.value.finding.message
    assert "create or replace" in str(caught.value.finding.fix)
    assert states(empty_database, items) == {"one": "pending"}
