"""Supabase: `TIMESTAMP_name.sql`; there is no way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Half, Revision, named

_FILE = re.compile(r"(\d+)_(.*)\.sql")
_MADE_THERE = Path(__file__).with_name("supabase_platform.sql")
_PLATFORM = re.compile(
    r"\b(?:auth|storage|extensions)\.\w|\b(?:anon|authenticated|service_role|supabase_\w+)\b|"
    r"\bschema\s+\"?extensions\b",
    re.IGNORECASE,
)
_OLD_SCHEMA = "20211209000000"
_BESIDE = {"seed.sql": "put it into seeds/", "roles.sql": "write the roles as a migration"}


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of Supabase's; its keys are the leading digits.

    Where it leans on what Supabase itself makes (roles, schemas, ``auth.users``), a first file
    makes that; it counts as applied wherever there is Supabase's ledger.
    """
    revisions: list[Revision] = []
    for path, name in named(folder, _FILE):
        if not revisions and name[2] == "init" and name[1] < _OLD_SCHEMA:
            words = "was left out: the Supabase command line skips such a file, too"
            fix = "write a migration for what it made that the database still has"
            asked.leave_out(words, path, fix)
            continue
        half = asked.half(path)
        revisions.append(Revision(name[1], name[2], half.file, half, version=name[1]))
    platform = next((one for one in revisions if one.up and _PLATFORM.search(one.up.text)), None)
    if platform is not None:
        yield Revision(
            "(platform)",
            "what supabase has",
            platform.file,
            Half(platform.file, _MADE_THERE.read_text(encoding="utf-8")),
            irreversible="Supabase makes it in each of its databases",
            notes=("leans on what Supabase has: a first file makes that where it is not",),
        )
    yield from revisions
    for file, fix in _BESIDE.items():
        if (folder.parent / file).is_file():
            asked.leave_out("is no migration", folder.parent / file, fix)
