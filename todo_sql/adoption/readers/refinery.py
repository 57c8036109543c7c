"""refinery: `V1__name.sql`, in sub-folders too, ordered by the number; there is no way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Revision, Sign, Tool, code_instead, named
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
