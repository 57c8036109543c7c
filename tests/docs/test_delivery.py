"""The composite action and the Dockerfile, as far as they run without GitHub and Docker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with sqlfluff
from support.commands import clean_environment, todo_sql
from support.database import Server
from support.migrations import tables, write

ROOT = Path(__file__).parent.parent.parent
FOREIGN = [{"id": n, "body": f"comment {n}"} for n in range(100)]


class Api(ThreadingHTTPServer):
    """As much of GitHub's interface as comments need."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = [*FOREIGN]
        self.seen: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """Lists, adds and changes comments of one pull request."""

    server: Api

    def _answer(self, document: Any) -> None:
        self.server.seen.append(f"{self.command} {self.path}")
        assert self.headers["Authorization"] == "Bearer t0ken"
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> str:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return str(sent["body"])

    def do_GET(self) -> None:
        """List a page."""
        assert self.path.startswith("/repos/o/r/issues/7/comments?")
        page = int(self.path.rpartition("=")[2])
        self._answer(self.server.comments[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        """Add one."""
        assert self.path == "/repos/o/r/issues/7/comments"
        self.server.comments.append({"id": 4711, "body": self._body()})
        self._answer({})

    def do_PATCH(self) -> None:
        """Change one."""
        assert self.path == "/repos/o/r/issues/comments/4711"
        self.server.comments[-1]["body"] = self._body()
        self._answer({})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    """The interface, served for a test."""
    with Api() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.database
def test_the_action_posts_a_plan_and_keeps_it_up_to_date(
    tmp_path: Path, server: Server, empty_database: str, api: Api
) -> None:
    """Once, then in the same comment, whatever others wrote; an error is said there, too."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / "event.json").write_text('{"pull_request": {"number": 7}}')
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    (step,) = (one for one in steps if one.get("id") == "plan")

    def run() -> int:
        environment = clean_environment(
            DATABASE_URL=empty_database,
            TODO_SQL_SCRATCH_URL=server.url(),
            PROJECT=".",
            TOKEN="t0ken",
            RUNNER_TEMP=str(tmp_path),
            GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
            GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
            GITHUB_API_URL=f"http://127.0.0.1:{api.server_address[1]}",
            GITHUB_REPOSITORY="o/r",
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            NO_PROXY="127.0.0.1",
        )
        command = ["bash", "-e", "-c", step["run"]]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode

    folder, first = tmp_path / "migrations", "20260101000000_first"
    write(folder, first, "create table t (id int primary key);", "drop table t;")
    assert run() == 0
    assert len(api.comments) == 101 and "create table t" in api.comments[-1]["body"]
    assert api.comments[-1]["body"].startswith("<!-- todo-sql plan -->\n")
    write(folder, first, "selec 1;")
    assert run() == 2
    assert len(api.comments) == 101 and "syntax error" in api.comments[-1]["body"]
    assert api.comments[:100] == FOREIGN
    assert [one.split()[0] for one in api.seen] == ["GET", "GET", "POST", "GET", "GET", "PATCH"]
    assert "create table t" in (tmp_path / "summary.md").read_text()


def _instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    said = [line for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in said)]


def test_the_image_is_small_and_runs_as_nobody() -> None:
    """Known instructions, pinned and slim bases, a user, sources that are there."""
    found = _instructions()
    names = [name for name, _ in found]
    known = {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENV", "ENTRYPOINT", "CMD"}
    assert set(names) <= known and names[0] == "FROM" and names[-2:] == ["ENTRYPOINT", "CMD"]
    bases = [rest.split()[0] for name, rest in found if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases) and len(bases) == 2
    assert dict(found)["USER"] not in ("root", "0") and "root" not in dict(found)["USER"]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".todo-sql"} <= set(ignored)


@pytest.mark.database
def test_its_entrypoint_migrates_and_exits(tmp_path: Path, empty_database: str) -> None:
    """The words of ENTRYPOINT and CMD, run here."""
    found = dict(_instructions())
    words: list[str] = json.loads(found["CMD"])
    assert json.loads(found["ENTRYPOINT"]) == ["todo-sql"]
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    write(tmp_path / "migrations", "20260101000000_first", "create table t ();")
    assert todo_sql(*words, cwd=tmp_path, DATABASE_URL=empty_database).returncode == 0
    assert tables(empty_database) == ["t"]
