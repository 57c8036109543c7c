"""Applying and rolling back on a real server: one transaction, one connection, true words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest
from support.database import Server
from support.migrations import applied, fetch, migrator, tables, three_tables, write

from todo_sql.migrations import migrate
from todo_sql.migrations.losses import Loss
from todo_sql.migrations.migration_errors import (
    InvalidFiles,
    LedgerMismatch,
    LockNotHeld,
    MigrationFailed,
    PlanError,
)
from todo_sql.migrations.pending import State

pytestmark = pytest.mark.database

A, B, C = (f"2026010{n}000000_create_{name}" for n, name in enumerate("abc", 1))


def test_applies_what_is_pending_and_then_nothing(empty_database: str, tmp_path: Path) -> None:
    """A second run finds nothing to do."""
    three_tables(tmp_path)
    assert migrate(empty_database, tmp_path) == [A, B, C]
    assert tables(empty_database) == ["a", "b", "c"]
    assert applied(empty_database) == [A, B, C]
    assert migrate(empty_database, tmp_path) == []


def test_the_ledger_keeps_checksums(empty_database: str, tmp_path: Path) -> None:
    """SHA-256 of the text, not of the name."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    (checksum,) = fetch(
        empty_database, f"select checksum from _todo_sql_ledger where migration_id = '{A}'"
    )
    assert checksum == hashlib.sha256((tmp_path / f"{A}.sql").read_bytes()).hexdigest()


def test_to_includes_the_id(empty_database: str, tmp_path: Path) -> None:
    """`--to` takes an id or a version."""
    three_tables(tmp_path)
    assert [d.id for d in migrator(empty_database, tmp_path).migrate(to=A)] == [A]
    assert [d.id for d in migrator(empty_database, tmp_path).migrate(to="20260102000000")] == [B]
    assert migrator(empty_database, tmp_path).migrate(to=A) == []


def test_an_unknown_to_changes_nothing(empty_database: str, tmp_path: Path) -> None:
    """The likeliest id is offered."""
    three_tables(tmp_path)
    with pytest.raises(PlanError, match="did you mean 20260102000000_create_b"):
        migrator(empty_database, tmp_path).migrate(to="20260102000000_create_bb")
    assert tables(empty_database) == []


def test_a_failing_migration_leaves_nothing_of_itself(empty_database: str, tmp_path: Path) -> None:
    """What came before stays; place, caret and state are told; the next run finishes."""
    three_tables(tmp_path)
    path = write(
        tmp_path,
        "20260102120000_break",
        "create table ok (id int);\n\ncreate index i\n    on ok (id, du_at);\n",
    )
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    finding = caught.value.finding
    assert caught.value.sqlstate == "42703"
    assert finding.place and (finding.place.line, finding.place.column) == (3, 1)
    assert 'column "du_at" does not exist' in str(caught.value)
    assert "statement 2 of 2" in str(caught.value)
    assert "nothing changed" in str(caught.value)
    assert tables(empty_database) == ["a", "b"]
    path.write_text("create table ok (id int);\n")
    assert migrate(empty_database, tmp_path) == ["20260102120000_break", C]


def test_the_caret_stands_at_the_position_that_the_server_gives(
    empty_database: str, tmp_path: Path
) -> None:
    """In characters of the file, behind other statements and other alphabets."""
    write(tmp_path, A, "")
    text = "\ufeffselect 'ä€😀';\r\n\r\nselect '😀',\r\n    nonsense;\r\n"
    (tmp_path / f"{A}.sql").write_bytes(text.encode())
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    place = caught.value.finding.place
    assert place and (place.line, place.column, place.width) == (4, 5, 8)
    assert place.excerpt == "    nonsense;"


def test_an_error_in_a_do_block_is_shown_at_its_line(empty_database: str, tmp_path: Path) -> None:
    """PL/pgSQL counts lines from the body; we show the file's."""
    write(tmp_path, A, "-- Why: x.\ndo $$\nbegin\n    perform 1 / 0;\nend\n$$;\n")
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    place = caught.value.finding.place
    assert place and (place.line, place.column) == (4, 5)


