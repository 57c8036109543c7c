"""A PostgreSQL server for the time of a test run or a benchmark, gone when its owner is gone.

A second process waits for the owner's end and then removes the server, so that an owner
that is killed leaves neither a server nor a folder behind.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from todo_sql.embedded.server import EmbeddedServer, binaries


@contextmanager
def temporary_server(
    version: int, *, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedServer]:
    """Run a server that is fast rather than durable, and remove it afterwards.

    Args:
        version: The major version wanted.
        settings: PostgreSQL settings on top of the defaults, such as ``wal_level``.
    """
    programs = binaries(version)
    folder = Path(tempfile.mkdtemp(prefix="todo-sql-"))
    folder.chmod(0o755)  # the account that the server runs as passes through
    server = EmbeddedServer(folder / "server", programs, durable=False, settings=settings)
    command = [sys.executable, "-m", __name__, str(folder), str(programs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd="/") as guard:
        try:
            server.start()
            yield server
        finally:
            remove(folder, programs)
            guard.terminate()


def remove(folder: Path, programs: Path) -> None:
    """Stop the server below `folder` and delete both."""
    EmbeddedServer(folder / "server", programs).destroy()
    if folder.is_dir():
        folder.rmdir()


if __name__ == "__main__":
    sys.stdin.read()
    remove(Path(sys.argv[1]), Path(sys.argv[2]))
