"""What role, database, URL and environment say does not change what a run does."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.database import Server
from support.migrations import Recorder, applied, fetch, migrator, write

from todo_sql.migrations.migration_errors import LedgerError, MigrationFailed, TargetRefused

pytestmark = pytest.mark.database

ID = "20260101000000_first"
DAY, READ = "2026-01-01", "read committed"
PAY = (
    "create table if not exists public.payments (amount integer);\n"
    "insert into public.payments values (100);"
)


def alter(url: str, what: str) -> None:
    """Run ``alter database …`` on the database of a URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("alter database {} ").format(name) + sql.SQL(what))


@pytest.mark.parametrize(
    ("setting", "value", "statement", "wanted"),
    [
        ("standard_conforming_strings", "off", r"select 'a\\b'", r"a\\b"),
        ("DateStyle", "German, DMY", "select '02/03/2026'::date - '2026-02-03'", "0"),
        (
            "IntervalStyle",
            "sql_standard",
            "select ('-1 1:00'::interval)::text",
            "-1 days +01:00:00",
        ),
        (
            "TimeZone",
            "Asia/Tokyo",
            "select timestamptz '2026-01-01' at time zone 'utc'",
            "2026-01-01",
        ),
        ("bytea_output", "escape", r"select '\x00'::bytea::text", r"\x00"),
        ("array_nulls", "off", "select ('{null}'::text[])[1] is null", "true"),
        ("quote_all_identifiers", "on", "select quote_ident('a')", "a"),
        ("xmloption", "document", "select current_setting('xmloption')", "content"),
        (
            "extra_float_digits",
            "-5",
            "select 0.1234567890123456::float8::text",
            "0.1234567890123456",
        ),
        (
            "default_transaction_isolation",
            "serializable",
            "show transaction_isolation",
            "read committed",
        ),
        ("transform_null_equals", "on", "select (null = null) is null", "true"),
        ("check_function_bodies", "off", "show check_function_bodies", "on"),
        ("session_replication_role", "replica", "show session_replication_role", "origin"),
        ("row_security", "on", "show row_security", "off"),
        ("synchronous_commit", "off", "show synchronous_commit", "on"),
        ("default_tablespace", "pg_default", "show default_tablespace", ""),
        ("plpgsql.variable_conflict", "use_column", "show plpgsql.variable_conflict", "error"),
        ("statement_timeout", "100ms", "select pg_sleep(0.3)", ""),
        ("idle_session_timeout", "400ms", "select 1", "1"),
        ("client_min_messages", "error", "show client_min_messages", "notice"),
    ],
)
@pytest.mark.parametrize("by", ["database", "url"])
def test_a_setting_is_set_aside_and_told(
    tmp_path: Path,
    superuser_database: str,
    setting: str,
    value: str,
    statement: str,
    wanted: str,
    by: str,
) -> None:
    """Whoever set it, a statement of a migration runs as without it, in every file."""
    as_query = (
        statement
        if statement.startswith("select")
        else (f"select current_setting('{statement.removeprefix('show ')}')")
    )
    for number in (1, 2):
        check = f"values (({as_query})::text)" if "pg_sleep" not in statement else as_query
        text = f"create table t{number} (v text);\ninsert into t{number} {check};"
        write(tmp_path, f"2026010{number}000000_file", text)
    url = superuser_database
    if by == "database":
        alter(url, f"set {setting} = '{value}'" if "," not in value else f"set {setting} = {value}")
    else:
        quoted = value.replace(" ", "\\ ").replace(" ", "%20").replace("\\", "%5C")
        url += ("&" if "?" in url else "?") + f"options=-c%20{setting}%3D{quoted}"
    told = Recorder()
    migrator(url, tmp_path, told).migrate()
    said = [note for note in told.notes if setting in note]
    if setting not in ("row_security", "client_min_messages"):
        assert len(said) == 1 and "for this run" in said[0]
    with psycopg.connect(superuser_database) as connection:
        for number in (1, 2):
            found = connection.execute(f"select v from t{number}".encode()).fetchall()
            assert [str(row[0]).removesuffix(" 00:00:00") for row in found] == [wanted]


def test_what_the_server_says_by_itself_is_left_alone(tmp_path: Path, empty_database: str) -> None:
    """Its configuration file is no surprise, and nothing is told."""
    write(tmp_path, ID, "select 1;")
    told = Recorder()
    migrator(empty_database, tmp_path, told).migrate()
    assert told.notes == []


