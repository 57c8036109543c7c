"""A secret that can be guessed is refused at the start, by both services alike."""

from __future__ import annotations

import subprocess
import sys

import pytest
from better_auth import FOLDER, environment, install
from people import SECRET

from todo_backend.settings import BadSetting, Settings

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

# The check alone, which is fast, and the whole service.
CHECK = ["node", "--input-type=module", "-e", "(await import('./secret.mjs')).secret()"]
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
def test_no_service_starts_with_a_secret_that_can_be_guessed(command: list[str]) -> None:
    """A line says what is wrong and what to do; neither the secret nor a stack is shown."""
    install()
    for secret in (None, "short and secret"):
        done = start(command, secret)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "BETTER_AUTH_SECRET" in line and "openssl rand" in line
        assert not secret or secret not in line
    assert start(command, SECRET).returncode == 0


@pytest.mark.parametrize(("secret", "problem"), SECRETS)
def test_both_services_judge_alike(secret: str | None, problem: str | None) -> None:
    """What the one refuses the other refuses, for the same reason."""
    install()
    given = {} if secret is None else {"BETTER_AUTH_SECRET": secret}
    done = start(CHECK, secret)
    if problem is None:
        assert Settings.from_environment(given).auth_secret == secret
        assert done.returncode == 0, done.stderr
        return
    with pytest.raises(BadSetting) as refused:
        Settings.from_environment(given)
    assert problem in str(refused.value)
    assert (done.returncode, done.stderr.strip()) == (1, str(refused.value))


@pytest.mark.parametrize(
    ("name", "value"),
    [("POOL_SIZE", "0"), ("POOL_SIZE", "ten"), ("DATABASE_TIMEOUT", "nan"), ("USER_RATE", "-1")],
)
def test_a_number_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    """It is named."""
    with pytest.raises(BadSetting, match=f"^{name} is to be a number"):
        Settings.from_environment({"BETTER_AUTH_SECRET": SECRET, name: value})