def test_a_deferred_constraint_fails_with_a_place(empty_database: str, tmp_path: Path) -> None:
    """Deferred constraints are made immediate before the mark."""
    write(
        tmp_path,
        A,
        """\
        create table p (id int primary key);
        create table ch (p int references p deferrable initially deferred);
        insert into ch values (1);
        insert into p values (2);
        """,
    )
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    place = caught.value.finding.place
    assert caught.value.sqlstate == "23503"
    assert place and place.line == 3
    assert tables(empty_database) == []


@pytest.mark.parametrize("transactional", ["true", "false"])
def test_a_migration_that_drops_the_ledger_is_named(
    empty_database: str, tmp_path: Path, transactional: str
) -> None:
    """The caret stands in the file, not at the position in our own statement."""
    write(
        tmp_path,
        A,
        f"-- transactional: {transactional}\ncreate table if not exists a (id int);\n"
        "drop table if exists _yoyo_migration;\ncreate table if not exists b ();\n",
    )
    with pytest.raises(MigrationFailed, match="could not be recorded") as caught:
        migrate(empty_database, tmp_path)
    place = caught.value.finding.place
    assert place and (place.line, place.column, place.width) == (3, 1, 36)
    done = [] if transactional == "true" else ["a", "b"]
    assert tables(empty_database) == done
    assert ("3 of 3 statements are done" in (caught.value.finding.cause or "")) == bool(done)


def test_a_broken_file_stops_the_run_before_anything(empty_database: str, tmp_path: Path) -> None:
    """Even when it comes last."""
    three_tables(tmp_path)
    write(tmp_path, "20260104000000_d", "create tabel d ();")
    with pytest.raises(InvalidFiles):
        migrate(empty_database, tmp_path)
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


def test_a_modified_migration_is_an_error_that_says_which(
    empty_database: str, tmp_path: Path
) -> None:
    """And how to repair it; line endings alone do not count."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    path = tmp_path / f"{A}.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(empty_database, tmp_path) == []
    path.write_text("create table a (id int);\n")
    with pytest.raises(LedgerMismatch) as caught:
        migrate(empty_database, tmp_path)
    (finding,) = caught.value.findings
    assert A in finding.message and "repair" in (finding.fix or "")
    states = {e.id: e.state for e in migrator(empty_database, tmp_path).status().entries}
    assert states[A] is State.MODIFIED and states[B] is State.APPLIED


def test_a_missing_migration_is_an_error_that_says_which(
    empty_database: str, tmp_path: Path
) -> None:
    """Also when nothing is pending."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    (tmp_path / f"{B}.sql").unlink()
    (tmp_path / f"{B}.rollback.sql").unlink()
    with pytest.raises(LedgerMismatch) as caught:
        migrate(empty_database, tmp_path)
    assert caught.value.findings[0].code == "M202"
    assert [e.state.value for e in migrator(empty_database, tmp_path).status().entries] == [
        "applied",
        "missing",
        "applied",
    ]


def test_out_of_order_is_an_error_unless_allowed(empty_database: str, tmp_path: Path) -> None:
    """It is never skipped in silence; rollback follows the order of application."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    late = "20260101120000_late"
    write(tmp_path, late, "create table late (id int);", "drop table late;")
    with pytest.raises(LedgerMismatch) as caught:
        migrate(empty_database, tmp_path)
    assert caught.value.findings[0].code == "M203"
    run = migrator(empty_database, tmp_path)
    assert [e.state.value for e in run.status().entries][1] == "out_of_order"
    assert [d.id for d in run.migrate(allow_out_of_order=True)] == [late]
    assert [d.id for d in run.rollback(steps=2)] == [late, C]


def test_rollback_undoes_the_newest(empty_database: str, tmp_path: Path) -> None:
    """One step, several, or down to an id, which is kept."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    run = migrator(empty_database, tmp_path)
    assert [d.id for d in run.rollback()] == [C]
    assert [d.id for d in run.rollback(to=A)] == [B]
    assert tables(empty_database) == ["a"]
    assert [d.id for d in run.rollback(steps=9)] == [A]
    assert run.rollback() == []
    assert migrate(empty_database, tmp_path) == [A, B, C]


