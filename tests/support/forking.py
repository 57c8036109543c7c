"""A process that has read the whole toolkit, and forks itself for each command.

A command runs as it does from a shell, in a process, an environment, a folder and with
streams of its own, but Python and the libraries need not be read again: a third of a second
of processor each. Run as a program, it serves the one who started it.
"""

from __future__ import annotations

import ast
import atexit
import gc
import importlib
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_NOT_READ = ("todo_sql.__main__", "todo_sql.adoption.harness", "todo_sql.testing", "todo_sql.todo")
_LIBRARIES = ("sqlfluff.core", "rich.table", "rich.text", "psycopg", "psycopg_binary", "pydantic")
_SECONDS = 300  # after which a command that hangs is ended, and fails its test


@cache
def _server() -> socket.socket:
    """Start the process; it ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-P", "-W", "error", __file__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # the last registered is called first
    return ours


def forked(words: Sequence[str], cwd: Path, environment: dict[str, str], files: list[int]) -> int:
    """Run a command with these words and standard streams; return its exit code."""
    server = _server()
    request = repr((list(words), str(cwd), environment)).encode()
    socket.send_fds(server, [len(request).to_bytes(4)], files)
    server.sendall(request)
    answer = server.recv(16)
    assert answer, "the process that forks has ended"
    return int(answer)


def _serve(line: socket.socket) -> None:
    """Fork for each request, and answer how the child ended."""
    while True:
        size, files, _, _ = socket.recv_fds(line, 4, 3)
        if not size:
            return
        request = b""
        while len(request) < int.from_bytes(size):
            request += line.recv(1 << 16)
        words, cwd, environment = ast.literal_eval(request.decode())
        child = os.fork()
        if not child:
            line.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment)
            signal.alarm(_SECONDS)
            from todo_sql.cli.app import main

            sys.exit(main(words))
        for file in files:
            os.close(file)
        line.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    import todo_sql

    for module in pkgutil.walk_packages(todo_sql.__path__, "todo_sql."):
        if not module.name.startswith(_NOT_READ):
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
