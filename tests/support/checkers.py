"""mypy and pyright over generated packages, once for the same text.

What a checker passed it passes again: the suite's second run, on another server, generates the
same packages. The key holds all that the answer depends on.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
_KEPT = ROOT / ".mypy_cache" / "suite"

MYPY = ("mypy", "--cache-dir", str(_KEPT / os.environ.get("PYTEST_XDIST_WORKER", "alone")))
PYRIGHT = ("pyright", "--pythonpath", sys.executable)


def passes(folder: Path, *programs: tuple[str, ...]) -> None:
    """Run programs of this environment in a folder of Python; each has to find nothing wrong."""
    key = hashlib.sha256(_surroundings() + repr(programs).encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".json", ".toml", ".ini") and ".mypy_cache" not in path.parts:
            key.update(repr((str(path.relative_to(folder)), path.read_bytes())).encode())
    passed = _KEPT / "passed" / key.hexdigest()
    if passed.exists():
        return
    for name, *words in programs:
        done = subprocess.run([BIN / name, *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    passed.parent.mkdir(parents=True, exist_ok=True)
    passed.touch()


@cache
def _surroundings() -> bytes:
    """Return what stands for the toolkit's own text and the versions of all that is read."""
    names = ("mypy", "pyright", "ruff", "pydantic", "pydantic-core", "psycopg")
    texts = [path.read_bytes() for path in sorted((ROOT / "todo_sql").rglob("*.py"))]
    return repr((sys.version, [version(name) for name in names], texts)).encode()
