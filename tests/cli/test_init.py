"""`todo-sql init`: the new project works as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import NO_FUZZERS, clean_environment, todo_sql

from todo_sql.cli.app import main
from todo_sql.cli.verbs.init import package_name
from todo_sql.errors import ExitCode, UsageError

PREFIX = Path(sys.prefix)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can pass through."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.long
def test_a_new_project_passes_its_own_make_test(folder: Path) -> None:
    """A person who runs `init` and `make test` sees a test pass, and git sees no surprise."""
    made = todo_sql("init", "my-notes", cwd=folder)
    assert made.returncode == ExitCode.OK, made.stderr
    assert "next: cd my-notes && make test" in made.stderr
    project = folder / "my-notes"
    try:
        assert "def create_note(" in (project / "my_notes" / "db" / "notes.py").read_text()
        before = set(project.rglob("*"))
        tested = subprocess.run(
            ["make", "test"],
            cwd=project,
            env=clean_environment(
                VIRTUAL_ENV=str(PREFIX), PYTHONDONTWRITEBYTECODE="1", **NO_FUZZERS
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert tested.returncode == 0, tested.stdout + tested.stderr
        assert "3 passed" in tested.stdout
        left = {path.relative_to(project).parts[0] for path in set(project.rglob("*")) - before}
        assert left <= {".todo-sql", ".pytest_cache"}
        assert todo_sql("migrate", cwd=project).returncode == ExitCode.OK
        for rows in (2, 0):
            seeded = todo_sql("seed", cwd=project)
            assert seeded.stderr == f"seeded seeds/development.sql: {rows} rows\n"
        again = todo_sql("init", "my-notes", cwd=folder)
        assert again.returncode == ExitCode.USAGE
        assert "exists in my-notes" in again.stderr
    finally:
        todo_sql("db", "destroy", "--yes", cwd=project)


def test_init_without_postgresql(folder: Path) -> None:
    """Where there is no PostgreSQL the project is made all the same, less the typed package."""
    made = todo_sql("init", "notes", "--json", cwd=folder, TODO_SQL_POSTGRES_BIN=str(folder))
    assert made.returncode == ExitCode.OK
    assert "todo-sql generate" in made.stderr
    written = json.loads(made.stdout)["written"]
    assert "queries/notes.sql" in written
    assert not any(path.startswith("notes/db/") for path in written)
    for path in written:
        text = (folder / "notes" / path).read_text()
        assert "{{" not in text.replace("${{", "")
        assert "PACKAGE" not in text


@pytest.mark.parametrize(
    ("name", "package"), [("notes", "notes"), ("My Notes", "my_notes"), ("a.b-c", "a_b_c")]
)
def test_the_package_is_named_after_the_folder(name: str, package: str) -> None:
    """Signs that Python does not allow become underscores."""
    assert package_name(name) == package


@pytest.mark.parametrize("name", ["1st", "class", "json", "todo_sql", "tests", "...", "ünï"])
def test_a_name_that_cannot_be_a_package_is_refused(name: str) -> None:
    """A name that hides a module, or is none, is an error before anything is written."""
    with pytest.raises(UsageError, match="name of a Python package"):
        package_name(name)


def test_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder there is nothing to do."""
    assert main(["init"]) == ExitCode.USAGE
    assert "missing argument 'DIR'" in capsys.readouterr().err
