"""golang-migrate: `N_name.up.sql` and `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import (
    Asked,
    History,
    Revision,
    Sign,
    Tool,
    code_instead,
    half_of,
    refusal,
)
from todo_sql.errors import Finding

_FILE = re.compile(r"(\d+)_(.*)\.(up|down)\.([^.]+)")

_MODULE = "a go.mod that requires golang-migrate"
_ABOVE = ("../", "../../", "../../../")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of golang-migrate's; its keys are the numbers without leading zeros."""
    found: dict[int, dict[str, Path]] = {}
    names: dict[int, str] = {}
    findings: list[Finding] = []
    for path in sorted(folder.iterdir()):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        number, way = int(named[1]), named[3]
        if way in found.setdefault(number, {}):
            place = asked.source(path).place(0)
            fix = "give one of the two another number"
            findings.append(refusal("A114", f"a second {way} file of {number}", place, fix=fix))
            continue
        found[number][way] = path
        names.setdefault(number, named[2])
    revisions = []
    for number, ways in sorted(found.items()):
        key, name = str(number), names[number]
        if "up" not in ways:
            place = asked.source(ways["down"]).place(0)
            fix = "write its up file (empty, where it did nothing), or move this one elsewhere"
            findings.append(refusal("A114", "a down file without its up file", place, fix=fix))
            continue
        if ways["up"].suffix != ".sql":
            language = f"in {ways['up'].suffix[1:]}"
            revisions.append(code_instead(key, name, ways["up"], asked, language, key))
            continue
        halves = {way: asked.source(path) for way, path in ways.items()}
        up, down = halves["up"], halves.get("down")
        revisions.append(
            Revision(
                key,
                name,
                up.file,
                half_of(up),
                half_of(down) if down else None,
                version=key,
            )
        )
    return History(tuple(revisions), tuple(findings))


TOOL = Tool(
    "golang-migrate",
    "golang-migrate",
    (
        *(Sign(f"{up}go.mod", r"golang-migrate/migrate", _MODULE) for up in _ABOVE),
        Sign("*_*.up.sql", None, "files named N_name.up.sql", sure=False),
    ),
    read,
    OldLedger(
        "schema_migrations",
        ("version", "dirty"),
        "version::text, null, case when dirty then 'is dirty: it was stopped on the way to or "
        "from this version' end, null",
        means="upto",
        ddl="create table if not exists schema_migrations (version bigint not null "
        "primary key, dirty boolean not null)",
    ),
)
