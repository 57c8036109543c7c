"""`todo-sql import` in a folder, in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from support.commands import clean_environment
from todo_sql.cli.app import main


def lay(folder: Path, files: Mapping[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(folder: Path, *words: str, **variables: str) -> tuple[int, Any]:
    """Run `todo-sql import` in a folder; return its exit code and its document."""
    out = io.StringIO()
    with (
        mock.patch.dict(os.environ, clean_environment(**variables), clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
    ):
        code = main(["import", *words, "--json"])
    return code, json.loads(out.getvalue())
