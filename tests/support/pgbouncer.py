"""PgBouncer before a server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from todo_sql.embedded.programs import Account


@contextmanager
def pgbouncer(
    url: str, *, pool_size: int, prepared: int = 0, mode: str = "transaction"
) -> Iterator[str]:
    """Run a pooler before the server of `url`, and yield the URL of the database behind it.

    Args:
        url: The server's, with the login that the pooler uses.
        pool_size: How many server connections there may be.
        prepared: ``max_prepared_statements``, which PgBouncer has since 1.21.
        mode: ``transaction`` or ``session``.
    """
    program = shutil.which("pgbouncer")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is not installed")
        pytest.skip("pgbouncer is not installed")
    parts = urlsplit(url)
    home = Path(tempfile.mkdtemp(prefix="todo-sql-pgbouncer-"))
    home.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = unquote(parts.password or "")
    config = home / "pgbouncer.ini"
    config.write_text(
        f"""
[databases]
* = host={parts.hostname} port={parts.port} user={parts.username} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 200
unix_socket_dir =
logfile =
{f"max_prepared_statements = {prepared}" if prepared else ""}
"""
    )
    account = Account.choose(home / "data")
    process = subprocess.Popen(
        [program, "-q", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "pgbouncer did not start"
            assert time.monotonic() < deadline, "pgbouncer does not listen"
            time.sleep(0.02)
        yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)
