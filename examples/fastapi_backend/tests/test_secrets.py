"""A secret that can be guessed is refused at the start, by both services alike."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from better_auth import FOLDER, environment, install
from people import SECRET

# The secret, and what is said of it; None: it is taken.
SECRETS: list[tuple[str | None, str | None]] = [
    (None, "is not set"),
    ("", "is not set"),
    ("short", "has 5 characters"),
    ("0123456789abcdef0123456789abcde", "has 31 characters"),
    ("\U0001f600" * 16, "has 16 characters"),
    (" " * 40, "different characters"),
    ("ab" * 20, "different characters"),
    ("better-auth-secret-12345678901234567890", "placeholder"),
    ("please-CHANGE-ME-in-production-0123456789", "placeholder"),
    ("your-secret-key-goes-here-0123456789", "placeholder"),
    ("for-development-only-0123456789012345", "placeholder"),
    ("0123456789abcdef0123456789abcdef", None),
    (SECRET, None),
]

PYTHON = [sys.executable, "-c", "from todo_backend.app import create_app; create_app()"]
NODE = ["node", "--input-type=module", "-e", "(await import('./auth.mjs')).pool.end()"]


def start(command: list[str], secret: str | None) -> subprocess.CompletedProcess[str]:
    """Start a service with a secret."""
    variables = environment("postgresql://nobody@127.0.0.1:1/none", secret or "", "http://x:1")
    variables["PYTHONPATH"] = str(FOLDER.parent)
    if secret is None:
        del variables["BETTER_AUTH_SECRET"]
    return subprocess.run(
        command, cwd=FOLDER, env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", [PYTHON, NODE], ids=["backend", "sign-in service"])
def test_a_secret_that_can_be_guessed_is_refused(command: list[str]) -> None:
    """A line says what is wrong and what to do; neither the secret nor a stack is shown."""
    if command is NODE:
        install()
    for secret, problem in SECRETS:
        done = start(command, secret)
        if problem is None:
            assert done.returncode == 0, done.stderr
            continue
        assert done.returncode == 1, (secret, done.stderr)
        (line,) = done.stderr.splitlines()
        assert "BETTER_AUTH_SECRET" in line and problem in line and "openssl rand" in line
        assert not secret or secret not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [("POOL_SIZE", "0"), ("POOL_SIZE", "ten"), ("DATABASE_TIMEOUT", "nan"), ("USER_RATE", "-1")],
)
def test_a_number_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    """It is named, without a stack."""
    variables = {**os.environ, "BETTER_AUTH_SECRET": SECRET, name: value}
    variables["PYTHONPATH"] = str(FOLDER.parent)
    done = subprocess.run(PYTHON, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"todo_backend: {name} is to be a number")
