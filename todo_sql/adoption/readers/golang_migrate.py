"""golang-migrate: `N_name.up.sql` and `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import RENUMBER, Asked, Revision, code_instead, pairs

_FILE = re.compile(r"(?P<number>\d+)_(?P<name>.*)\.(?P<way>up|down)\.(?P<kind>[^.]+)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of golang-migrate's; its keys are the numbers without leading zeros."""
    for name, up, downs in pairs(folder, _FILE, asked, "*"):
        key = str(int(name["number"]))
        for path in downs[1:]:
            asked.refuse("A114", f"a second down file of {key}", path, fix=RENUMBER)
        if name["kind"] != "sql":
            yield code_instead(key, name["name"], up, asked, f"in {name['kind']}", key)
            continue
        halves = asked.half(up), asked.half(downs[0]) if downs else None
        yield Revision(key, name["name"], asked.shown(up), *halves, version=key)
