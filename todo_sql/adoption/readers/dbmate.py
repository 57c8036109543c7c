"""dbmate: one file with `-- migrate:up` and `-- migrate:down`, ordered by its whole name."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import (
    Asked,
    Half,
    History,
    Revision,
    Sign,
    Tool,
    refusal,
    split_at,
)

_FILE = re.compile(r"(\d+)_?(.*)\.sql")
_MARK = re.compile(r"^--[ \t]*migrate:(?P<way>up|down)\b(?P<options>.*)$", re.MULTILINE)
_OUTSIDE = re.compile(r"\btransaction:[ \t]*false\b")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of dbmate's; its keys are the leading digits."""
    revisions, findings = [], []
    for path in sorted(folder.glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        source = asked.source(path)
        halves: dict[str, Half] = {}
        for mark, text, line in split_at(source.text, _MARK):
            if mark is None:
                continue
            if mark["way"] in halves:
                place = source.place(mark.start(), mark.end())
                again = f"a second `-- migrate:{mark['way']}` in one file"
                fix = "divide the file; dbmate itself runs the pairs in one order both ways"
                findings.append(refusal("A114", again, place, fix=fix))
                continue
            inside = _OUTSIDE.search(mark["options"]) is None
            halves[mark["way"]] = Half(source.file, text, line, inside)
        if "up" not in halves:
            fix = "write it above the SQL, or move the file elsewhere"
            findings.append(refusal("A114", "no `-- migrate:up`", source.place(0), fix=fix))
            continue
        up, down = halves["up"], halves.get("down")
        revisions.append(Revision(named[1], named[2], source.file, up, down, version=named[1]))
    return History(tuple(revisions), tuple(findings))


TOOL = Tool(
    "dbmate",
    "dbmate",
    (Sign("*.sql", r"^--[ \t]*migrate:up\b", "files with `-- migrate:up`"),),
    read,
    OldLedger(
        "schema_migrations",
        ("version",),
        "version, null, null, null",
        lacks=("dirty", "statements"),
        ddl="create table if not exists schema_migrations (version varchar(128) primary key)",
    ),
)
