"""golang-migrate: `N_name.up.sql` and `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Revision, Sign, Tool, code_instead, pairs

_FILE = re.compile(r"(?P<number>\d+)_(?P<name>.*)\.(?P<way>up|down)\.(?P<kind>[^.]+)")

_MODULE = "a go.mod that requires golang-migrate"
_ABOVE = ("../", "../../", "../../../")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of golang-migrate's; its keys are the numbers without leading zeros."""
    for name, up, down in pairs(folder, _FILE, asked, "*"):
        key = str(int(name["number"]))
        if name["kind"] != "sql":
            yield code_instead(key, name["name"], up, asked, f"in {name['kind']}", key)
            continue
        halves = asked.half(up), asked.half(down) if down else None
        yield Revision(key, name["name"], asked.shown(up), *halves, version=key)


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
