"""Start, stop and kill one embedded server from several processes at once, for a while.

    python tests/soak_server.py [--seconds 60] [--workers 5]

Each worker starts the server and writes a row, or stops it, or kills its postmaster. A
connection that is lost because another worker stopped the server is fine; a start that
fails, or an acknowledged row that is gone, is not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from todo_sql.embedded.server import EmbeddedServer, binaries


def work(folder: Path, seconds: float) -> None:
    """Be one worker; print how many rows were acknowledged."""
    server = EmbeddedServer(folder, binaries(18))
    chance = random.Random(os.getpid())
    acknowledged = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        draw = chance.random()
        if draw < 0.75:
            acknowledged += write(server.ensure_running())
        elif draw < 0.9:
            server.stop()
        else:
            kill(server)
        time.sleep(chance.random() * 0.3)
    print(acknowledged)


def write(url: str) -> int:
    """Write a row; return 0 where the server went away under it."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("insert into soak default values")
    except psycopg.OperationalError:
        return 0
    return 1


def kill(server: EmbeddedServer) -> None:
    """Kill the postmaster, if there is one."""
    pid = server.status().pid
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def main() -> None:
    """Start the workers, then compare what they wrote with what is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=5)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="todo-sql-soak-"))
    root.chmod(0o755)
    server = EmbeddedServer(root / "server", binaries(18))
    try:
        with psycopg.connect(server.ensure_running(), autocommit=True) as connection:
            connection.execute("create table soak (id bigint generated always as identity)")
        code = (
            "import sys, soak_server, pathlib;"
            "soak_server.work(pathlib.Path(sys.argv[1]), float(sys.argv[2]))"
        )
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", code, server.folder, str(options.seconds)],
                cwd=Path(__file__).parent,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(options.workers)
        ]
        answers = [worker.communicate()[0] for worker in workers]
        failed = sum(worker.returncode != 0 for worker in workers)
        acknowledged = sum(int(answer) for answer in answers if answer.strip())
        with psycopg.connect(server.ensure_running()) as connection:
            row = connection.execute("select count(*) from soak").fetchone()
        there = row[0] if row else 0
    finally:
        server.destroy()
        root.rmdir()
    print(f"{acknowledged} rows acknowledged, {there} there, {failed} workers failed")
    sys.exit(1 if failed or there < acknowledged else 0)


if __name__ == "__main__":
    main()
