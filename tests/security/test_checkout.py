"""What a checkout causes without being asked: nothing of its own runs.

Each test plants something in a project that leaves a mark when it runs, and then runs the
verbs that look at the project.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import started as todo_sql
from support.database import Server

from todo_sql.config import load_config
from todo_sql.embedded.programs import OVERRIDE, binaries
from todo_sql.embedded.server import server_for
from todo_sql.errors import DatabaseError
from todo_sql.review.linting.in_git import changed_since


@pytest.fixture
def project() -> Iterator[Path]:
    """A project of two files that every account can pass through."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-test-") as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        (path / "pyproject.toml").write_text("[tool.todo-sql]\n")
        for folder in ("migrations", "queries"):
            (path / folder).mkdir()
        (path / "queries" / "q.sql").write_text("-- name: one :one\nselect 1 as a;\n")
        yield path


@pytest.fixture
def mark() -> Iterator[Path]:
    """A file that exists once something has run."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-mark-") as name:
        Path(name).chmod(0o777)
        yield Path(name) / "ran"


VERBS = [["status"], ["lint"], ["lint", "--fix"], ["check"], ["describe"], ["verify"]]


@pytest.mark.parametrize("variable", [OVERRIDE, "PATH", "PGSERVICEFILE", "PGSYSCONFDIR", "PGHOST"])
def test_dotenv_names_no_program_and_no_file_of_libpq(project: Path, variable: str) -> None:
    """`.env` may name databases; the rest is the real environment's."""
    (project / ".env").write_text(f"{variable}=./bin\nDATABASE_URL=postgresql://h/d\nAPP=x\n")
    config = load_config(project, environment={})
    assert config.environment == {"DATABASE_URL": "postgresql://h/d"}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_programs_in_a_checkout_do_not_run(
    project: Path, mark: Path, verb: list[str], server: Server
) -> None:
    """Programs beside the project, named in `.env` or not, are left alone."""
    programs = project / "bin"
    programs.mkdir()
    for name in ("postgres", "initdb", "pg_ctl", "psql", "git", "squawk", "sqlfluff", "ps"):
        (programs / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (programs / name).chmod(0o755)
        (project / name).symlink_to(programs / name)
    (project / ".env").write_text(f"{OVERRIDE}=./bin\nPATH=./bin\n")
    todo_sql(*verb, cwd=project, TODO_SQL_SCRATCH_URL=server.url(), DATABASE_URL=server.url())
    assert binaries(18).parent != programs
    assert not mark.exists()


@pytest.mark.parametrize("verb", [["lint"], ["check"]], ids=" ".join)
def test_modules_in_a_checkout_are_not_imported(
    project: Path, mark: Path, verb: list[str], server: Server
) -> None:
    """Modules of libraries' names in the project's folder are not imported by the command."""
    for module in ("sitecustomize", "sqlfluff", "dotenv", "yoyo", "queries", "q"):
        (project / f"{module}.py").write_text(f"open({str(mark)!r}, 'a').write({module!r})\n")
    command = Path(sys.executable).parent / "todo-sql"
    os.spawnve(
        os.P_WAIT,
        "/bin/sh",
        ["sh", "-c", f"cd {project} && exec {command} {' '.join(verb)} >/dev/null 2>&1"],
        {"PATH": os.environ["PATH"], "TODO_SQL_SCRATCH_URL": server.url()},
    )
    assert not mark.exists()


CONFIGURATIONS = {
    "library": "[sqlfluff]\ndialect = postgres\n[sqlfluff:templater:jinja]\nlibrary_path = evil\n",
    "macros": "[sqlfluff]\n[sqlfluff:templater:jinja]\nload_macros_from_path = evil\n",
    "search": "[sqlfluff]\n[sqlfluff:templater:jinja]\nloader_search_path = evil\n",
    "jinja": "[sqlfluff]\ntemplater = jinja\n",
    "python": "[sqlfluff]\ntemplater = python\n",
    "dbt": "[sqlfluff]\ntemplater = dbt\n",
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_sqlfluff_runs_nothing_of_a_checkout(project: Path, mark: Path, name: str) -> None:
    """What makes sqlfluff run code is refused, at its line."""
    (project / "evil").mkdir()
    (project / "evil" / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (project / ".sqlfluff").write_text(CONFIGURATIONS[name])
    for words in (["lint"], ["lint", "--fix"]):
        answer = todo_sql(*words, cwd=project)
        assert "error[R004] .sqlfluff:" in answer.stderr, answer.stderr + answer.stdout
        assert answer.returncode == 2
    assert not mark.exists()


def test_sqlfluff_runs_nothing_that_a_file_asks_for(project: Path, mark: Path) -> None:
    """Directives inside a file of SQL, and templates without any configuration, run nothing."""
    (project / "evil").mkdir()
    (project / "evil" / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (project / "queries" / "q.sql").write_text(
        "-- sqlfluff:templater:jinja\n-- sqlfluff:templater:jinja:library_path:evil\n"
        "-- name: one :one\nselect 1 as a;\n"
    )
    todo_sql("lint", cwd=project)
    assert not mark.exists()


def test_git_runs_nothing_of_a_repositorys_configuration(project: Path, mark: Path) -> None:
    """An unpacked repository may name a program that watches files: `lint --since` runs none."""
    hook = project / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    subprocess.run([*git, "config", "core.fsmonitor", str(hook)], check=True)
    (project / "queries" / "new.sql").write_text("-- name: two :one\nselect 2 as a;\n")
    for words in (["lint", "--since", "HEAD"], ["lint", "--fix"]):
        assert todo_sql(*words, cwd=project).returncode in (0, 1)
    assert not mark.exists()


@pytest.mark.parametrize("program", ["clean", "process", "textconv", "command", "external"])
def test_git_runs_no_filter_and_no_diff_of_a_repository(
    project: Path, mark: Path, program: str
) -> None:
    """`.git/config` and `.gitattributes` may name programs that read or compare files."""
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    keys = {"external": "diff.external", "clean": "filter.x.clean", "process": "filter.x.process"}
    key = keys.get(program, f"diff.x.{program}")
    subprocess.run([*git, "config", key, f"touch {mark}; cat"], check=True)
    (project / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    query = project / "queries" / "q.sql"
    os.utime(query, (1, 1))  # git has to look into it
    (project / "queries" / "new.sql").write_text("-- name: two :one\nselect 2 as a;\n")
    assert todo_sql("lint", "--since", "HEAD", cwd=project).returncode in (0, 1)
    assert not mark.exists()
    config = load_config(project, environment={})
    assert changed_since(config, "HEAD") == {project / "queries" / "new.sql"}
    query.write_text("-- name: one :one\nselect 3 as a;\n")
    assert changed_since(config, "HEAD") == {query, project / "queries" / "new.sql"}


def test_a_server_that_came_with_a_checkout_is_not_started(project: Path) -> None:
    """A data directory, a state file with a port, a pid or a folder in it: none is believed."""
    config = load_config(project, environment={})
    there = server_for(config)
    data = there.folder / "data"
    data.mkdir(parents=True, mode=0o700)
    (data / "PG_VERSION").write_text("18\n")
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n1\n\n\n\nready\n")
    victim = project / "victim"
    victim.mkdir()
    (victim / "kept").write_text("")
    for state in (
        None,
        {"port": 1, "password": "x", "outside": None},
        {"port": 1, "password": "x", "outside": str(victim)},
        {"port": 1, "password": "x", "outside": None, "made": 1},
    ):
        if state:
            (there.folder / "server.json").write_text(json.dumps(state))
        for action in (there.ensure_running, there.stop, there.status, there.url):
            with pytest.raises(DatabaseError, match="E110"):
                action()
        assert there.remains() == [there.folder]
    there.destroy()
    assert not there.folder.exists()
    assert (victim / "kept").exists()
    assert stat.S_ISDIR(project.stat().st_mode)


def test_reset_begins_anew_where_a_checkout_left_something(project: Path) -> None:
    """`db reset` believes nothing of a folder that was not made here, and follows no link."""
    there = server_for(load_config(project, environment={}))
    there.folder.mkdir(parents=True)
    victim = project / "victim"
    victim.mkdir()
    (victim / "kept").write_text("")
    for name in ("data", "log", "server.json", "programs-1"):
        (there.folder / name).symlink_to(victim / "kept" if name == "log" else victim)
    try:
        there.reset()
        assert there.status().running
        assert (victim / "kept").read_text() == ""
    finally:
        there.destroy()
