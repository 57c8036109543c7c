"""Prisma: a folder `TIMESTAMP_name` with a `migration.sql`; there is no way back."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Half, History, Revision, Sign, Tool, refusal
from todo_sql.errors import Finding
from todo_sql.sql.source import Source

_FOLDER = re.compile(r"(\d+)[_-]?(.*)")
_PROVIDER = re.compile(r'^\s*provider\s*=\s*"([^"]*)"', re.MULTILINE)


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of Prisma's; its keys are the names of the folders."""
    findings: list[Finding] = []
    lock = folder / "migration_lock.toml"
    if lock.is_file():
        source = asked.source(lock)
        provider = _PROVIDER.search(source.text)
        if provider and provider[1] not in ("postgresql", "cockroachdb"):
            place = source.place(provider.start(1), provider.end(1))
            fix = "only PostgreSQL's can come over"
            findings.append(refusal("A113", f"these are for {provider[1]}", place, fix=fix))
    revisions = []
    for path in sorted(folder.iterdir()):
        if not (path / "migration.sql").is_file():
            continue
        named = _FOLDER.fullmatch(path.name)
        data = asked.data(path / "migration.sql")
        up = Source.from_bytes(asked.shown(path / "migration.sql"), data)
        down = asked.source(path / "down.sql") if (path / "down.sql").is_file() else None
        revisions.append(
            Revision(
                path.name,
                named[2] if named else path.name,
                up.file,
                Half(up.file, up.text),
                Half(down.file, down.text) if down else None,
                version=named[1] if named else "",
                checksum=hashlib.sha256(data).hexdigest(),
                notes=("its way back is a hand-made down.sql",) if down else (),
            )
        )
    return History(tuple(revisions), tuple(findings))


TOOL = Tool(
    "prisma",
    "Prisma",
    (
        Sign("migration_lock.toml", None, "a migration_lock.toml"),
        Sign("*/migration.sql", None, "folders with a migration.sql each"),
    ),
    read,
    OldLedger(
        "_prisma_migrations",
        ("migration_name", "checksum", "started_at", "finished_at", "rolled_back_at"),
        "migration_name, (finished_at at time zone 'UTC')::text, case when finished_at is null "
        "then 'began and did not finish' end, checksum",
        rest="where rolled_back_at is null order by finished_at is null, started_at",
        ddl="create table if not exists _prisma_migrations (id varchar(36) primary key "
        "not null, checksum varchar(64) not null, finished_at timestamptz, "
        "migration_name varchar(255) not null, logs text, rolled_back_at "
        "timestamptz, started_at timestamptz not null default now(), "
        "applied_steps_count integer not null default 0)",
    ),
)
