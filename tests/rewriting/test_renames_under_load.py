"""An application of generated code, at work before, between and after the steps of a rename."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from support.database import Server
from support.generated import make
from support.migrations import write
from support.releases import RENAMINGS, SERVED, TOLD, Application, Naming, Renaming
from support.soak import pick

from todo_sql.cli.app import main
from todo_sql.config import Tenant

pytestmark = pytest.mark.database

SECONDS = pick(0.2, 10)  # of work between two steps
CLIENTS = int(pick(3, 6))
BASE, RENAME = "20260101090000", "20260201090000"


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A role for the tenants' calls."""
    name = f"renaming_{uuid4().hex[:8]}"
    server.admin.execute(f"create role {name}".encode())
    yield name
    server.admin.execute(f"drop role {name}".encode())


class _Project:
    """A project with a table that is there and a pending rename."""

    def __init__(self, root: Path, url: str, role: str, renaming: Renaming) -> None:
        self.root, self.url, self.renaming = root, url, renaming
        self.tenant = Tenant("owner", "app.owner", role)
        (root / "pyproject.toml").write_text(
            '[tool.todo-sql]\ntenant = { parameter = "owner", setting = "app.owner", '
            f'role = "{role}" }}\n',
            encoding="utf-8",
        )
        write(root / "migrations", f"{BASE}_base", renaming.schema(role))
        write(root / "migrations", f"{RENAME}_rename", renaming.change, renaming.back)
        (root / "queries").mkdir()
        self.says(renaming.old, SERVED + TOLD)

    def says(self, naming: Naming, texts: str) -> None:
        """Let the queries of the project be these."""
        text = self.renaming.queries(naming, texts)
        (self.root / "queries" / "q.sql").write_text(text, encoding="utf-8")

    def release(self, name: str, naming: Naming, texts: str) -> Any:
        """Return the module that is generated from queries on the database as it is now."""
        text = self.renaming.queries(naming, texts)
        package = f"{name}_{uuid4().hex[:8]}"
        return make(self.url, self.root, package, text, tenant=self.tenant)

    def run(self, *words: str) -> Any:
        """Run a command, let the application work on for a while, and return its document."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main(["--project", str(self.root), "--database", self.url, "--json", *words])
        assert code == 0, out.getvalue()
        time.sleep(SECONDS)
        return json.loads(out.getvalue())


def _code(module: Any) -> list[str]:
    return Path(module.__file__).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("renaming", RENAMINGS.values(), ids=RENAMINGS)
def test_nobody_fails_who_was_not_told(
    renaming: Renaming,
    role: str,  # goes after the database that names it
    server: Server,
    superuser_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old and new release are out at once, steps are taken back: no call fails, no row is wrong.

    But those of the old release that `rewrite` named beforehand, while a view has the name.
    """
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    project = _Project(tmp_path, superuser_database, role, renaming)
    old, new = renaming.old, renaming.new
    project.run("migrate", "--to", BASE)
    before = project.release("before", old, SERVED + TOLD)
    found = project.run("rewrite", RENAME, "--yes")
    assert [file["phase"] for file in found["files"]] == ["expand", "contract"]
    told = {one["message"].split()[1] for one in found["asks"] if one["code"] == "P306"}
    assert told == {"load", "keep", "grouped"}
    with Application(superuser_database, CLIENTS, before=before) as application:
        application.out(before=before)
        project.run("migrate", "--phase", "expand")
        project.run("rollback", "--yes")
        project.run("migrate", "--phase", "expand")
        again = project.release("again", old, SERVED)
        project.says(new, SERVED)
        between = project.release("between", new, SERVED)
        application.out(before=before, again=again, between=between)
        time.sleep(SECONDS)
        application.out(between=between)
        project.run("migrate", "--phase", "contract")
        after = project.release("after", new, SERVED + TOLD)
        application.out(between=between, after=after)
        time.sleep(SECONDS)
        application.out(between=between)
        project.run("rollback", "--yes")
        project.run("migrate")
        served = project.release("served", new, SERVED)
    journal = application.journal
    print(f"\n{sum(journal.calls.values())} calls: {dict(journal.calls)}; told: {told}")
    unexpected = {one: n for one, n in journal.failed.items() if one[0] != "before"}
    unexpected |= {one: n for one, n in journal.failed.items() if one[1] not in told}
    assert unexpected == {}
    # The rows of a tenant are not copied into the table itself.
    assert {name for _, name, _ in journal.failed} == told - {"load"}
    assert journal.wrong == []
    assert set(journal.calls) == {"before", "again", "between", "after"}
    # The functions; models lack the constraints of CHECKs while the queries name a view.
    assert list(unified_diff(_code(between), _code(served), n=0)) == []
    with psycopg.connect(superuser_database) as connection:
        row = connection.execute("select count(*) from pg_class where relname ~ '_$'").fetchone()
    assert row == (0,)
