"""Hooks around a run, and values from outside."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support.commands import todo_sql
from support.database import Server
from support.migrations import Recorder, fetch, tables, write

from todo_sql.errors import ConfigError, Finding
from todo_sql.migrations.files.beside import load_whole
from todo_sql.migrations.files.from_outside import FromOutside
from todo_sql.migrations.migration_errors import InvalidFiles, MigrationFailed
from todo_sql.migrations.migrator import Migrator

pytestmark = pytest.mark.database

FIRST, SECOND, THIRD = "20260101000000_a", "20260102000000_b", "20260103000000_c"
SEEN = "select what from seen order by n"
NOTE = "insert into seen (what) values ('{}' || coalesce(current_setting('{}', true), ''));"


class Warned(Recorder):
    """Keeps warnings and notices, too."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []

    def warning(self, finding: Finding) -> None:
        """Keep a warning."""
        self.findings.append(finding)

    def notice(self, finding: Finding) -> None:
        """Keep a notice."""
        self.findings.append(finding)


def of(
    url: str, folder: Path, outside: FromOutside | None = None, told: Recorder | None = None
) -> Migrator:
    """Return the migrator of a folder with what lies beside."""
    return Migrator(url, load_whole(folder, folder, outside), events=told)


def hook(folder: Path, name: str, text: str) -> None:
    """Write a hook."""
    (folder / "hooks").mkdir(exist_ok=True)
    (folder / "hooks" / f"{name}.sql").write_text(text)


@pytest.fixture
def hooked(tmp_path: Path, empty_database: str) -> Path:
    """A folder of three migrations, one of them in no transaction, with every hook."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "create table seen (n int generated always as identity, what text not null)"
        )
    write(tmp_path, FIRST, "create table a ();", "drop table a;")
    write(
        tmp_path,
        SECOND,
        "-- transactional: false\ncreate table if not exists b ();",
        "drop table b;",
    )
    write(tmp_path, THIRD, "create table c ();", "drop table c;")
    hook(tmp_path, "before", NOTE.format("before", "todo_sql.migration"))
    hook(tmp_path, "after", NOTE.format("after", "todo_sql.migration"))
    hook(tmp_path, "after_each", NOTE.format("each ", "todo_sql.migration"))
    hook(
        tmp_path,
        "on_error",
        NOTE.format("error ", "todo_sql.sqlstate") + NOTE.format("at ", "todo_sql.migration"),
    )
    return tmp_path


def test_hooks_run_around_a_run(hooked: Path, empty_database: str) -> None:
    """Before and after it, after each migration; none where nothing is to be done."""
    assert len(of(empty_database, hooked).migrate()) == 3
    wanted = ["before", f"each {FIRST}", f"each {SECOND}", f"each {THIRD}", "after"]
    assert fetch(empty_database, SEEN) == wanted
    assert of(empty_database, hooked).migrate() == []
    assert fetch(empty_database, SEEN) == wanted
    assert len(of(empty_database, hooked).rollback(steps=3)) == 3
    assert fetch(empty_database, SEEN) == wanted


def test_before_that_fails_stops_the_run(hooked: Path, empty_database: str) -> None:
    """Nothing is run; the place is the hook's."""
    hook(hooked, "before", "select 1;\nselect 1 / 0;")
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, hooked).migrate()
    found = caught.value.finding
    assert found.place and (found.place.file, found.place.line) == ("hooks/before.sql", 2)
    assert "nothing was run" in (found.cause or "")
    assert tables(empty_database) == ["seen"]
    assert fetch(empty_database, SEEN) == []


@pytest.mark.parametrize("failing", [FIRST, SECOND])
def test_after_each_is_part_of_the_migration(
    hooked: Path, empty_database: str, failing: str
) -> None:
    """Where it fails, the migration is not applied, and the next run goes on from there."""
    hook(
        hooked,
        "after_each",
        f"do $$ begin if current_setting('todo_sql.migration') = '{failing}' then\n"
        "raise exception 'not this one'; end if; end $$;",
    )
    with pytest.raises(MigrationFailed, match="not this one") as caught:
        of(empty_database, hooked).migrate()
    place = caught.value.finding.place
    assert place and place.file == "hooks/after_each.sql"
    assert fetch(empty_database, SEEN) == ["before", "error P0001", f"at {failing}"]
    assert ("a" in tables(empty_database)) == (failing == SECOND)
    hook(hooked, "after_each", "select 1;")
    assert len(of(empty_database, hooked).migrate()) == (3 if failing == FIRST else 2)
    assert tables(empty_database) == ["a", "b", "c", "seen"]


