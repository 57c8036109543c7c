"""Prisma: a folder `TIMESTAMP_name` with a `migration.sql`; there is no way back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Revision, Sign, Tool, named

_FOLDER = re.compile(r"(\d*)[_-]?(.*)")
_PROVIDER = re.compile(r'^\s*provider\s*=\s*"([^"]*)"', re.MULTILINE)


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of Prisma's; its keys are the names of the folders."""
    lock = folder / "migration_lock.toml"
    if lock.is_file():
        source = asked.source(lock)
        provider = _PROVIDER.search(source.text)
        if provider and provider[1] not in ("postgresql", "cockroachdb"):
            place = source.place(provider.start(1), provider.end(1))
            fix = "only PostgreSQL's can come over"
            asked.refuse("A113", f"these are for {provider[1]}", place, fix=fix)
    for path, name in named(folder, _FOLDER, "*/"):
        file = path / "migration.sql"
        if not file.is_file():
            continue
        down = asked.half_there(path / "down.sql")
        yield Revision(
            path.name,
            name[2],
            asked.shown(file),
            asked.half(file),
            down,
            version=name[1],
            checksum=hashlib.sha256(asked.data(file)).hexdigest(),
            notes=("its way back is a hand-made down.sql",) if down else (),
        )


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
