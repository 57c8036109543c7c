"""Better Auth itself on our sign-in tables: nothing to migrate, and people can sign in.

Its packages are installed once per version into a cache folder of the user. Skipped where
there is no npm, unless the environment says CI.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from support.people import Connection, Login, LoginUrl

pytestmark = pytest.mark.database

HERE = Path(__file__).parent / "better_auth"
INSTALL_TIMEOUT = 300
RUN_TIMEOUT = 60


@pytest.fixture(scope="session")
def better_auth() -> Path:
    """A folder with the script and the packages that it imports."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("npm is missing")
        pytest.skip("npm is missing")
    manifest = (HERE / "package.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "todo-sql"
    folder = cache / f"better-auth-{hashlib.sha256(manifest).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "better-auth.lock", INSTALL_TIMEOUT):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as fresh:
                made = Path(fresh) / "made"
                made.mkdir()
                (made / "package.json").write_bytes(manifest)
                subprocess.run(
                    ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"],
                    cwd=made,
                    check=True,
                    capture_output=True,
                    timeout=INSTALL_TIMEOUT,
                )
                made.rename(folder)
    return folder


def run(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run check.mjs against a database."""
    script = folder / f"check-{os.getpid()}.mjs"  # it finds packages beside itself only
    shutil.copy(HERE / "check.mjs", script)
    try:
        return subprocess.run(
            ["node", str(script)],
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT,
        )
    finally:
        script.unlink()


def test_better_auth_is_content(
    better_auth: Path, login: Login, login_url: LoginUrl, owned: Connection
) -> None:
    """As a member of todo_auth it finds nothing to migrate and signs people up and in."""
    done = run(better_auth, login_url("login_auth"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["toBeCreated"] == []
    assert found["toBeAdded"] == []
    assert found["user"]["email"] == "margaret@example.com"

    backend = login("login_app")
    assert backend.execute(
        "select user_id from resolve_session(%s)", [found["token"]]
    ).fetchone() == (found["user"]["id"],)
    recorded = owned.execute(
        "select table_name, changes ? 'password' from audit_log where user_id = %s order by id",
        [found["user"]["id"]],
    ).fetchall()
    assert recorded == [("users", False), ("accounts", False)]


def test_the_check_would_notice(better_auth: Path, login_url: LoginUrl, owned: Connection) -> None:
    """Better Auth refuses a table that lacks a column, so its silence means something."""
    owned.execute("alter table accounts drop column scope")
    done = run(better_auth, login_url("login_auth"))
    assert done.returncode != 0
    assert "SCHEMA_MISMATCH" in done.stderr and "'scope'" in done.stderr