def test_what_may_not_be_set_back_is_refused(
    tmp_path: Path, superuser_database: str, server: Server
) -> None:
    """A plain role whose triggers are switched off by a superuser."""
    role = sql.Identifier("without_triggers")
    with psycopg.connect(superuser_database, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create role {} login password {}").format(role, sql.Literal(server.password))
        )
        admin.execute(sql.SQL("alter role {} set session_replication_role = replica").format(role))
        admin.execute(sql.SQL("grant create on schema public to {}").format(role))
        try:
            write(tmp_path, ID, "create table t ();")
            url = server.url(admin.info.dbname, user="without_triggers")
            with pytest.raises(TargetRefused) as caught:
                migrator(url, tmp_path).migrate()
            assert caught.value.finding.code == "M508"
            assert "session_replication_role" in caught.value.finding.message
        finally:
            admin.execute(sql.SQL("drop owned by {}").format(role))
            admin.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize("setting", ["transaction_timeout", "idle_in_transaction_session_timeout"])
def test_a_session_that_the_server_ends_is_told_in_its_words(
    tmp_path: Path, superuser_database: str, server: Server, setting: str
) -> None:
    """A file may set such a limit itself: 25P04 and 25P03, and what to raise."""
    if setting == "transaction_timeout" and server.version < 17:
        pytest.skip("new in PostgreSQL 17")
    if setting == "transaction_timeout":
        write(tmp_path, ID, "set transaction_timeout = '100ms';\nselect pg_sleep(1);")
        with pytest.raises(MigrationFailed) as caught:
            migrator(superuser_database, tmp_path).migrate()
        found = caught.value.finding
        assert "transaction timeout" in found.message and "raise transaction_timeout" in (
            found.fix or ""
        )
    alter(superuser_database, f"set {setting} = '200ms'")
    write(tmp_path, ID, "select pg_sleep(0.6);")
    assert migrator(superuser_database, tmp_path).migrate()


@pytest.mark.parametrize("path", ["app", "app, public", '"Odd ""Path"""', "none_such, app"])
def test_a_changed_search_path_loses_no_ledger(
    tmp_path: Path, superuser_database: str, path: str
) -> None:
    """What was applied is applied, whatever the path says now; no second ledger is made."""
    write(tmp_path, ID, PAY)
    assert migrator(superuser_database, tmp_path).migrate()
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute('create schema app; create schema "Odd ""Path"""')
    alter(superuser_database, f"set search_path = {path}")
    told = Recorder()
    assert migrator(superuser_database, tmp_path, told).migrate() == []
    (entry,) = migrator(superuser_database, tmp_path).status().entries
    assert entry.state == "applied"
    write(tmp_path, "20260102000000_second", "create table second ();", "drop table second;")
    told = Recorder()
    assert len(migrator(superuser_database, tmp_path, told).migrate()) == 1
    assert fetch(superuser_database, "select amount from public.payments") == [100]
    ledgers = "select relnamespace::regnamespace::text from pg_class where relname = "
    assert fetch(superuser_database, f"{ledgers}'_yoyo_migration'") == ["public"]
    if "public" not in path:
        assert any("ledger is in schema public" in note for note in told.notes)
    assert len(migrator(superuser_database, tmp_path).rollback()) == 1


def test_a_file_that_changes_the_path_of_the_database(
    tmp_path: Path, superuser_database: str
) -> None:
    """The next run still finds the ledger."""
    write(
        tmp_path,
        ID,
        "create schema app;\ndo $$ begin execute format("
        "'alter database %I set search_path = app', current_database()); end $$;",
    )
    assert migrator(superuser_database, tmp_path).migrate()
    assert migrator(superuser_database, tmp_path).migrate() == []


def test_another_projects_ledger_is_not_taken(tmp_path: Path, superuser_database: str) -> None:
    """One off the path that knows nothing of the folder, or one of several, is refused."""
    write(tmp_path / "one", ID, "select 1;")
    migrator(superuser_database, tmp_path / "one").migrate()
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute("create schema app; create schema more")
    alter(superuser_database, "set search_path = app")
    write(tmp_path / "two", "20260202000000_other", "create table t ();")
    with pytest.raises(LedgerError) as caught:
        migrator(superuser_database, tmp_path / "two").migrate()
    assert caught.value.finding.code == "M406" and "public" in caught.value.finding.message
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        for table in ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "_todo_sql_ledger"):
            connection.execute(f"create table more.{table} (like public.{table})".encode())
    with pytest.raises(LedgerError) as caught:
        migrator(superuser_database, tmp_path / "one").migrate()
    assert caught.value.finding.code == "M406" and "more" in caught.value.finding.message
    alter(superuser_database, "reset search_path")
    assert migrator(superuser_database, tmp_path / "one").migrate() == []
    assert applied(superuser_database) == [ID]
