"""The example's own tests, run as its Makefile runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import clean_environment

FOLDER = Path(__file__).parents[2] / "examples" / "fastapi_backend"


@pytest.mark.parametrize("command", ["pytest", "mypy"])
def test_the_backend_passes_its_own_tests(command: str) -> None:
    """What a person who copies the folder runs, on a server that the run makes for itself."""
    done = subprocess.run(
        [sys.executable, "-m", command],
        cwd=FOLDER,
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
