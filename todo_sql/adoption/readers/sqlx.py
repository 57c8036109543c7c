"""sqlx: `N_name.sql`, or `N_name.up.sql` with `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Half, Revision, Sign, Tool, half_of, pairs

_FILE = re.compile(r"(?P<number>\d+)_(?P<name>.*?)(?:\.(?P<way>up|down))?\.sql")
_OUTSIDE = "-- no-transaction"


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of sqlx's; its keys are the numbers."""
    for name, path, down in pairs(folder, _FILE, asked):
        yield Revision(
            str(int(name["number"])),
            name["name"],
            asked.shown(path),
            _half(path, asked),
            _half(down, asked) if down else None,
            version=name["number"],
            checksum=hashlib.sha384(asked.data(path)).hexdigest(),
        )


def _half(path: Path, asked: Asked) -> Half:
    source = asked.source(path)
    return half_of(source, not source.text.startswith(_OUTSIDE))


TOOL = Tool(
    "sqlx",
    "sqlx",
    (
        Sign("../.sqlx/*.json", None, "the queries that sqlx prepared", sure=True),
        Sign("../Cargo.toml", r"\bsqlx\b", "a Cargo.toml with sqlx"),
        Sign("*.sql", r"\A-- no-transaction", "files that begin with `-- no-transaction`"),
        Sign("[0-9]*_*.sql", None, "files named N_name.sql", sure=False),
    ),
    read,
    OldLedger(
        "_sqlx_migrations",
        ("version", "success", "checksum"),
        "version::text, (installed_on at time zone 'UTC')::text, "
        "case when not success then 'did not succeed' end, encode(checksum, 'hex')",
        ddl="create table if not exists _sqlx_migrations (version bigint primary key, "
        "description text not null, installed_on timestamptz not null default "
        "now(), success boolean not null, checksum bytea not null, execution_time "
        "bigint not null)",
    ),
)
