"""Runs another tool in the user's environment, on a scratch database of ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from todo_sql.adoption.captured import history_of
from todo_sql.adoption.revisions import Asked, History
from todo_sql.errors import UsageError
from todo_sql.wire.url import DatabaseUrl

_HARNESS = Path(__file__).parent / "harness"
_PART = re.compile(r"\{(url|host|port|user|password|database)\}")
_RESTARTS = 30  # of the way back, below what has none
_PLACES = (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe")


def has(python: str, module: str) -> bool:
    """Tell whether an interpreter has a module; it is not imported, which takes its time."""
    code = f"import sys; from importlib.util import find_spec; sys.exit(not find_spec({module!r}))"
    words = [python, "-c", code]
    try:
        return subprocess.run(words, capture_output=True, check=False, cwd="/").returncode == 0
    except OSError:
        return False


def python_of(asked: Asked, module: str) -> str:
    """Return the Python of the project that has a module.

    Raises:
        UsageError: None has.
    """
    given = os.environ.get("TODO_SQL_PYTHON")
    near = [str(asked.root / place) for place in _PLACES if (asked.root / place).exists()]
    for python in [given] if given else [*near, sys.executable, "python3", "python"]:
        if has(python, module):
            return python
    raise UsageError(
        f"no Python here has {module}",
        code="A131",
        cause="its history is code, and is run in the project's own environment",
        fix="activate that environment, or name its interpreter in TODO_SQL_PYTHON",
    )


@dataclass(frozen=True, slots=True)
class ProjectCode:
    """A tool whose history is code, which is run.

    Attributes:
        module: Its name in Python; its program in `harness` is called after it.
        orders: Returns what the program is told: by the folder, what the person said, the
            interpreter and the URL of the scratch database.
        printed: Whether it prints its SQL without a database, too, to be compared.
    """

    module: str
    orders: Callable[[Path, Asked, str, str], Mapping[str, str]]
    printed: bool

    def make(self, folder: Path, asked: Asked, url: str) -> tuple[str | None, str]:
        """Make a database as the tool does; return schema and name of its ledger there."""
        python = python_of(asked, self.module)
        orders = {**self.orders(folder, asked, python, url), "pass": "up"}
        schema, name = self._run(python, orders, asked, url)["ledger"]
        return schema, name

    def history(self, folder: Path, asked: Asked) -> History:
        """Run a history up and down on scratch databases; return what each migration sent.

        Where one has no way back, those before it are undone in a database that only they made.
        """
        from todo_sql.compiler.scratch import empty_database, scratch_server

        assert asked.config is not None
        python = python_of(asked, self.module)
        up: dict[str, Any] = {}
        text = None
        undone: dict[str, Any] = {}
        reasons: dict[str, str] = {}
        stop: str | None = ""
        while stop is not None:
            with empty_database(scratch_server(asked.config)) as url:
                orders = {**self.orders(folder, asked, python, url), "stop": stop}
                made = self._run(python, {**orders, "pass": "up"}, asked, url)
                if not up:
                    up = made
                    if self.printed:
                        text = self._run(python, {**orders, "pass": "offline"}, asked, url)
                if made["error"] is not None:
                    break
                down = self._run(python, {**orders, "pass": "down"}, asked, url)
            undone = {**down["revisions"], **undone}
            key = down["failed"]["key"] if down["failed"] else None
            stop = None if key in reasons or len(reasons) == _RESTARTS else key
            if down["error"] is not None:
                reasons[key or ""] = down["error"].partition("\n")[0]
        return history_of(asked, up=up, undone=undone, reasons=reasons, text=text)

    def _run(
        self, python: str, orders: Mapping[str, str], asked: Asked, url: str
    ) -> dict[str, Any]:
        """Run the program and return what it found.

        The person's values become environment variables, with ``{url}`` of the scratch database
        and its parts, such as ``{host}``, filled in.

        Raises:
            UsageError: It ended without an answer.
        """
        known = DatabaseUrl.parse(url).parameters
        shown, database = orders.get("url") or url, known["dbname"]
        parts = {part: known.get(part, "") for part in ("host", "port", "user", "password")}
        parts |= {"url": shown, "database": database}
        values = {name: _PART.sub(lambda f: parts[f[1]], v) for name, v in asked.values.items()}
        places = [orders.get("folder"), str(asked.root), str(asked.root / "src")]
        with tempfile.TemporaryDirectory(prefix="todo-sql-") as folder:
            out = Path(folder) / "found.json"
            told = {
                **orders,
                "root": str(asked.root),
                "path": [place for place in places if place],
                "url": shown,
                "database": database,
                "stop": orders.get("stop", ""),
                "out": str(out),
            }
            done = subprocess.run(
                [python, str(_HARNESS / f"{self.module}_run.py")],
                input=json.dumps(told),
                env={**os.environ, "DATABASE_URL": shown, **values},
                capture_output=True,
                text=True,
                check=False,
                cwd=asked.root,
            )
            if out.exists():
                found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
                return found
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise UsageError(
            f"the project's code ended with {words[-1] if words else done.returncode}",
            code="A132",
            cause="\n".join(words[-8:-1]) or "it was run in the project's own environment",
            fix="make it run there as it does for you: its settings, as environment "
            "variables, with `--set NAME=VALUE`, where {url} is the scratch database, and "
            "{host}, {port}, {user}, {password}, {database} its parts",
        )
