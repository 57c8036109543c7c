"""sqlx: `N_name.sql`, or `N_name.up.sql` with `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import RENUMBER, Asked, Half, Revision, half_of, pairs

_FILE = re.compile(r"(?P<number>\d+)_(?P<name>.*?)(?:\.(?P<way>up|down))?\.sql")
_OUTSIDE = "-- no-transaction"


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of sqlx's; its keys are the numbers."""
    for name, path, downs in pairs(folder, _FILE, asked):
        # sqlx bears several down files of a number; that of the up file's name is its own.
        downs.sort(key=lambda one: one.name.startswith(f"{name['number']}_{name['name']}."))
        for other in downs[:-1]:
            words = f"was left out: {downs[-1].name} is the way back of {path.name}"
            asked.leave_out(words, other, RENUMBER)
        yield Revision(
            str(int(name["number"])),
            name["name"],
            asked.shown(path),
            _half(path, asked),
            _half(downs[-1], asked) if downs else None,
            version=name["number"],
            checksum=hashlib.sha384(asked.data(path)).hexdigest(),
        )


def _half(path: Path, asked: Asked) -> Half:
    source = asked.source(path)
    return half_of(source, not source.text.startswith(_OUTSIDE))
