"""sqitch: `sqitch.plan` orders `deploy/name.sql` and `revert/name.sql`, which psql runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.psql import expanded
from todo_sql.adoption.revisions import Asked, Revision, half_of
from todo_sql.errors import ConfigError

_ENTRY = re.compile(
    r"(?P<name>[^\s@#%][^\s\[]*)[ \t]*(?:\[(?P<needs>[^\]]*)\])?[ \t]*"
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?(?P<rest>.*)"
)
_TAG = re.compile(r"@([^\s\[]+)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a project of sqitch's; its keys are the names, ``name@tag`` for what was reworked."""
    top = _top(folder)
    plan = asked.source(top / "sqitch.plan")
    entries: list[re.Match[str]] = []
    tags_after: dict[int, str] = {}
    for text in map(str.strip, plan.text.splitlines()):
        if tag := _TAG.match(text):
            tags_after.setdefault(len(entries), tag[1])
        elif entry := _ENTRY.match(text):
            entries.append(entry)
    for at, entry in enumerate(entries):
        name = entry["name"]
        again = next((n for n in range(at + 1, len(entries)) if entries[n]["name"] == name), at)
        # A name that comes again is `name@tag` by the last tag before its rework.
        worked = next((tags_after[n] for n in range(again, at, -1) if n in tags_after), None)
        key = f"{name}@{worked}" if worked else name
        deploy, revert, verify = (
            top / way / f"{key}.sql" for way in ("deploy", "revert", "verify")
        )
        if not deploy.is_file():
            offset = max(plan.text.find(entry[0]), 0)
            place = plan.place(offset, offset + len(name))
            fix = "put the file back, or take the line out of the plan"
            asked.refuse("A114", f"deploy/{key}.sql is not there", place, fix=fix)
            continue
        source = asked.source(deploy)
        down = asked.half_there(revert, transactional=False)
        notes = (f"verify/{key}.sql did not come over: `todo-sql verify` proves by the catalog",)
        yield Revision(
            key,
            name,
            source.file,
            expanded(half_of(source, transactional=False), top, asked),
            expanded(down, top, asked) if down else None,
            version=re.sub(r"\D", "", entry["date"] or ""),
            checksum=hashlib.sha1(source.text.encode(), usedforsecurity=False).hexdigest(),
            notes=notes if verify.is_file() else (),
        )


def _top(folder: Path) -> Path:
    for path in (folder, folder.parent):
        if (path / "sqitch.plan").is_file():
            return path
    raise ConfigError(
        f"there is no sqitch.plan in {folder}", fix="name the folder that holds sqitch.plan"
    )
