"""The package that is generated from queries of another tool: does it import, do checkers pass."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from support.foreign import Case

_PROJECT = """
[project]
name = "foreign"
[tool.todo-sql]
generate = "foreign"
"""


# One migration is one transaction.
_ALONE = re.compile(r"(?im)^\s*(begin|commit)( transaction)?\s*;|\bconcurrently\b")


def write_project(case: Case, root: Path) -> None:
    """Write a case as a project: one migration, and its query files."""
    for name in ("migrations", "queries", "foreign"):
        (root / name).mkdir()
    (root / "pyproject.toml").write_text(_PROJECT)
    stem = root / "migrations" / "20260101000000_schema"
    schema = _ALONE.sub("", case.schema)
    stem.with_suffix(".sql").write_text(f"-- irreversible: theirs\n{schema}")
    files = defaultdict(list)
    for query in case.queries:
        files[query.file].append(query.text)
    for name, texts in files.items():
        (root / "queries" / f"{name}.sql").write_text("\n\n".join(texts))


def package(case: Case, server: str) -> list[str]:
    """Check and generate a case; return what to tell of it."""
    root = Path(tempfile.mkdtemp(prefix=f"corpora-{case.name}-"))
    write_project(case, root)
    environment = {**os.environ, "TODO_SQL_SCRATCH_URL": server}

    def command(*words: str) -> tuple[float, subprocess.CompletedProcess[str]]:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True
        )
        return time.perf_counter() - began, done

    command("-m", "todo_sql", "describe", "--json")  # makes the scratch database
    seconds, checked = command("-m", "todo_sql", "check", "--json")
    report = json.loads(checked.stdout or "{}")
    if "queries" not in report:
        return [f"check failed in {root}: {checked.stdout}{checked.stderr}"]
    told = Counter(one["code"] for one in report["findings"])
    count = max(len(case.queries), 1)
    lines = [
        f"project in {root}; check: {seconds:.1f} s, {len(report['queries'])} queries; findings "
        "of each 100: "
        + ", ".join(f"{n * 100 / count:.1f} {code}" for code, n in told.most_common())
    ]
    steps = {
        "generate": ("-m", "todo_sql", "generate"),
        "generate --check": ("-m", "todo_sql", "generate", "--check"),
        "import": (
            "-c",
            "import importlib, pathlib\n"
            "for one in pathlib.Path('foreign').glob('*.py'):\n"
            "    importlib.import_module('foreign.' + one.stem)",
        ),
        "mypy --strict": ("-m", "mypy", "--strict", "foreign"),
        "pyright": ("-m", "pyright", "--pythonpath", sys.executable, "foreign"),
    }
    for name, words in steps.items():
        _, done = command(*words)
        lines.append(f"{name}: {(done.stdout or done.stderr).strip().splitlines()[-1:]}")
        if done.returncode:
            lines += (done.stdout + done.stderr).splitlines()[-40:]
    return lines
