"""The commands of README.md, as a person types them in this folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from better_auth import install, sign_up
from people import Urls

FOLDER = Path(__file__).parent.parent
BY_HAND = {
    "make test": "it is what runs this test",
    "make fuzz": "it takes minutes; test_schema.py is the same with fewer requests",
}


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def running(command: str, url: str, **variables: str) -> Iterator[None]:
    """Run a command that serves until it is stopped; wait for its first answer."""
    process = subprocess.Popen(
        command.split(), cwd=FOLDER, env={**os.environ, **variables}, start_new_session=True
    )
    try:
        for _ in range(600):
            assert process.poll() is None, f"{command} ended"
            try:
                httpx2.get(url).raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def test_every_command_works(urls: Urls) -> None:
    """Both services start from the Makefile, share a secret, and a person signs up and works."""
    commands = re.findall(r"^\$ (.*?) +#", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert set(commands) == {"make run", "make auth", *BY_HAND}
    if not (FOLDER / ".venv" / ".ready").exists():
        if os.environ.get("CI"):
            pytest.fail("`make test` makes .venv")
        pytest.skip("`make test` makes .venv")
    install()
    ports = free_port(), free_port()
    api, auth = (f"http://127.0.0.1:{port}" for port in ports)
    site = {"DATABASE_URL": urls.owner, "AUTH_DATABASE_URL": urls.auth, "BETTER_AUTH_URL": auth}
    with (
        running("make run", f"{api}/health", UVICORN_PORT=ports[0], **site),
        running("make auth", f"{auth}/api/auth/ok", PORT=ports[1], **site),
    ):
        cookies = sign_up(auth, "gus")
        with httpx2.Client(base_url=api, cookies=cookies) as gus:
            assert gus.post("/api/tasks", json={"title": "x"}).status_code == 201
            assert gus.get("/api/me").json()["name"] == "gus"
