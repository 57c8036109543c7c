"""refinery: `V1__name.sql`, in sub-folders too, ordered by the number; there is no way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Revision, code_instead, named
from todo_sql.adoption.versions import natural

_FILE = re.compile(r"[UV](\d+(?:\.\d+)?)__(\w+)\.(sql|rs)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of refinery's; its keys are the numbers."""
    found = [
        (str(int(name[1])) if name[1].isdigit() else name[1], path, name)
        for path, name in named(folder, _FILE, "**/*")
    ]
    for key, path, name in sorted(found, key=lambda one: natural(one[0])):
        if name[3] == "rs":
            yield code_instead(key, name[2], path, asked, "in Rust", key)
        else:
            half = asked.half(path, transactional=True)
            yield Revision(key, name[2], half.file, half, version=key)
