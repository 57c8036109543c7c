"""diesel: a folder `VERSION_name` with `up.sql` and `down.sql` each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import NO_UP, WRITE_UP, Asked, Half, Revision, code_instead, named

_FOLDER = re.compile(r"([\d-]+)_?(.*)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of diesel's; its keys are the digits of the folders, without hyphens."""
    found = [
        (name[1].replace("-", ""), name[2], path) for path, name in named(folder, _FOLDER, "*/")
    ]
    for key, name, path in sorted(found):
        inside = _in_transaction(asked.half_there(path / "metadata.toml"), asked)
        up, down = (asked.half_there(path / f"{way}.sql", inside) for way in ("up", "down"))
        if up:
            yield Revision(key, name, up.file, up, down, version=key)
        elif down:
            asked.refuse("A114", NO_UP, path / "down.sql", fix=WRITE_UP)
        elif any(path.iterdir()):
            yield code_instead(key, name, path, asked, "in Rust", key)


def _in_transaction(metadata: Half | None, asked: Asked) -> bool:
    if metadata:
        try:
            return bool(tomllib.loads(metadata.text).get("run_in_transaction", True))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            place = metadata.place(0, 1)
            asked.refuse("A114", f"is no TOML: {error}", place, fix="correct the file")
    return True
