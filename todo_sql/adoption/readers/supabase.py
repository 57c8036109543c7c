"""Supabase: `TIMESTAMP_name.sql`; there is no way back."""

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
    half_of,
    left_out,
)
from todo_sql.errors import Finding

_FILE = re.compile(r"(\d+)_(.*)\.sql")
_MADE_THERE = Path(__file__).with_name("supabase_platform.sql")
_PLATFORM = re.compile(
    r"\b(?:auth|storage|extensions)\.\w|\b(?:anon|authenticated|service_role|supabase_\w+)\b|"
    r"\bschema\s+\"?extensions\b",
    re.IGNORECASE,
)
_OLD_SCHEMA = "20211209000000"


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of Supabase's; its keys are the leading digits.

    Where it leans on what Supabase itself makes (roles, schemas, ``auth.users``), a first file
    makes that; it counts as applied wherever there is Supabase's ledger.
    """
    revisions: list[Revision] = []
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        source = asked.source(path)
        if not revisions and named[2] == "init" and named[1] < _OLD_SCHEMA:
            words = "was left out: the Supabase command line skips such a file, too"
            fix = "write a migration for what it made that the database still has"
            findings.append(left_out(words, source.place(0), fix))
            continue
        half = half_of(source)
        revisions.append(Revision(named[1], named[2], source.file, half, version=named[1]))
    platform = next((one for one in revisions if one.up and _PLATFORM.search(one.up.text)), None)
    if platform is not None:
        text = _MADE_THERE.read_text(encoding="utf-8")
        reason = "Supabase makes it in each of its databases"
        revisions.insert(
            0,
            Revision(
                "(platform)",
                "what supabase has",
                platform.file,
                Half(platform.file, text),
                irreversible=reason,
                notes=("leans on what Supabase has: a first file makes that where it is not",),
            ),
        )
    for name in ("seed.sql", "roles.sql"):
        path = folder.parent / name
        if path.is_file():
            place = asked.source(path).place(0)
            fix = "put it into seeds/" if name == "seed.sql" else "write the roles as a migration"
            findings.append(left_out("is no migration", place, fix))
    return History(tuple(revisions), tuple(findings))


TOOL = Tool(
    "supabase",
    "Supabase",
    (Sign("../config.toml", r"^\s*project_id\s*=", "a supabase/config.toml"),),
    read,
    OldLedger(
        "schema_migrations",
        ("version", "statements"),
        "version, null, null, null",
        schema="supabase_migrations",
        ddl="create schema if not exists supabase_migrations; create table if not "
        "exists supabase_migrations.schema_migrations (version text not null "
        "primary key, statements text[], name text)",
    ),
)