def test_after_that_fails_leaves_what_was_applied(hooked: Path, empty_database: str) -> None:
    """The error says so; everything is recorded."""
    hook(hooked, "after", "select 1 / 0;")
    with pytest.raises(MigrationFailed) as caught:
        of(empty_database, hooked).migrate()
    assert "is applied and recorded" in (caught.value.finding.cause or "")
    assert tables(empty_database) == ["a", "b", "c", "seen"]
    assert of(empty_database, hooked).migrate() == []


def test_on_error_that_fails_is_told_beside(hooked: Path, empty_database: str) -> None:
    """The migration's own error is the one that is raised."""
    hook(hooked, "on_error", "select nothing_like_it;")
    write(hooked, THIRD, "select 1 / 0;")
    told = Warned()
    with pytest.raises(MigrationFailed, match="division by zero"):
        of(empty_database, hooked, told=told).migrate()
    assert [one.code for one in told.findings] == ["M341"]
    assert told.findings[0].place and told.findings[0].place.file == "hooks/on_error.sql"


def test_session_state_of_a_hook_reaches_no_migration(hooked: Path, empty_database: str) -> None:
    """Nor that of a migration the hook after it."""
    hook(hooked, "before", "create schema other;\nset search_path = other;\nset work_mem = '1MB';")
    hook(hooked, "after_each", "insert into public.seen (what) select current_schema();")
    write(hooked, FIRST, "create table a ();\nset search_path = other;")
    of(empty_database, hooked).migrate()
    assert tables(empty_database) == ["a", "b", "c", "seen"]
    assert fetch(empty_database, SEEN)[:3] == ["public"] * 3


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("befor", "select 1;", "M113"),
        ("after", "-- transactional: false\nvacuum;", "M114"),
        ("after", "-- depends: a\nselect 1;", "M114"),
        ("after", "commit;", "M124"),
        ("on_error", "vacuum;", "M128"),
    ],
)
def test_a_wrong_hook_is_told_before_anything_runs(
    hooked: Path, empty_database: str, name: str, text: str, code: str
) -> None:
    """Unknown names, directives without meaning, statements that no migration may hold."""
    hook(hooked, name, text)
    with pytest.raises(InvalidFiles) as caught:
        of(empty_database, hooked).migrate()
    assert [one.code for one in caught.value.findings] == [code]
    assert fetch(empty_database, SEEN) == []


READ = "create table got (v text); insert into got select current_setting('app.key');"


@pytest.mark.parametrize("directive", ["", "-- transactional: false\n"])
def test_values_are_read_in_every_file(tmp_path: Path, empty_database: str, directive: str) -> None:
    """In migrations of both sorts, rollbacks, repeatable files and hooks."""
    insert = "insert into got values (current_setting('app.key'))"
    write(tmp_path, FIRST, "create table got (v text);", "drop table got;")
    body = f"do $$ begin {insert}; end $$;" if directive else f"{insert};"
    allow = "-- allow: unknown-fate it may stand there twice\n" if directive else ""
    write(tmp_path, SECOND, f"{directive}{allow}{body}", f"{directive}{allow}{body}")
    hook(tmp_path, "before", "select current_setting('app.key') || '';")
    hook(tmp_path, "after", f"{insert};")
    (tmp_path / "repeatable").mkdir()
    (tmp_path / "repeatable" / "r.sql").write_text(f"{insert};")
    outside = FromOutside({"app.key": 'it\'s ${WHO} $$ \\ "x"'}, {"WHO": "ann's"})
    of(empty_database, tmp_path, outside).migrate()
    of(empty_database, tmp_path, outside).rollback()
    value = "it's ann's $ \\ \"x\""
    assert set(fetch(empty_database, "select v from got")) == {value}
    wrote = 4  # the migration, the repeatable file, the hook and the rollback
    assert fetch(empty_database, "select count(*) from got") == [wrote]
    with psycopg.connect(empty_database) as connection:
        found = connection.execute("select current_setting('app.key', true)").fetchone()
        assert found in ((None,), ("",))


