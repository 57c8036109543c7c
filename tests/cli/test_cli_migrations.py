"""The verbs about migrations as a person uses them: exit codes, JSON, questions, progress."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import called, on_a_terminal
from support.migrations import applied, fetch, tables, three_tables, write

A, B, C = (f"2026010{n}000000_create_{name}" for n, name in enumerate("abc", 1))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three migrations."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    three_tables(tmp_path / "migrations")
    return tmp_path


@dataclass(frozen=True)
class Result:
    """What a command said."""

    stdout: str
    stderr: str


def run(project: Path, url: str, *words: str, code: int = 0, **environment: str) -> Result:
    """Run a command in a project, in this process, and expect an exit code."""
    returned, out, err = called(words, project, {"DATABASE_URL": url, **environment})
    assert returned == code, out + err
    return Result(out, err)


def document(project: Path, url: str, *words: str, code: int = 0) -> Any:
    """Return the one JSON document of a command."""
    return json.loads(run(project, url, *words, "--json", code=code).stdout)


def test_migrate_status_rollback(project: Path, empty_database: str) -> None:
    """Through the whole life, in JSON."""
    assert document(project, empty_database, "migrate", "--check", code=1) == {
        "pending": [{"id": A}, {"id": B}, {"id": C}]
    }
    done = document(project, empty_database, "migrate", "--to", "20260102000000")
    assert [entry["id"] for entry in done["applied"]] == [A, B]
    assert all(isinstance(entry["duration_ms"], int) for entry in done["applied"])
    status = document(project, empty_database, "status")
    assert status["database"] == psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"]
    first, _, last = status["migrations"]
    words = {"id", "state", "applied_at", "duration_ms", "checksum", "rollback", "recorded_as"}
    assert set(first) == words
    assert (first["state"], first["rollback"]) == ("applied", "file")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", first["applied_at"])
    assert (last["state"], last["applied_at"]) == ("pending", None)
    assert document(project, empty_database, "migrate", "--check", "--to", B) == {"pending": []}
    undone = document(project, empty_database, "rollback", "--steps", "2")
    assert [entry["id"] for entry in undone["rolled_back"]] == [B, A]
    assert tables(empty_database) == []
    run(project, empty_database, "migrate")
    assert document(project, empty_database, "status")["migrations"][-1]["state"] == "applied"


def test_data_goes_to_stdout_and_the_rest_to_stderr(project: Path, empty_database: str) -> None:
    """A pipe gets plain lines, without control characters."""
    result = run(project, empty_database, "migrate")
    assert result.stdout == ""
    assert f"applied {A}" in result.stderr and "3 migrations applied" in result.stderr
    assert "\x1b" not in result.stderr and "\r" not in result.stderr
    assert run(project, empty_database, "migrate").stderr == "nothing to apply\n"
    assert run(project, empty_database, "migrate", "--quiet").stderr == ""


def test_a_dry_run_shows_the_sql(project: Path, empty_database: str) -> None:
    """As it would run, and nothing is made."""
    shown = run(project, empty_database, "migrate", "--dry-run").stdout
    assert "create table a" in shown and "begin;" in shown and "migrations/" in shown
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


def test_a_failure_is_shown_at_its_place(project: Path, empty_database: str) -> None:
    """Exit code 3; the form of the style guide."""
    write(
        project / "migrations",
        "20260104000000_add_due_at",
        "create table tasks (id int);\ncreate index idx_tasks_due on tasks (du_at);\n",
    )
    said = run(project, empty_database, "migrate", code=3).stderr
    where = "migrations/20260104000000_add_due_at.sql:2:"
    assert re.search(rf"error\[M301\] {re.escape(where)}\d+: column \"du_at\" does not exist", said)
    assert "\n  2 | create index idx_tasks_due on tasks (du_at);\n" in said
    assert "cause: PostgreSQL 42703 in statement 2 of 2; the transaction was rolled back" in said
    assert "fix: correct the migration, then run `todo-sql migrate` again" in said
    assert tables(empty_database) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nonsense.sql", "select 1;", "not a version"),
        ("20260103000000_twin.sql", "-- irreversible: x\nselect 1;", "taken by"),
        ("20260105000000_alone.sql", "select 1;", "rollback file is missing"),
        ("20260105000000_syntax.sql", "-- irreversible: x\nselect 1;\nselect form;;from", "syntax"),
    ],
)
def test_a_wrong_file_is_exit_code_2(
    project: Path, empty_database: str, name: str, text: str, words: str
) -> None:
    """The database is not touched."""
    (project / "migrations" / name).write_text(text)
    said = run(project, empty_database, "migrate", code=2).stderr
    assert words in said and f"migrations/{name}:" in said
    assert "the database was not touched" in said
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]
    findings = document(project, empty_database, "migrate", code=2)["findings"]
    assert findings[0]["file"] == f"migrations/{name}"


def test_bad_requests_have_their_exit_codes(project: Path, empty_database: str) -> None:
    """2 for the command, 1 for the folder against the ledger, 3 for the server."""
    run(project, empty_database, "migrate", "--to", "20991231000000", code=2)
    run(project, empty_database, "migrate", "--dry-run", "--check", code=2)
    run(project, empty_database, "rollback", "--to", A, code=2)
    run(project, "mysql://root@localhost/shop", "migrate", code=2)
    run(project, "postgresql://postgres@127.0.0.1:1/none", "migrate", code=3)
    run(project, empty_database.replace("postgresql://", "postgresql://x"), "migrate", code=3)
    run(project, empty_database, "migrate")
    (project / "migrations" / f"{A}.sql").write_text("create table other ();")
    said = run(project, empty_database, "migrate", code=1).stderr
    assert "was modified after it was applied" in said and "todo-sql repair" in said


def test_rollback_asks_before_rows_are_lost(project: Path, empty_database: str) -> None:
    """Without a terminal and without `--yes`, nothing is done."""
    run(project, empty_database, "migrate")
    fetch(empty_database, "insert into c values (1), (2) returning id")
    said = run(project, empty_database, "rollback", code=2).stderr
    assert "this loses c (2 rows)" in said and "--yes" in said
    assert len(applied(empty_database)) == 3
    run(project, empty_database, "rollback", "--yes")
    run(project, empty_database, "rollback")  # an empty table is no loss
    assert tables(empty_database) == ["a"]
    preview = document(project, empty_database, "rollback", "--dry-run")
    assert [entry["id"] for entry in preview["to_roll_back"]] == [A]


def test_status_shows_every_state(project: Path, empty_database: str) -> None:
    """In the table and in JSON."""
    folder = project / "migrations"
    run(project, empty_database, "migrate")
    (folder / f"{A}.sql").write_text("create table other ();")
    (folder / f"{B}.sql").unlink()
    (folder / f"{B}.rollback.sql").unlink()
    write(folder, "20260102120000_late", "select 1;")
    write(folder, "20260109000000_next", "-- irreversible: x\nselect 1;", None)
    states = {
        entry["id"]: (entry["state"], entry["rollback"])
        for entry in document(project, empty_database, "status", code=1)["migrations"]
    }
    assert states == {
        A: ("modified", "file"),
        B: ("missing", "missing"),
        "20260102120000_late": ("out_of_order", "file"),
        C: ("applied", "file"),
        "20260109000000_next": ("pending", "irreversible"),
    }
    table = run(project, empty_database, "status", code=1).stdout
    assert "was " in table and "applied by todo-sql" in table


def test_repair_shows_each_change_and_asks(project: Path, empty_database: str) -> None:
    """A modified file's checksum is taken, a missing migration struck."""
    folder = project / "migrations"
    run(project, empty_database, "migrate")
    (folder / f"{A}.sql").write_text("create table a (id bigint primary key); -- why\n")
    (folder / f"{B}.sql").unlink()
    (folder / f"{B}.rollback.sql").unlink()
    said = run(project, empty_database, "repair", code=2).stderr
    assert f"{A}: checksum" in said and f"{B}: remove it" in said
    run(project, empty_database, "migrate", code=1)
    assert len(document(project, empty_database, "repair", "--dry-run")["changes"]) == 2
    run(project, empty_database, "repair", "--yes")
    assert applied(empty_database) == [A, C]
    assert fetch(empty_database, "select operation from _yoyo_log order by 1")[-1] == "unmark"
    assert run(project, empty_database, "migrate").stderr == "nothing to apply\n"
    assert "nothing to repair" in run(project, empty_database, "repair").stderr


