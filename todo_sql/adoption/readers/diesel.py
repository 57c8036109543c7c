"""diesel: a folder `VERSION_name` with `up.sql` and `down.sql` each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import NO_UP, WRITE_UP, Asked, Revision, code_instead, named
from todo_sql.adoption.tools import tool

_FOLDER = re.compile(r"([\d-]+)_?(.*)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of diesel's; its keys are the digits of the folders, without hyphens."""
    found = [
        (name[1].replace("-", ""), name[2], path) for path, name in named(folder, _FOLDER, "*/")
    ]
    for key, name, path in sorted(found):
        up, down = path / "up.sql", path / "down.sql"
        if up.exists():
            inside = _in_transaction(path / "metadata.toml", asked)
            halves = asked.half(up, inside), asked.half_there(down, inside)
            yield Revision(key, name, asked.shown(up), *halves, version=key)
        elif down.exists():
            asked.refuse("A114", NO_UP, down, fix=WRITE_UP)
        elif any(path.iterdir()):
            yield code_instead(key, name, path, asked, "in Rust", key)


def _in_transaction(path: Path, asked: Asked) -> bool:
    if path.exists():
        source = asked.source(path)
        try:
            return bool(tomllib.loads(source.text).get("run_in_transaction", True))
        except tomllib.TOMLDecodeError as error:
            asked.refuse("A114", f"is no TOML: {error}", source.place(0), fix="correct the file")
    return True


TOOL = tool("diesel", read)
