"""Small projects, each a kind of input that went wrong once: what every command says of it.

A folder of `testdata/cases` holds a schema, query files and perhaps a `run.txt`, which calls
the generated package.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from support.checkers import MYPY, PYRIGHT, passes
from support.commands import clean_environment, todo_sql
from support.database import Server

pytestmark = pytest.mark.database

CASES = Path(__file__).parent / "testdata" / "cases"
TESTS = Path(__file__).parent.parent
PYPROJECT = '[project]\nname = "case"\n[tool.todo-sql]\ngenerate = "case/db"\n'


@dataclass(frozen=True)
class Wanted:
    """What a case gives.

    Attributes:
        findings: Of `check`, as code and place; errors keep `generate` from writing.
        prints: What `run.txt` prints.
        typed: Whether type checkers find nothing wrong with the generated package.
        formatted: Whether the project's own formatter may go over it.
    """

    findings: list[str] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    typed: bool = False
    formatted: bool = False


WANTED = {
    "columns_named_like_types": Wanted(typed=True),
    "copy_of_json": Wanted(
        prints=[
            *("3", "1", "1", "2", "1"),
            str([*["string"] * 3, "object", "array", "boolean", "number", "object"]),
        ]
    ),
    "copy_to_the_client": Wanted(["C125 queries/q.sql:1:10", "C125 queries/q.sql:4:10"]),
    "fields_of_models": Wanted(["C108 queries/q.sql:3:41", "C108 queries/q.sql:3:48"]),
    "files_named_like_modules": Wanted(
        ["C119 queries/class.sql:1:1", "C119 queries/models.sql:1:1"]
    ),
    "formatters": Wanted(formatted=True),
    "listeners_and_violations": Wanted(
        prints=[
            "transaction ('name',) name None",
            "batch ('name',) name 1",
            "plain ('name',) name None",
            "<class 'int'>",
            "['a', 'b']",
        ]
    ),
    "many_operands": Wanted(),
    "names_of_the_module": Wanted(typed=True),
    "nothing_comes_out": Wanted(prints=["0 [] 1 [None]"], typed=True),
    "sent_once": Wanted(prints=["True True", "True True", "True True", "[1]"]),
    "stars_over_unnest": Wanted(),
    "tested_for_null": Wanted(prints=["[] []", "0 0"]),
    "void": Wanted(prints=["None [TellAllRow(id=1, pg_notify=None)] None"]),
    "what_outlives_a_call": Wanted(
        ["C126 queries/q.sql:1:10", "C126 queries/q.sql:4:10"], ["[0]", "[False]"]
    ),
    "written_and_read": Wanted(
        prints=[
            "D204 ia",
            "[(Decimal('NaN'), []), (Decimal('Infinity'), []), (Decimal('1'), [1, None])]",
            "[[None]] [TitlesRow(id=1, xs=[None])]",
        ]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_case(name: str, tmp_path: Path, server: Server, empty_database: str) -> None:
    """Findings at their places; where none is an error, the package runs as wanted."""
    wanted = WANTED[name]
    shutil.copytree(CASES / name, tmp_path, dirs_exist_ok=True)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "case").mkdir()
    (tmp_path / "migrations").mkdir()
    schema = (tmp_path / "schema.sql").read_text()
    migration = tmp_path / "migrations" / "20260101000000_schema.sql"
    migration.write_text(f"-- irreversible: a case\n{schema}")
    scratch = {"TODO_SQL_SCRATCH_URL": server.url("postgres")}

    checked = todo_sql("check", "--json", cwd=tmp_path, **scratch)
    findings = json.loads(checked.stdout)["findings"]
    shown = [f"{one['code']} {one['file']}:{one['line']}:{one['column']}" for one in findings]
    assert shown == wanted.findings
    assert checked.returncode == (1 if wanted.findings else 0)

    refused = any(one["severity"] == "error" for one in findings)
    generated = todo_sql("generate", cwd=tmp_path, **scratch)
    assert generated.returncode == (1 if refused else 0), generated.stderr
    if refused:
        return
    if wanted.typed:
        ran(tmp_path, "-W", "error", "-c", "import case.db.models, case.db.q")
        passes(tmp_path, (*MYPY, "--strict", "case/db"), (*PYRIGHT, "case/db"))
    if wanted.formatted:
        ran(tmp_path, "-m", "ruff", "format", "--isolated", "case")
    again = todo_sql("generate", "--check", cwd=tmp_path, **scratch)
    assert again.returncode == 0, again.stdout
    if wanted.prints:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(schema.encode())
        printed = ran(tmp_path, "run.txt", DATABASE_URL=empty_database)
        assert printed.splitlines() == wanted.prints


def ran(folder: Path, *words: str, **environment: str) -> str:
    """Run Python in a folder, with the suite's support in reach; return what it prints."""
    paths = f"{folder}:{TESTS}:{TESTS.parent}"
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=clean_environment(PYTHONPATH=paths, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
