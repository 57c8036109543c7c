"""node-pg-migrate: files of SQL (or JavaScript) ordered by the number that they begin with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Half, Revision, code_instead, named, split_at
from todo_sql.adoption.versions import natural

_FILE = re.compile(r"((\d+)[-_](.+?))(\.up|\.down)?\.(sql|js|ts|cjs|mjs|cts|mts)")
_MARK = re.compile(r"^[ \t]*--[\s-]*?(?P<way>up|down)[ \t]+migration.*$", re.MULTILINE | re.I)
_NO_WAY_BACK = "node-pg-migrate undoes no file without a mark for down"


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of node-pg-migrate's; its keys are the file names without extension."""
    found = [(path, name) for path, name in named(folder, _FILE, "*") if path.is_file()]
    downs = {name[1]: path for path, name in found if name[4] == ".down"}
    for path, name in sorted(found, key=lambda one: (int(one[1][2]), natural(one[1][1]))):
        key, version, words = name[1], name[2], name[3]
        if name[4] == ".down" or path.name.endswith(".d.ts"):
            continue
        if name[5] != "sql":
            yield code_instead(key, words, path, asked, "in JavaScript", version)
            continue
        up = asked.half(path)
        halves: dict[str, Half] = {}
        if name[4]:
            halves = {"down": asked.half(downs[key])} if key in downs else {}
        else:
            halves = {
                mark["way"].lower(): Half(up.file, text, line)
                for mark, text, line in split_at(up.text, _MARK)
                if mark is not None
            }
            up = halves.get("up", Half(up.file, "") if halves else up)
        yield Revision(
            key,
            words,
            up.file,
            up,
            halves.get("down"),
            version=version,
            irreversible=_NO_WAY_BACK,
        )
