"""dbmate: one file with `-- migrate:up` and `-- migrate:down`, ordered by its whole name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Revision, by_marks, named

_FILE = re.compile(r"(\d+)_?(.*)\.sql")
_MARK = re.compile(r"^--[ \t]*migrate:(?P<way>up|down)\b(?P<options>.*)$", re.MULTILINE)
_OUTSIDE = re.compile(r"\btransaction:[ \t]*false\b")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of dbmate's; its keys are the leading digits."""
    for path, name in named(folder, _FILE):
        source = asked.source(path)
        ways = by_marks(
            source,
            _MARK,
            asked,
            mark="-- migrate:up",
            again="a second `-- migrate:{way}` in one file",
            fix="divide the file; dbmate itself runs the pairs in one order both ways",
        )
        halves = {
            way: replace(half, transactional=_OUTSIDE.search(mark["options"]) is None)
            for way, (mark, half) in ways.items()
        }
        if "up" in halves:
            up, down = halves["up"], halves.get("down")
            yield Revision(name[1], name[2], source.file, up, down, version=name[1])
