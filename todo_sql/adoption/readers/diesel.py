"""diesel: a folder `VERSION_name` with `up.sql` and `down.sql` each."""

from __future__ import annotations

import re
import tomllib
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
    refusal,
)
from todo_sql.errors import Finding

_FOLDER = re.compile(r"([\d-]+)_?(.*)")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of diesel's; its keys are the digits of the folders, without hyphens."""
    found: list[Revision] = []
    findings: list[Finding] = []
    for path in folder.iterdir():
        named = _FOLDER.fullmatch(path.name)
        if named is None or not path.is_dir():
            continue
        key, name = named[1].replace("-", ""), named[2]
        if not (path / "up.sql").exists():
            if not any(path.iterdir()):
                continue
            if (path / "down.sql").exists():
                place = asked.source(path / "down.sql").place(0)
                fix = "write its up file (empty, where it did nothing), or move this one elsewhere"
                findings.append(refusal("A114", "a down file without its up file", place, fix=fix))
                continue
            found.append(code_instead(key, name, path, asked, "in Rust", key))
            continue
        inside = _in_transaction(path / "metadata.toml", asked, findings)
        up = asked.source(path / "up.sql")
        down = asked.source(path / "down.sql") if (path / "down.sql").exists() else None
        found.append(
            Revision(
                key,
                name,
                up.file,
                Half(up.file, up.text, transactional=inside),
                Half(down.file, down.text, transactional=inside) if down else None,
                version=key,
            )
        )
    found.sort(key=lambda one: one.key)
    return History(tuple(found), tuple(findings))


def _in_transaction(path: Path, asked: Asked, findings: list[Finding]) -> bool:
    if not path.exists():
        return True
    source = asked.source(path)
    try:
        return bool(tomllib.loads(source.text).get("run_in_transaction", True))
    except tomllib.TOMLDecodeError as error:
        place = source.place(0)
        findings.append(refusal("A114", f"is no TOML: {error}", place, fix="correct the file"))
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
