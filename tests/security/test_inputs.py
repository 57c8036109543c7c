"""What lies in a checkout cannot make messages show other files, hang or crash a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.commands import started, todo_sql
from support.database import Server

NAME = "20260101000000_first"
NO_DATABASE = ("--database", "postgresql://u@127.0.0.1:1/x")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of its own, and a file beside it that is none of its business."""
    root = tmp_path / "project"
    for folder in ("migrations", "queries"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / "secret.sql").write_text("token = hush\n")
    return root


def run(root: Path, *words: str, scratch: str = "") -> str:
    """Run a command that has to refuse, soon and in words."""
    result = todo_sql(*words, *NO_DATABASE, cwd=root, TODO_SQL_SCRATCH_URL=scratch)
    assert result.returncode in (1, 2), result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("words", [["lint"], ["status"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["link", "device", "pipe"])
@pytest.mark.parametrize("place", [f"migrations/{NAME}.sql", "queries/q.sql"])
def test_only_files_of_the_project_are_read(
    words: list[str], kind: str, place: str, project: Path, server: Server
) -> None:
    """A link out of the project, a device and a pipe are refused at their name."""
    if words == ["status"] and place.startswith("queries"):
        words = ["check"]
    file = project / place
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(project.parent / "secret.sql" if kind == "link" else "/dev/zero")
    said = run(project, *words, scratch=server.url())
    assert "S103" in said
    assert f"{place}:1" in said
    assert "hush" not in said


@pytest.mark.parametrize("words", [["lint"], ["check"]], ids=" ".join)
@pytest.mark.parametrize("target", ["{place}", "other.sql", "absent.sql"])
@pytest.mark.parametrize("place", [f"migrations/{NAME}.sql", "queries/q.sql"])
def test_a_link_that_leads_nowhere_is_told(
    words: list[str], target: str, place: str, project: Path, server: Server
) -> None:
    """In a circle or to nothing: which file it is, and why it cannot be read."""
    file = project / place
    file.symlink_to(target.format(place=file.name))
    if target == "other.sql":
        (file.parent / target).symlink_to(file.name)
    said = run(project, *words, scratch=server.url())
    assert file.parent.name in said
    assert any(why in said.lower() for why in ("symbolic links", "no such file"))


def test_a_link_within_the_project_is_read(project: Path) -> None:
    """Two names of one file are the project's own affair."""
    (project / "shared.sql").write_text("-- irreversible: test\nselect nope nope nope;\n")
    (project / "migrations" / f"{NAME}.sql").symlink_to(project / "shared.sql")
    assert "M121" in run(project, "lint")


@pytest.mark.parametrize("module", ["rich", "typer", "psycopg", "pydantic", "todo_sql_hook"])
def test_the_working_directory_is_not_imported_from(module: str, project: Path) -> None:
    """`python -m todo_sql` imports what is installed, as `todo-sql` does."""
    (project / f"{module}.py").write_text("raise SystemExit('imported from the checkout')\n")
    result = started("migrate", "--dry-run", "--bad", *NO_DATABASE, cwd=project)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "imported from the checkout" not in result.stdout + result.stderr


@pytest.mark.parametrize("ends", [True, False], ids=["closed", "open"])
def test_deep_comments_take_no_time(ends: bool, project: Path) -> None:
    """Fifty thousand comments in one another are read like one."""
    text = "/*" * 50_000 + "*/" * 50_000 * ends
    (project / "migrations" / f"{NAME}.sql").write_text(f"-- irreversible: x\n{text}\nselect 1 1;")
    assert ("M121" if ends else "unterminated") in run(project, "lint")
