"""`todo-sql import` in a folder, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.commands import called


def lay(folder: Path, files: Mapping[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(folder: Path, *words: str, **variables: str) -> tuple[int, Any]:
    """Run `todo-sql import` in a folder; return its exit code and its document."""
    code, out, _ = called(["import", *words, "--json"], folder, variables)
    return code, json.loads(out)
