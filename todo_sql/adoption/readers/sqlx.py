"""sqlx: `N_name.sql`, or `N_name.up.sql` with `N_name.down.sql`, ordered by the number."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import Asked, Half, History, Revision, Sign, Tool, refusal
from todo_sql.errors import Finding
from todo_sql.sql.source import Source

_FILE = re.compile(r"(\d+)_(.*?)(\.up|\.down)?\.sql")
_OUTSIDE = "-- no-transaction"


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of sqlx's; its keys are the numbers."""
    ups: dict[int, tuple[str, Path]] = {}
    downs: dict[int, Path] = {}
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        number = int(named[1])
        if named[3] == ".down":
            downs[number] = path
        elif number in ups:
            place = asked.source(path).place(0)
            fix = "give one of the two another number"
            findings.append(refusal("A114", f"a second file of {number}", place, fix=fix))
        else:
            ups[number] = named[2], path
    revisions = []
    for number, (name, path) in sorted(ups.items()):
        down = asked.source(downs[number]) if number in downs else None
        data = asked.data(path)
        up = Source.from_bytes(asked.shown(path), data)
        revisions.append(
            Revision(
                str(number),
                name,
                up.file,
                _half(up),
                _half(down) if down else None,
                version=path.name.split("_", 1)[0],
                checksum=hashlib.sha384(data).hexdigest(),
            )
        )
    for number in downs.keys() - ups.keys():
        place = asked.source(downs[number]).place(0)
        fix = "write its up file, or move this one elsewhere"
        findings.append(refusal("A114", "a down file without its up file", place, fix=fix))
    return History(tuple(revisions), tuple(findings))


def _half(source: Source) -> Half:
    return Half(source.file, source.text, transactional=not source.text.startswith(_OUTSIDE))


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
