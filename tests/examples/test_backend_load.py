"""benchmarks/backend.py in a short form: the backend under load, and the database away under it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import clean_environment

MEMORY = re.compile(r"(\d+) MB before, (\d+) MB at the peak")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "backend.py"


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--seconds 2 --slice 1 --sides todo-sql sqlmodel", ["todo-sql  ", "sqlmodel  "]),
        ("--outage --seconds 10 --outages 1 --away 1", ["lost: 0, doubled: 0"]),
    ],
    ids=["beside SQLModel", "outage"],
)
def test_the_backend_holds_under_load(arguments: str, expected: list[str]) -> None:
    """Every request is answered; while the database is away by 503, and nothing else after."""
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments.split(), "--connections", "8", "--tasks", "120"],
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for text in expected:
        assert text in done.stdout


def test_large_bodies_cost_little() -> None:
    """benchmarks/bodies.py: a file is imported, and bodies of nobody are refused unread."""
    done = subprocess.run(
        [sys.executable, SCRIPT.with_name("bodies.py"), "--csv-mb", "0.5", "--body-mb", "60"],
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no cookie: 413" in done.stdout and "connection closed" not in done.stdout
    grown = [float(after) - float(before) for before, after in MEMORY.findall(done.stdout)]
    assert len(grown) == 6 and max(grown) < 20, done.stdout