@pytest.mark.parametrize(
    ("text", "environment", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A}", {"A": ""}, ""),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-}", {}, ""),
        ("a ${A} b ${B:-c} $5 $$${A}", {"A": "x"}, "a x b c $5 $x"),
    ],
)
def test_references(text: str, environment: dict[str, str], value: str) -> None:
    """As a shell has them."""
    assert FromOutside({"a.b": text}, environment).resolved().values == {"a.b": value}


@pytest.mark.parametrize(("text", "code"), [("${A}", "U209"), ("${}", "U208"), ("${1}", "U208")])
def test_what_is_missing_is_an_error_before_anything_runs(
    tmp_path: Path, empty_database: str, text: str, code: str
) -> None:
    """Nothing is made, not the ledger either."""
    write(tmp_path, FIRST, READ)
    with pytest.raises(ConfigError) as caught:
        of(empty_database, tmp_path, FromOutside({"app.key": text}, {})).migrate()
    assert caught.value.finding.code == code
    assert tables(empty_database) == []
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


LEAKS = {
    "a cast": "select current_setting('app.key')::int;",
    "raised": "do $$ begin raise exception using message = current_setting('app.key'),"
    " detail = 'detail ' || current_setting('app.key'), hint = current_setting('app.key');"
    " end $$;",
    "a key": "create table k (v text primary key); insert into k select"
    " current_setting('app.key') from generate_series(1, 2);",
    "a notice": "do $$ begin raise warning '%', current_setting('app.key'); end $$; select 1 / 0;",
    "dynamic": "do $$ begin execute 'select ' || quote_literal(current_setting('app.key'))"
    " || '::int'; end $$;",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_secrets_are_in_no_message(
    tmp_path: Path, empty_database: str, leak: str, server: Server
) -> None:
    """Nor in the ledger, the hook for failures, or what the command prints."""
    secret = "hunter2-S3cr3t"
    (tmp_path / "pyproject.toml").write_text(
        "[tool.todo-sql.settings]\n'app.key' = '${MY_KEY}'\n'app.name' = 'plain'\n"
    )
    folder = tmp_path / "migrations"
    write(folder, FIRST, "create table seen (what text);", "drop table seen;")
    write(folder, SECOND, LEAKS[leak])
    hook(folder, "on_error", "insert into seen values (current_setting('todo_sql.error'));")
    run = partial(
        todo_sql,
        cwd=tmp_path,
        DATABASE_URL=empty_database,
        TODO_SQL_SCRATCH_URL=server.url(),
        MY_KEY=secret,
    )
    for words in (("migrate", "-v"), ("migrate", "--json"), ("status", "--json"), ("verify",)):
        answer = run(*words)
        said = answer.stdout + answer.stderr
        assert secret not in said, said
        assert (answer.returncode != 0) == (words[0] != "status")
    assert "<MY_KEY>" in run("migrate").stderr
    with psycopg.connect(empty_database) as connection:
        for table in ("_yoyo_migration", "_yoyo_log", "_todo_sql_ledger", "seen"):
            rows = connection.execute(f"select t::text from {table} as t".encode()).fetchall()
            assert secret not in str(rows)
    missing = todo_sql("migrate", "--json", cwd=tmp_path, DATABASE_URL=empty_database)
    assert missing.returncode == 2
    assert json.loads(missing.stdout)["error"]["code"] == "U209"


def test_a_secret_is_not_in_the_servers_log(
    tmp_path: Path, superuser_database: str, server: Server
) -> None:
    """Where the migrating role may say so, the server logs no parameters."""
    secret = "only-once-5ecret"
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute("select set_config('log_statement', 'all', false)")
        name = connection.info.dbname
        connection.execute(f"alter database {name} set log_statement = 'all'".encode())
        connection.execute(f"alter database {name} set log_min_duration_statement = 0".encode())
    write(tmp_path, FIRST, READ)
    write(tmp_path, SECOND, "-- transactional: false\ncreate table if not exists b ();")
    of(superuser_database, tmp_path, FromOutside({"app.key": "${K}"}, {"K": secret})).migrate()
    assert fetch(superuser_database, "select v from got") == [secret]
    log = server.embedded.status().log
    assert "create table got" in log.read_text(errors="replace")
    assert secret not in log.read_text(errors="replace")
