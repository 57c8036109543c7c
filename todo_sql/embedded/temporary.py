"""A PostgreSQL server for the time of a test run or a benchmark, gone when its owner is gone.

A second process waits for the owner's end and then removes the server, so that an owner
that is killed leaves neither a server nor a folder behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from todo_sql.embedded.server import EmbeddedServer, binaries

_MEMORY = Path("/dev/shm")
_ENOUGH = 4 << 30
# What it needs it reads when it is needed: mostly it is ended before.
_GUARD = f"""
import sys
sys.stdin.read()
from pathlib import Path
from {__name__} import remove
remove(*map(Path, sys.argv[1:]))
"""


@contextmanager
def temporary_server(
    version: int, *, settings: Mapping[str, str] | None = None, in_memory: bool = True
) -> Iterator[EmbeddedServer]:
    """Run a server that is fast rather than durable, and remove it afterwards.

    Args:
        version: The major version wanted.
        settings: PostgreSQL settings on top of the defaults, such as ``wal_level``.
        in_memory: Whether the data may lie in memory where the system has enough: not for data
            of gigabytes.
    """
    programs = binaries(version)
    folder = Path(tempfile.mkdtemp(prefix="todo-sql-", dir=_memory() if in_memory else None))
    folder.chmod(0o755)  # the account that the server runs as passes through
    server = EmbeddedServer(folder / "server", programs, durable=False, settings=settings)
    command = [sys.executable, "-c", _GUARD, str(folder), str(programs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd="/") as guard:
        try:
            server.start()
            yield server
        finally:
            remove(folder, programs)
            guard.terminate()


def _memory() -> Path | None:
    """Return the folder of Linux in memory, or None where it does not serve.

    A new database is three hundred files: in memory they take a third of the processor's time.
    A ``TMPDIR`` of the caller's holds.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    found = os.statvfs(_MEMORY)
    enough = found.f_bavail * found.f_frsize >= _ENOUGH
    # Where the server's account cannot reach its programs, a copy of them runs from there.
    return _MEMORY if enough and not found.f_flag & os.ST_NOEXEC else None


def remove(folder: Path, programs: Path) -> None:
    """Stop the server below `folder` and delete both."""
    EmbeddedServer(folder / "server", programs).destroy()
    if folder.is_dir():
        folder.rmdir()
