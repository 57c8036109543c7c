"""A PgBouncer before the test server, in transaction or session mode."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict


def program() -> str:
    """Return where PgBouncer is; skip the test without one, except in CI."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("PgBouncer is not installed (apt-get install pgbouncer)")
        pytest.skip("PgBouncer is not installed")
    return found


@contextmanager
def pgbouncer(url: str, mode: str, *, size: int = 5) -> Iterator[str]:
    """Run a PgBouncer and yield the URL through it.

    Args:
        url: Of the database behind it.
        mode: ``transaction`` or ``session``.
        size: How many connections it makes.
    """
    where = conninfo_to_dict(url)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"""\
[databases]
* = host={where["host"]} port={where["port"]} user={where["user"]} password={where["password"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
"""
    )
    command = [program(), "-q", str(settings)]
    as_nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    with subprocess.Popen(
        command,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **(as_nobody if os.geteuid() == 0 else {}),  # type: ignore[arg-type]
    ) as process:
        try:
            _await(port)
            yield f"postgresql://{where['user']}@127.0.0.1:{port}/{where['dbname']}"
        finally:
            process.terminate()
            process.wait(timeout=10)
            shutil.rmtree(folder)


def _await(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("PgBouncer does not listen")
