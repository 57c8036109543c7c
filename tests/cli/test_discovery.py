"""Which project a command works on, by where it is run and what it is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.database import Server

from todo_sql.cli.app import main
from todo_sql.config import packaged_config
from todo_sql.errors import ExitCode

FIRST = "20260101000000_make_notes"
QUERY = "-- name: count_notes :one\n-- Count them.\nselect count(*) as notes\nfrom notes;\n"
STARTS = (".", "migrations", "migrations/2026", "queries", "deep/er", "made")
"""Folders of a project to run a command in."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """A project beside another one, and a database for neither."""
    root = tmp_path / "ours"
    for name in STARTS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text('[tool.todo-sql]\ngenerate = "made"\n')
    (root / "migrations" / "2026" / f"{FIRST}.sql").write_text(
        "create table notes (id bigint constraint notes_pkey primary key);\n"
        "comment on table notes is 'Notes.';\ncomment on column notes.id is 'Number.';\n"
    )
    (root / "migrations" / "2026" / f"{FIRST}.rollback.sql").write_text("drop table notes;\n")
    (root / "queries" / "notes.sql").write_text(QUERY)
    other = tmp_path / "theirs" / "migrations"
    other.mkdir(parents=True)
    (other / f"{FIRST}.sql").write_text("selec;\n")
    (other / f"{FIRST}.rollback.sql").write_text("selec;\n")
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    return root


def files(*folders: Path) -> dict[Path, bytes]:
    """Return every file below some folders with what it holds."""
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize(("start", "named"), [(".", True), *((start, False) for start in STARTS)])
def test_every_folder_of_a_project_is_in_it(
    project: Path,
    start: str,
    named: bool,
    empty_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Found upwards or named by a relative path: what is read and written is the project's."""
    here = project / start
    monkeypatch.chdir(here if not named else project.parent / "theirs")
    monkeypatch.setenv("DATABASE_URL", empty_database)
    words = ["--project", os.path.relpath(project)] if named else []
    before = files(project.parent)

    def run(*command: str) -> str:
        code = main([*words, *command])
        said = capsys.readouterr()
        assert code == ExitCode.OK, said
        return said.out

    run("lint")
    run("migrate")
    (entry,) = json.loads(run("status", "--json"))["migrations"]
    assert (entry["id"], entry["state"]) == (FIRST, "applied")
    run("check")
    run("generate")
    run("docs")
    assert json.loads(run("query", "count_notes", "--json"))
    run("new", "add_words")
    made = files(project.parent).keys() - before.keys()
    assert {path.relative_to(project).parts[0] for path in made} <= {
        *("migrations", "made", "specs", ".todo-sql"),
    }
    assert {path: text for path, text in files(project.parent).items() if path in before} == before
    assert any(path.name.endswith("_add_words.sql") for path in made)
    assert {"models.py", "notes.py"} & {path.name for path in made if path.parts[-2] == "made"}


@pytest.mark.parametrize(
    ("start", "path"),
    [
        (".", f"migrations/2026/{FIRST}.sql"),
        ("migrations", f"2026/{FIRST}.sql"),
        ("migrations/2026", f"{FIRST}.sql"),
        ("queries", f"../migrations/2026/{FIRST}.sql"),
        ("deep/er", f"../../migrations/2026/{FIRST}.sql"),
        ("deep/er", "../../migrations"),
        ("..", f"ours/migrations/2026/{FIRST}.sql"),
        ("../theirs", f"../ours/migrations/2026/{FIRST}.sql"),
    ],
)
def test_a_path_is_relative_to_where_one_stands(
    project: Path,
    start: str,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And is shown as the project has it."""
    monkeypatch.chdir(project / start)
    script = project / "migrations" / "2026" / f"{FIRST}.sql"
    script.write_text(script.read_text() + "lock table notes;\n")
    (project / "queries" / "notes.sql").write_text(QUERY + "delete from notes;\n")
    words = [] if project in (Path.cwd(), *Path.cwd().parents) else ["--project", "../ours"]
    if start == "..":
        words = ["--project", "ours"]
    assert main([*words, "--json", "lint", path]) == ExitCode.FINDINGS
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {one["file"] for one in found} == {f"migrations/2026/{FIRST}.sql"}
    assert [one["code"] for one in found] == ["R405"]


def test_outside_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is guessed, nothing is written."""
    monkeypatch.chdir(tmp_path)
    for verb in ("status", "migrate", "lint", "check", "generate", "docs", "verify", "plan"):
        assert main([verb]) == ExitCode.USAGE, verb
        assert "there is no project" in capsys.readouterr().err
    assert files(tmp_path) == {}


WRITING = (["new", "x"], ["docs"], ["generate"], ["lint", "--fix"], ["squash", "--to", "2026"])


def test_the_project_of_the_wheel(
    tmp_path: Path,
    empty_database: str,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is deployed and asked from anywhere, a project of ours included; never written to."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / f"{FIRST}.sql").write_text("selec;\n")
    monkeypatch.chdir(tmp_path / "migrations")
    monkeypatch.setenv("DATABASE_URL", empty_database)
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    theirs = packaged_config({})
    folders = (theirs.migrations, theirs.queries, theirs.seeds, theirs.specs, tmp_path)
    before = files(*folders)

    def run(*words: str) -> tuple[int, str]:
        code = main(["--project", "todo", *words])
        said = capsys.readouterr()
        assert "T999" not in said.err
        return code, said.out + said.err

    assert run("migrate")[0] == ExitCode.OK
    assert run("migrate", "--check")[0] == ExitCode.OK
    code, said = run("--json", "status")
    states = {one["state"] for one in json.loads(said)["migrations"]}
    assert (code, states) == (ExitCode.OK, {"applied"})
    assert run("seed")[0] == ExitCode.OK
    assert run("check")[0] == ExitCode.OK
    assert "list_tasks" in run("describe")[1]
    assert run("query", "list_tasks", "user_id=u1")[0] == ExitCode.OK
    assert run("drift")[0] == ExitCode.OK
    for words in WRITING:
        code, said = run(*words)
        assert code == ExitCode.USAGE, (words, said)
    assert run("rollback", "--steps", "1", "--yes")[0] == ExitCode.OK
    kept = {path: text for path, text in files(*folders).items() if "state" not in path.parts}
    assert kept == before