def test_rollback_says_what_would_be_lost(empty_database: str, tmp_path: Path) -> None:
    """Tables and columns with their rows, before anything is done."""
    three_tables(tmp_path)
    write(
        tmp_path,
        "20260105000000_add_note_to_a",
        "alter table a add column note text;",
        "alter table a drop column note;",
    )
    migrate(empty_database, tmp_path)
    fetch(empty_database, "insert into a values (1, 'x'), (2, null) returning id")
    fetch(empty_database, "insert into c select generate_series(1, 3) returning id")
    run = migrator(empty_database, tmp_path)
    chosen, losses = run.to_roll_back(steps=2)
    assert len(chosen) == 2
    assert [str(loss) for loss in losses] == ["a.note (1 row)", "c (3 rows)"]

    def refuse(_: list[Loss]) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        run.rollback(steps=2, confirm=refuse)
    assert len(applied(empty_database)) == 4


def test_an_irreversible_migration_is_not_rolled_back(empty_database: str, tmp_path: Path) -> None:
    """Nothing is, if one of them is irreversible."""
    three_tables(tmp_path)
    write(tmp_path, "20260102120000_gone", "-- irreversible: gone for good\nselect 1;", None)
    migrate(empty_database, tmp_path)
    with pytest.raises(PlanError, match="gone for good"):
        migrator(empty_database, tmp_path).rollback(steps=3)
    assert tables(empty_database) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "set search_path = pg_temp;",
        "create schema elsewhere; set search_path = elsewhere;",
        "set session characteristics as transaction isolation level serializable;",
        "set role pg_monitor;",
        "set local role pg_monitor;",
        "set default_transaction_read_only = on;",
        "set datestyle = 'German'; set timezone = 'Asia/Tokyo';",
        "set standard_conforming_strings = off;",
        "listen x; prepare p as select 1; declare c cursor with hold for select 1;",
        "create temporary table _yoyo_migration (id int); create temporary table a (x int);",
        "create schema s; create table s._yoyo_migration (x int); set search_path = s, public;",
        "select set_config('search_path', '', false);",
        "create function public.clock_timestamp() returns int language sql as 'select 1'; "
        "set search_path = public, pg_catalog;",
    ],
)
def test_session_state_of_a_file_reaches_neither_the_ledger_nor_the_next(
    empty_database: str, tmp_path: Path, text: str
) -> None:
    """Whatever a file sets, its rows stand in the ledger and the next file starts clean."""
    if "pg_monitor" in text and "plain" in empty_database:
        pytest.skip("a plain owner is no member of pg_monitor")
    three_tables(tmp_path)
    write(tmp_path, "20260101000001_set", text)
    assert len(migrate(empty_database, tmp_path)) == 4
    assert tables(empty_database) == ["a", "b", "c"]
    assert len(applied(empty_database)) == 4
    assert fetch(empty_database, "select count(*) from public._yoyo_log") == [4]
    assert migrate(empty_database, tmp_path) == []


def test_a_lock_that_a_function_releases_is_missed_before_the_commit(
    empty_database: str, tmp_path: Path
) -> None:
    """Nobody sees it in the file: the last migration of a run is rolled back like any other."""
    write(
        tmp_path,
        "20260101000000_evil",
        "create function evil() returns void language plpgsql as "
        "$$ begin execute 'select pg_adv' || 'isory_unlock_all()'; end $$;",
    )
    write(tmp_path, "20260101000001_calls_it", "create table a (); select evil();")
    with pytest.raises(LockNotHeld) as caught:
        migrate(empty_database, tmp_path)
    assert caught.value.finding.code == "M312"
    assert tables(empty_database) == []
    assert len(applied(empty_database)) == 1


