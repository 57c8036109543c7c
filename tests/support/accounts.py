"""Running Python as an ordinary user from a test run that is root's, and as itself otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root does")


def ordinary_user() -> tuple[int, int] | None:
    """Return the uid and gid to drop to, or None when the run is not root's."""
    if os.geteuid() != 0:
        return None
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def python_as_ordinary_user(
    code: str, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `code` as an ordinary user, with this project importable.

    Skips the test where no interpreter is reachable for that user, such as one below a
    root's home of mode 0700.
    """
    ids = ordinary_user()
    interpreter = python_of_ordinary_user()
    paths = f"{ROOT}{os.pathsep}{sysconfig.get_path('purelib')}"
    return _run(
        [interpreter, "-W", "error", "-c", code, *map(str, arguments)],
        ids,
        {**os.environ, "PYTHONPATH": paths, "HOME": "/nonexistent", **environment},
    )


def python_of_ordinary_user() -> str:
    """Return an interpreter that an ordinary user can run; skip the test without one."""
    interpreter = _reachable_interpreter(ordinary_user())
    if interpreter is None:
        pytest.skip("an ordinary user cannot reach an interpreter of this version here")
    return interpreter


def _reachable_interpreter(ids: tuple[int, int] | None) -> str | None:
    same_version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            if _run([candidate, "-c", same_version], ids, dict(os.environ)).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


def _run(
    command: list[str], ids: tuple[int, int] | None, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=ids[0] if ids else None,
        group=ids[1] if ids else None,
        extra_groups=[] if ids else None,
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
