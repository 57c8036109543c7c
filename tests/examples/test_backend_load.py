"""benchmarks/backend.py in a short form: the backend under load, and the database away under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import clean_environment

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "backend.py"


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
