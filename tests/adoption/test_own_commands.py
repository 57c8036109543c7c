"""Databases that the old tools made themselves come over, and what is left to do is done by us.

The commands are looked for on the path and in the folder that TODO_SQL_OTHER_TOOLS names, such as
that of `npm install dbmate node-pg-migrate pg graphile-migrate liquibase`; Debian has sqitch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from support.commands import clean_environment, todo_sql
from support.database import Server
from support.importing import lay, run
from support.other_tools import HISTORIES

pytestmark = pytest.mark.database

TOOLS = Path(os.environ.get("TODO_SQL_OTHER_TOOLS", "/nowhere"))


def _liquibase(url: str) -> list[str]:
    parts = urlsplit(url)
    return [
        "--changelog-file=changelog/notes.sql",
        f"--url=jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}",
        f"--username={parts.username}",
        f"--password={parts.password}",
        "update",
    ]


# What brings a database up to date, but for the command's own name.
UP: Mapping[str, Callable[[str], list[str]]] = {
    "dbmate": lambda url: ["--url", f"{url}?sslmode=disable", "--no-dump-schema", "up"],
    "node-pg-migrate": lambda url: ["up", "--migrations-dir", "migrations"],
    "graphile-migrate": lambda url: ["migrate"],
    "liquibase": _liquibase,
    "sqitch": lambda url: ["deploy", "--mode", "change", f"db:{url.replace('postgresql', 'pg')}"],
}
# Where the third is, for each tool.
LAST = {
    "dbmate": "db/migrations/20240102030407_index.sql",
    "node-pg-migrate": "migrations/1704164647000_index.sql",
    "graphile-migrate": "migrations/committed/000003-index.sql",
    "liquibase": "changelog/notes.sql",
    "sqitch": "deploy/index.sql",
}
# Those that know of an edited file by its hash.
TELLING = {"graphile-migrate", "sqitch"}
# Those that run all that is pending in one transaction.
AT_ONCE = {"node-pg-migrate"}


def command(tool: str) -> str:
    """Return a tool's own command; skips where it is not here."""
    for folder in ("node_modules/.bin", "node_modules/liquibase/dist/liquibase"):
        if (found := TOOLS / folder / tool).is_file():
            return str(found)
    found_on_path = shutil.which(tool)
    if found_on_path is None:
        pytest.skip(f"{tool} is not here; TODO_SQL_OTHER_TOOLS may name a folder that has it")
    return found_on_path


@pytest.fixture
def others_database(superuser_database: str) -> Iterator[str]:
    """The URL of a new empty database, for drivers that want an honest password of their login."""
    parts = urlsplit(superuser_database)
    login = f"other_{parts.path[1:]}"
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute("set scram_iterations = 4096")
        connection.execute(f"create role {login} superuser login password 'other'".encode())
    yield parts._replace(netloc=f"{login}:other@{parts.hostname}:{parts.port}").geturl()
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute(f"reassign owned by {login} to current_user".encode())
        connection.execute(f"drop role {login}".encode())


def up(tool: str, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run a tool's own command."""
    variables = {
        "DATABASE_URL": url,
        "SHADOW_DATABASE_URL": f"{url}_shadow",
        "ROOT_DATABASE_URL": f"{url}_root",
        "SQITCH_FULLNAME": "Ada",
        "SQITCH_EMAIL": "ada@example.org",
    }
    return subprocess.run(
        [command(tool), *UP[tool](url)],
        cwd=folder,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
    )


def broken(text: str) -> str:
    """Return a history's last file with an index on nothing."""
    return text.replace("notes_body on notes", "notes_body on nothing")


def drifts(folder: Path, url: str, scratch: str) -> list[str]:
    """Return what a database has that the files do not make; the old tool's things apart."""
    variables = {"TODO_SQL_SCRATCH_URL": scratch, "TODO_SQL_REPLAY": "superuser"}
    done = todo_sql("drift", "--json", cwd=folder, DATABASE_URL=url, **variables)
    assert done.stdout, done.stderr
    ours = ("notes", "notes_pkey", "notes_body")
    found = json.loads(done.stdout)["drift"]
    return [str(one) for one in found if any(name in json.dumps(one) for name in ours)]


@pytest.mark.parametrize("state", ["all", "part", "failed", "edited"])
@pytest.mark.parametrize("tool", UP)
def test_its_own_database_comes_over(
    tool: str, state: str, tmp_path: Path, server: Server, others_database: str
) -> None:
    """What it applied is applied, ours does the rest, and the catalog is that of the files."""
    history = HISTORIES[tool]
    files = {**history.files, "pyproject.toml": '[tool.todo-sql]\nmigrations = "ours"\n'}
    if tool == "sqitch":
        files["sqitch.conf"] = "[core]\n\tengine = pg\n"
    last, whole = LAST[tool], files[LAST[tool]]
    if state == "part":
        files = {name: text for name, text in files.items() if name != last}
        if tool == "liquibase":
            files[last] = whole[: whole.index("--changeset ada:index")]
        elif tool == "sqitch":
            plan = files["sqitch.plan"]
            files["sqitch.plan"] = plan[: plan.index("\nindex ") + 1]
    elif state == "failed":
        files[last] = broken(whole)
    lay(tmp_path, files)
    done = up(tool, tmp_path, others_database)
    assert (done.returncode != 0) == (state == "failed"), done.stdout + done.stderr

    lay(
        tmp_path,
        {
            last: whole,
            **({"sqitch.plan": history.files["sqitch.plan"]} if tool == "sqitch" else {}),
        },
    )
    if state == "edited":
        first = next(name for name, text in history.files.items() if "create table notes" in text)
        text = history.files[first].replace("body text not null", "body text not  null")
        lay(tmp_path, {first: text})
    code, document = run(tmp_path, tool, history.folder, *history.asked)
    assert code == 0, document
    words = (tool, "--ledger", *history.asked[:2], "--yes")
    code, document = run(tmp_path, *words, DATABASE_URL=others_database)
    assert code == 0, document
    applied = {"part": 2, "failed": 0 if tool in AT_ONCE else 2}.get(state, 3)
    assert document["ledger"]["applied"] == list(history.ids[:applied])
    assert document["ledger"]["pending"] == list(history.ids[applied:])
    told = [one["code"] for one in document["warnings"]]
    assert told == (["A122"] if state == "edited" and tool in TELLING else [])
    migrated = todo_sql("migrate", cwd=tmp_path, DATABASE_URL=others_database)
    assert migrated.returncode == 0, migrated.stderr
    assert drifts(tmp_path, others_database, server.url()) == []