def test_baseline_adopts_what_the_migrations_would_have_made(
    project: Path, empty_database: str, server: Any
) -> None:
    """Made by hand in another spelling; a different schema is refused unless told."""
    scratch = server.url()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table a (id int8 not null)")
        connection.execute("create table b (id int8 primary key)")
        connection.execute("create table alembic_version (version_num text)")
    words = ("baseline", B)
    said = run(project, empty_database, *words, code=1, TODO_SQL_SCRATCH_URL=scratch).stderr
    assert "public.a" in said and "nothing was recorded" in said
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("alter table a add primary key (id)")
    run(project, empty_database, *words, TODO_SQL_SCRATCH_URL=scratch)
    assert applied(empty_database) == [A, B]
    assert fetch(empty_database, "select operation from _yoyo_log") == ["mark", "mark"]
    assert [entry["id"] for entry in document(project, empty_database, "migrate")["applied"]] == [C]
    run(project, empty_database, "rollback")
    run(project, empty_database, "baseline", C, code=1, TODO_SQL_SCRATCH_URL=scratch)
    run(project, empty_database, "baseline", C, "--force", TODO_SQL_SCRATCH_URL=scratch)
    assert applied(empty_database) == [A, B, C]


def test_new_writes_a_pair(project: Path, empty_database: str) -> None:
    """After every other version; a template is not applied before it is written."""
    (new,) = {
        path.split(".")[0]
        for path in run(project, empty_database, "new", "Add notes!").stdout.split()
    }
    assert re.fullmatch(r"migrations/\d{14}_add_notes", new)
    write(project / "migrations", "29991231235959_far", "select 1;")
    later = document(project, empty_database, "new", "more")["id"]
    assert later == "30000101000000_more"
    said = run(project, empty_database, "migrate", code=2).stderr
    assert "still the template" in said
    run(project, empty_database, "new", "!!", code=2)


