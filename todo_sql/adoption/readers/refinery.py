"""refinery: `V1__name.sql`, in sub-folders too, ordered by the number; there is no way back."""

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
    code_instead,
)
from todo_sql.adoption.versions import natural

_FILE = re.compile(r"[UV](\d+(?:\.\d+)?)__(\w+)\.(sql|rs)")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of refinery's; its keys are the numbers."""
    found = []
    for path in folder.rglob("*"):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        key = str(int(named[1])) if named[1].isdigit() else named[1]
        if named[3] == "rs":
            found.append(code_instead(key, named[2], path, asked, "in Rust", key))
            continue
        source = asked.source(path)
        half = Half(source.file, source.text, transactional=True)
        found.append(Revision(key, named[2], source.file, half, version=key))
    found.sort(key=lambda one: natural(one.key))
    return History(tuple(found))


TOOL = Tool(
    "refinery",
    "refinery",
    (
        Sign("../Cargo.toml", r"\brefinery\b", "a Cargo.toml with refinery"),
        Sign("../../Cargo.toml", r"\brefinery\b", "a Cargo.toml with refinery"),
        Sign("[UV][0-9]*__*.rs", None, "files named V1__name.rs"),
        Sign("[UV][0-9]*__*.sql", None, "files named V1__name.sql", sure=False),
    ),
    read,
    OldLedger(
        "refinery_schema_history",
        ("version", "name", "applied_on", "checksum"),
        "version::text, (applied_on::timestamptz at time zone 'UTC')::text, null, null",
        ddl="create table if not exists refinery_schema_history (version int4 primary "
        "key, name varchar(255), applied_on varchar(255), checksum varchar(255))",
    ),
)
