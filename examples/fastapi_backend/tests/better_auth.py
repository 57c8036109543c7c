"""The real Better Auth, in a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

FOLDER = Path(__file__).parent.parent / "auth"


def environment(database_url: str, secret: str, url: str) -> dict[str, str]:
    """Return what auth.mjs reads, on top of the process's own environment."""
    return {
        **os.environ,
        "AUTH_DATABASE_URL": database_url,
        "BETTER_AUTH_SECRET": secret,
        "BETTER_AUTH_URL": url,
        "PORT": url.rpartition(":")[2],
    }


def install() -> None:
    """Install the pinned versions, once; without Node the test is skipped, in CI it fails."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("Better Auth needs Node")
        pytest.skip("Better Auth needs Node")
    if not (FOLDER / "node_modules" / ".package-lock.json").exists():
        command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
        subprocess.run(command, cwd=FOLDER, check=True, timeout=300)


@contextmanager
def better_auth(database_url: str, secret: str, scheme: str = "http") -> Iterator[str]:
    """Serve sign-up and sign-in on a database; yield the URL.

    Args:
        database_url: The login of the sign-in service.
        secret: Signs the cookies.
        scheme: Of the site; with https a reverse proxy would stand between.
    """
    install()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = ["node", "server.mjs"]
    with subprocess.Popen(
        command,
        cwd=FOLDER,
        env=environment(database_url, secret, url.replace("http", scheme, 1)),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "listening" in process.stdout.readline()
            yield url
        finally:
            process.terminate()


def sign_up(url: str, name: str) -> dict[str, str]:
    """Sign up over HTTP and return the cookies that a browser would keep."""
    return _post(url, "sign-up", {"name": name, "email": f"{name}@example.com"})


def sign_in(url: str, name: str) -> dict[str, str]:
    """Sign in over HTTP and return the cookies that a browser would keep."""
    return _post(url, "sign-in", {"email": f"{name}@example.com"})


def sign_out(url: str, cookies: dict[str, str]) -> None:
    """Sign out over HTTP."""
    with httpx2.Client(cookies=cookies, headers={"Origin": url}) as browser:
        browser.post(f"{url}/api/auth/sign-out").raise_for_status()


def _post(url: str, action: str, body: dict[str, str]) -> dict[str, str]:
    body["password"] = "correct horse battery staple"
    response = httpx2.post(f"{url}/api/auth/{action}/email", json=body, headers={"Origin": url})
    return dict(response.raise_for_status().cookies)
