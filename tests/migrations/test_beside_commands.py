"""Every command knows repeatable files, hooks, values from outside and several folders."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from support.commands import todo_sql
from support.database import Server
from support.migrations import fetch, write

from todo_sql.migrations.files.beside import load_whole
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import InvalidFiles, LedgerMismatch
from todo_sql.migrations.migrator import Migrator

pytestmark = pytest.mark.database

FIRST, MORE = "20260101000000_items", "20250101000000_more"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with all of them."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.todo-sql]\nmigrations = ['migrations', 'more']\n"
        "settings = { 'app.word' = '${WORD:-plain}' }\n"
    )
    write(
        tmp_path / "migrations",
        FIRST,
        "create table items (id int primary key, title text not null);\n"
        "comment on table items is 'Items.';",
        "drop table items;",
    )
    (tmp_path / "more").mkdir()
    write(
        tmp_path / "more",
        MORE,
        "alter table items add column word text;\n"
        "update items set word = current_setting('app.word');",
        "alter table items drop column word;",
    )
    beside = tmp_path / "migrations" / "repeatable"
    beside.mkdir()
    (beside / "a.sql").write_text(
        "-- The titles.\ncreate or replace view a as select id, title from items;\n"
    )
    (beside / "b.sql").write_text(
        "-- depends: a\n-- What stands on it.\ncreate or replace view b as select title from a;\n"
    )
    (tmp_path / "migrations" / "hooks").mkdir()
    (tmp_path / "migrations" / "hooks" / "after.sql").write_text(
        "-- Who may read.\ngrant select on a to public;\n"
    )
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "items.sql").write_text(
        "-- name: titles :many\nselect title from a order by title;\n"
    )
    return tmp_path


def test_every_command(project: Path, empty_database: str, server: Server) -> None:
    """Dry run, plan, migrate, status, drift, verify, check, docs, lint, rollback."""
    run = partial(
        todo_sql, cwd=project, DATABASE_URL=empty_database, TODO_SQL_SCRATCH_URL=server.url()
    )

    def document(*words: str, code: int = 0) -> dict[str, object]:
        answer = run(*words, "--json")
        assert answer.returncode == code, answer.stdout + answer.stderr
        found: dict[str, object] = json.loads(answer.stdout)
        return found

    every = [FIRST, MORE, "repeatable/a", "repeatable/b"]
    pending = document("migrate", "--dry-run")["pending"]
    assert [one["id"] for one in pending] == every  # type: ignore[attr-defined]
    applied = document("migrate")["applied"]
    assert [one["id"] for one in applied] == every  # type: ignore[attr-defined]
    status = document("status")
    assert [one["state"] for one in status["repeatables"]] == ["applied"] * 2  # type: ignore[attr-defined]
    assert run("drift").returncode == 0
    proofs = document("verify")["migrations"]
    assert [one["outcome"] for one in proofs] == ["reversible"] * 2 + ["repeatable"] * 2  # type: ignore[attr-defined]
    assert run("check").returncode == 0
    assert run("docs").returncode == 0
    written = (project / "specs" / "database" / "migrations.md").read_text()
    assert "The titles." in written and "Who may read." in written
    assert "view a" in (project / "specs" / "database" / "schema.sql").read_text().replace(
        "public.", ""
    )
    a = project / "migrations" / "repeatable" / "a.sql"
    a.write_text("create or replace view a as select id, title as name from items;\n")
    drift = run("drift")
    assert drift.returncode == 0 and "compared with the text that ran last" in drift.stderr
    b = a.with_name("b.sql")
    b.write_text("-- depends: a\ncreate or replace view b as select name from a;\n")
    lint = run("lint")
    assert "migrations/repeatable/b.sql" not in lint.stdout or lint.returncode in (0, 1)
    assert run("check").returncode == 1
    assert run("docs", "--check").returncode == 1
    assert fetch(empty_database, "select count(*) from b") == [0]
    done = document("rollback", "--yes")["rolled_back"]
    assert [one["id"] for one in done] == [MORE]  # type: ignore[attr-defined]
    assert fetch(empty_database, "select to_regclass('a')::text") == [None]


def test_plan_tells_what_a_file_replaces(project: Path, empty_database: str) -> None:
    """The difference of the text, what is made again, the query that breaks."""
    run = partial(todo_sql, cwd=project, DATABASE_URL=empty_database)
    assert run("migrate").returncode == 0
    a = project / "migrations" / "repeatable" / "a.sql"
    a.write_text("create or replace view a as select id, title as name from items;\n")
    a.with_name("b.sql").write_text(
        "-- depends: a\ncreate or replace view b as select name from a;\n"
    )
    plan = json.loads(run("plan", "--json").stdout)
    (first, _) = plan["migrations"]
    assert first["id"] == "repeatable/a"
    assert "+create or replace view a as select id, title as name from items;" in first["diff"]
    assert first["remade"] == ["view public.a", "view public.b"]
    assert [one["query"] for one in first["broken"]] == ["titles"]
    markdown = run("plan", "--markdown").stdout
    assert "```diff" in markdown and "ACCESS EXCLUSIVE" in markdown
    text = run("plan").stdout
    assert "| +create or replace view a" in text and "P108" not in text
    a.write_text("create or replace view a as select id from itms;\n")
    assert "itms" in run("plan").stdout


def test_folders_come_one_after_another(tmp_path: Path, empty_database: str) -> None:
    """All of one before the next, whatever their versions; order counts within a folder."""
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "20260102000000_b", "create table b ();", "drop table b;")
    write(two, "20250101000000_c", "create table c (like b);", "drop table c;")
    folders = [one, two]

    def of() -> Migrator:
        return Migrator(empty_database, load_whole(folders, tmp_path))

    assert [d.id for d in of().migrate()] == ["20260102000000_b", "20250101000000_c"]
    write(one, "20260103000000_d", "create table d ();", "drop table d;")
    assert [d.id for d in of().migrate()] == ["20260103000000_d"]
    write(two, "20240101000000_e", "create table e ();", "drop table e;")
    with pytest.raises(LedgerMismatch) as caught:
        of().migrate()
    assert [(f.code, "20250101000000_c" in f.message) for f in caught.value.findings] == [
        ("M203", True)
    ]
    assert len(of().migrate(allow_out_of_order=True)) == 1
    assert [d.id for d in of().rollback(steps=2)] == ["20240101000000_e", "20260103000000_d"]


def test_versions_are_unique_over_all_folders(tmp_path: Path) -> None:
    """The second of two is told, with its folder."""
    write(tmp_path / "one", "20260102000000_b", "select 1;")
    write(tmp_path / "two", "20260102000000_c", "select 1;")
    with pytest.raises(InvalidFiles) as caught:
        load([tmp_path / "one", tmp_path / "two"], tmp_path)
    (found,) = caught.value.findings
    assert found.code == "M107" and found.place and found.place.file.startswith("two/")