@pytest.mark.parametrize("plpgsql", [True, False])
def test_nothing_that_a_file_leaves_in_the_session_remains(
    empty_database: str, server: Server, tmp_path: Path, plpgsql: bool
) -> None:
    """Settings, role, temporary tables, channels, cursors, prepared statements: each is gone."""
    if not plpgsql:
        name = str(psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"])
        with psycopg.connect(server.url(name)) as superuser:
            superuser.execute("drop extension plpgsql")
    write(
        tmp_path,
        A,
        """\
        create role mig_left; grant mig_left to current_user; set role mig_left;
        reset role; drop role mig_left;
        set work_mem = '1MB'; select set_config('app.x', 'left', false);
        create temporary table left_over (id int);
        listen left_over;
        declare left_over cursor with hold for select 1;
        prepare left_over as select 1;
        """,
    )
    write(
        tmp_path,
        B,
        """\
        select 1 / (case when
            exists (select from pg_settings where name = 'work_mem' and source = 'session')
            or current_setting('app.x') <> ''
            or current_user <> session_user
            or to_regclass('pg_temp.left_over') is not null
            or exists (select from pg_listening_channels())
            or exists (select from pg_cursors where name = 'left_over')
            or exists (select from pg_prepared_statements where name = 'left_over')
        then 0 else 1 end);
        """,
    )
    assert migrate(empty_database, tmp_path) == [A, B]


def test_the_ledger_is_found_when_the_search_path_has_changed(
    empty_database: str, tmp_path: Path
) -> None:
    """A schema named like the user comes first in the search path from then on."""
    three_tables(tmp_path)
    write(tmp_path, "20260101000001_schema", "create schema authorization current_user;")
    migrate(empty_database, tmp_path)
    assert migrate(empty_database, tmp_path) == []


def test_data_hidden_by_row_security_is_an_error(empty_database: str, tmp_path: Path) -> None:
    """DML that policies filter never changes 0 rows in silence."""
    write(
        tmp_path,
        A,
        """\
        create table t (id int);
        insert into t values (1);
        alter table t enable row level security;
        alter table t force row level security;
        """,
    )
    write(tmp_path, B, "update t set id = 2;")
    if fetch(empty_database, "select usesuper from pg_user where usename = current_user")[0]:
        assert len(migrate(empty_database, tmp_path)) == 2
        return
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    assert "row-level security" in str(caught.value)
    assert "BYPASSRLS" in str(caught.value)


def test_rows_that_a_file_selects_go_nowhere(
    empty_database: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed, so that --json stays one document."""
    write(tmp_path, A, "select generate_series(1, 1000); values (1), (2);")
    migrate(empty_database, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_file_of_many_statements(empty_database: str, tmp_path: Path) -> None:
    """More than the buffers of both sides hold at once."""
    text = "create table t (id int, pad text);\n"
    text += f"insert into t values (1, '{'x' * 600}');\n" * 1000
    text += "select * from t;\n" * 20
    write(tmp_path, A, text)
    migrate(empty_database, tmp_path)
    assert fetch(empty_database, "select count(*) from t") == [1000]


def test_a_dry_run_changes_nothing_and_takes_no_lock(empty_database: str, tmp_path: Path) -> None:
    """It is read-only on the server, even while another migrator holds the lock."""
    from todo_sql.migrations.connecting import open_link
    from todo_sql.migrations.progress import Events

    three_tables(tmp_path)
    with open_link(empty_database, writes=True) as other:
        other.take_lock(1, Events())
        pending, _ = migrator(empty_database, tmp_path).pending()
    assert [m.id for m in pending] == [A, B, C]
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]
    with (
        open_link(empty_database, writes=False) as link,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        link.connection.execute("create table x ()")


def test_dollar_quotes_and_atomic_bodies_stay_whole(empty_database: str, tmp_path: Path) -> None:
    """Where sqlparse splits wrongly: nested comments, a backslash, columns named begin."""
    write(
        tmp_path,
        A,
        r"""
        /* a /* nested ; */ comment; */
        create table t (declare_ int, "begin" int default 1, path text default 'c:\');
        create function f() returns int begin atomic select 1; select 2; end;
        create function g() returns trigger language plpgsql as $body$
        declare x text := $in$ ; $in$;
        begin return new; end;
        $body$;
        insert into t (path) values (default), ('it''s;');
        """,
    )
    migrate(empty_database, tmp_path)
    assert fetch(empty_database, "select f()") == [2]
