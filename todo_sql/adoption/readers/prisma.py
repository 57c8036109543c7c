"""Prisma: a folder `TIMESTAMP_name` with a `migration.sql`; there is no way back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Revision, named

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
        up, down = asked.half_there(file), asked.half_there(path / "down.sql")
        if up is None:
            continue
        yield Revision(
            path.name,
            name[2],
            up.file,
            up,
            down,
            version=name[1],
            checksum=hashlib.sha256(asked.data(file)).hexdigest(),
            notes=("its way back is a hand-made down.sql",) if down else (),
        )
