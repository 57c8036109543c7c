"""`todo-sql db`, and what every command says of a server that does not let it in."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.commands import started as todo_sql
from support.database import Server

from todo_sql.errors import ExitCode


@pytest.fixture
def project() -> Iterator[Path]:
    """A project that every account can pass through; its server is removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="todo-sql-test-"))
    path.chmod(0o755)
    (path / "todo-sql.toml").write_text("", encoding="utf-8")
    (path / "migrations").mkdir()
    yield path
    if (path / ".todo-sql").exists():
        todo_sql("db", "destroy", "--yes", cwd=path)
    shutil.rmtree(path)


def test_a_day_with_the_embedded_server(project: Path) -> None:
    """Start, url, shell, status, stop and reset, each with text or JSON and its exit code."""
    idle = todo_sql("db", "status", cwd=project)
    assert idle.returncode == ExitCode.FINDINGS
    assert "does not run" in idle.stdout

    url = todo_sql("db", "url", cwd=project)  # starts it
    assert url.returncode == ExitCode.OK
    assert url.stdout.startswith("postgresql://postgres:")
    assert "starting the embedded PostgreSQL" in url.stderr
    with psycopg.connect(url.stdout.strip(), autocommit=True) as connection:
        connection.execute("create table kept ()")

    started = todo_sql("db", "start", cwd=project)
    assert started.returncode == ExitCode.OK
    assert started.stderr == ""
    status = json.loads(todo_sql("db", "status", "--json", cwd=project).stdout)
    assert status["running"] is True
    assert status["stand_ins"] == ["pgcrypto", "uuid-ossp"]
    assert "pgcrypto, uuid-ossp" in started.stdout
    assert str(status["pid"]) in started.stdout
    assert Path(status["data"]).is_relative_to(project)

    piped = todo_sql("db", "shell", cwd=project, stdin="select 6 * 7 as answer;\n")
    assert piped.returncode == ExitCode.OK
    assert "42" in piped.stdout
    given = todo_sql("db", "shell", "--", "-Atc", "select current_database()", cwd=project)
    assert given.stdout == "todo\n"

    unconfirmed = todo_sql("db", "reset", cwd=project)
    assert unconfirmed.returncode == ExitCode.USAGE
    assert "--yes" in unconfirmed.stderr
    assert todo_sql("db", "reset", "--yes", cwd=project).returncode == ExitCode.OK
    gone = todo_sql("db", "shell", "--", "-Atc", r"select to_regclass('kept')", cwd=project)
    assert gone.stdout == "\n"

    assert todo_sql("db", "stop", cwd=project).stderr == "stopped\n"
    assert todo_sql("db", "stop", cwd=project).stderr == "it was not running\n"
    assert todo_sql("db", "stop", "--json", cwd=project).stdout.startswith("{")

    unconfirmed = todo_sql("db", "destroy", cwd=project)
    assert unconfirmed.returncode == ExitCode.USAGE
    assert "stop the server and delete " in unconfirmed.stderr
    destroyed = todo_sql("db", "destroy", "--yes", "--json", cwd=project)
    assert destroyed.returncode == ExitCode.OK
    (gone,) = json.loads(destroyed.stdout)["deleted"]
    assert Path(gone).parent == project / ".todo-sql"
    assert not Path(gone).exists()
    assert todo_sql("db", "destroy", cwd=project).stderr == "there is nothing to delete\n"


def test_the_state_is_ignored_by_git(project: Path) -> None:
    """The folder of the server says itself that git is to ignore it."""
    todo_sql("db", "start", cwd=project)
    (state,) = (project / ".todo-sql").glob("postgres-*")
    assert (state / ".gitignore").read_text() == "*\n"


def test_no_server_there(project: Path) -> None:
    """A port that nobody listens on: exit code 3, the reason and a fix, no password."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"postgresql://u:sesame@127.0.0.1:{port}/d"
    answer = todo_sql("status", "--database", url, cwd=project)
    assert answer.returncode == ExitCode.DATABASE
    assert answer.stderr.startswith("error[D101] no database server answers there")
    assert "fix: " in answer.stderr
    assert "sesame" not in answer.stderr


def test_wrong_password(project: Path, server: Server) -> None:
    """A rejected password: exit code 3, and the password is not shown."""
    url = server.url().replace(server.password, "sesame")
    answer = todo_sql("status", "--json", cwd=project, DATABASE_URL=url)
    assert answer.returncode == ExitCode.DATABASE
    error = json.loads(answer.stdout)["error"]
    assert error["code"] == "D102"
    assert "rejects the user or the password" in error["message"]
    assert "sesame" not in answer.stdout + answer.stderr


def test_no_such_database(project: Path, server: Server) -> None:
    """A database that does not exist is named."""
    answer = todo_sql("status", cwd=project, DATABASE_URL=server.url("nowhere"))
    assert answer.returncode == ExitCode.DATABASE
    assert answer.stderr.startswith("error[D103]")
    assert '"nowhere" does not exist' in answer.stderr


def test_a_server_without_encryption_elsewhere(project: Path, server: Server) -> None:
    """Plain text is refused to what may be another machine, with the way to allow it."""
    port = server.embedded.status().port
    answer = todo_sql("status", cwd=project, DATABASE_URL=server.url() + "?sslmode=require")
    assert answer.returncode == ExitCode.DATABASE
    assert answer.stderr.startswith("error[D104] the database server offers no encryption")
    assert f"{port}" in answer.stderr
    assert "sslmode=disable" in answer.stderr


@pytest.mark.parametrize(
    "url", ["mysql://u:sesame@h/d", "sqlite:///x", "nonsense", "postgresql://h:x/d"]
)
def test_not_a_postgresql_url(url: str, project: Path) -> None:
    """A URL of another product is a matter of configuration: exit code 2."""
    answer = todo_sql("status", cwd=project, DATABASE_URL=url)
    assert answer.returncode == ExitCode.USAGE
    assert answer.stderr.startswith("error[U201]")
    assert "sesame" not in answer.stderr


def test_no_postgresql_on_this_machine(project: Path) -> None:
    """An override that names nothing useful: exit code 2."""
    answer = todo_sql("db", "start", cwd=project, TODO_SQL_POSTGRES_BIN=str(project))
    assert answer.returncode == ExitCode.USAGE
    assert answer.stderr.startswith("error[E101]")
