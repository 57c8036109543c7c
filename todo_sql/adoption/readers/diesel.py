"""diesel: a folder `VERSION_name` with `up.sql` and `down.sql` each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import (
    NO_UP,
    WRITE_UP,
    Asked,
    Revision,
    Sign,
    Tool,
    code_instead,
    named,
)

_FOLDER = re.compile(r"([\d-]+)_?(.*)")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of diesel's; its keys are the digits of the folders, without hyphens."""
    found = [
        (name[1].replace("-", ""), name[2], path) for path, name in named(folder, _FOLDER, "*/")
    ]
    for key, name, path in sorted(found):
        up, down = path / "up.sql", path / "down.sql"
        if up.exists():
            inside = _in_transaction(path / "metadata.toml", asked)
            halves = asked.half(up, inside), asked.half_there(down, inside)
            yield Revision(key, name, asked.shown(up), *halves, version=key)
        elif down.exists():
            asked.refuse("A114", NO_UP, down, fix=WRITE_UP)
        elif any(path.iterdir()):
            yield code_instead(key, name, path, asked, "in Rust", key)


def _in_transaction(path: Path, asked: Asked) -> bool:
    if path.exists():
        source = asked.source(path)
        try:
            return bool(tomllib.loads(source.text).get("run_in_transaction", True))
        except tomllib.TOMLDecodeError as error:
            asked.refuse("A114", f"is no TOML: {error}", source.place(0), fix="correct the file")
    return True


TOOL = Tool(
    "diesel",
    "diesel",
    (
        Sign("../diesel.toml", None, "a diesel.toml"),
        Sign("*/up.sql", None, "folders with an up.sql each"),
    ),
    read,
    OldLedger(
        "__diesel_schema_migrations",
        ("version", "run_on"),
        "version, run_on::text, null, null",
        ddl="create table if not exists __diesel_schema_migrations (version varchar(50)"
        " primary key not null, run_on timestamp not null default "
        "current_timestamp)",
    ),
)