def test_the_name_of_a_new_migration_is_of_ascii(project: Path) -> None:
    """Accents are taken off; a letter that has no plain form is named."""
    assert document(project, "", "new", "Größe für Café")["id"].endswith("_grosse_fur_cafe")
    assert "`日` cannot stand" in run(project, "", "new", "add 日本", code=2).stderr


def test_the_packaged_project_is_not_for_new(tmp_path: Path) -> None:
    """Where no project is found, none is written into."""
    assert "no project" in run(tmp_path, "", "new", "x", code=2).stderr


def test_progress_on_a_terminal(project: Path, empty_database: str) -> None:
    """A line with a running clock; the statement that takes long is named; it is wiped."""
    write(
        project / "migrations",
        "20260104000000_slow",
        "select 1;\nselect pg_sleep(2.5);\n",
    )
    code, text = on_a_terminal("migrate", cwd=project, DATABASE_URL=empty_database)
    assert code == 0
    assert "[4/4] applying 20260104000000_slow" in text
    assert "select pg_sleep(2.5)" in text
    assert len(set(re.findall(r"slow (\d+ ms|\d\.\d s)", text))) >= 3
    assert text.rstrip().splitlines()[-1].endswith("4 migrations applied in 2.5 s") or (
        "4 migrations applied in" in text
    )


def test_a_draft_hinders_applying_but_not_undoing(project: Path, empty_database: str) -> None:
    """What `new` wrote and nobody has finished stops `migrate` alone."""
    run(project, empty_database, "migrate", "--to", B)
    run(project, empty_database, "new", "add_more")
    assert "M120" in run(project, empty_database, "migrate", code=2).stderr
    undone = document(project, empty_database, "rollback", "--yes")
    assert [entry["id"] for entry in undone["rolled_back"]] == [B]
