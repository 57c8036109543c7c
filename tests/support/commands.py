"""Running `todo-sql` as a person does: in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from unittest import mock

from support.forking import forked

# pytest plugins of this environment that another project's tests would only wait for.
NO_FUZZERS = {"PYTEST_ADDOPTS": "-p no:schemathesis -p no:hypothesispytest"}

_OURS = ("DATABASE_URL", "TODO_SQL_", "PG", "NO_COLOR", "FORCE_COLOR", "_TODO_SQL")


def clean_environment(**environment: str) -> dict[str, str]:
    """Return the environment of the run without what steers us, and with `environment`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **environment}


def todo_sql(
    *words: str | Path, cwd: Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit code and outputs.

    Args:
        words: The words after ``todo-sql``.
        cwd: The working directory.
        stdin: What it reads.
        environment: Variables on top of a clean environment.
    """
    given = [str(word) for word in words]
    with TemporaryFile("w+") as read, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        read.write(stdin)
        for file in (read, out, err):
            file.seek(0)
        files = [read.fileno(), out.fileno(), err.fileno()]
        code = forked(given, cwd, clean_environment(**environment), files)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(given, code, out.read(), err.read())


def started(
    *words: str | Path, cwd: Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as `todo_sql`, in a Python that starts for it: for what that may meet."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "todo_sql", *map(str, words)],
        cwd=cwd,
        env=clean_environment(**environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def called(
    words: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    streams: tuple[StringIO, StringIO] | None = None,
) -> tuple[int, str, str]:
    """Run a command in this process, as if it were started there: its code and its outputs.

    Args:
        words: The words after ``todo-sql``.
        cwd: The working directory.
        environment: Variables on top of a clean environment.
        streams: What stands for stdout and stderr; default: no terminal.
    """
    from todo_sql.cli.app import main

    out, err = streams or (StringIO(), StringIO())
    with (
        mock.patch.dict(os.environ, clean_environment(**environment), clear=True),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def on_a_terminal(*words: str | Path, cwd: Path, **environment: str) -> tuple[int, str]:
    """Run a command whose stderr is a terminal; return its exit code and what was shown there."""
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "todo_sql", *map(str, words)],
        cwd=cwd,
        env=clean_environment(TERM="xterm", COLUMNS="100", **environment),
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(main)
    return process.wait(timeout=30), shown.decode()
