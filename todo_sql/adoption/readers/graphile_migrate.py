"""graphile-migrate: `committed/000001-name.sql`, a chain of hashes; there is no way back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.placeholders import filled
from todo_sql.adoption.revisions import Asked, Half, History, Revision, Sign, Tool, left_out
from todo_sql.errors import Finding
from todo_sql.migrations.files.directives import is_empty

_FILE = re.compile(r"(\d+)(?:-(.*))?\.sql")
_HEADER = re.compile(r"\A(?:--![^\n]*\n)+\r?\n?")
_FIELD = re.compile(r"^--! (\w+):?[ \t]*(.*?)\r?$", re.MULTILINE)
_OUTSIDE = re.compile(r"\A\s*--! no-transaction\b[^\n]*")
_VALUE = re.compile(r"(?<![:\w]):(?P<name>[A-Z][A-Z0-9_]+)\b")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of graphile-migrate's; its keys are the names as its ledger has them."""
    committed = folder / "committed" if (folder / "committed").is_dir() else folder
    findings: list[Finding] = []
    values = {**_configured(folder, asked), **asked.values}
    revisions = []
    for path in sorted(committed.glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            continue
        source = asked.source(path)
        header = _HEADER.match(source.text)
        fields = dict(_FIELD.findall(header[0] if header else ""))
        at = header.end() if header else 0
        inside = _OUTSIDE.match(source.text, at) is None
        text = source.text[at:]
        outside = _OUTSIDE.match(text)
        if outside:
            inside, text = False, "\n" * outside[0].count("\n") + text[outside.end() :]
        line = source.text.count("\n", 0, at) + 1
        half = filled(Half(source.file, text, line, inside), _VALUE, values, findings)
        name = named[2] or fields.get("Message", "migration")
        checksum = _hash(fields, source.text[at:]) if "Hash" in fields else None
        revisions.append(
            Revision(
                f"{named[1]}.sql",
                name,
                source.file,
                half,
                version=named[1],
                checksum=checksum,
            )
        )
    findings += _unfinished(committed.parent, asked)
    return History(tuple(revisions), tuple(findings))


def _hash(fields: Mapping[str, str], text: str) -> str:
    """Return what graphile-migrate says of a text, which is not what an edited file still says."""
    if "AllowInvalidHash" in fields:
        return fields["Hash"].removeprefix("sha1:")
    chained = "" if fields.get("Previous", "-") == "-" else f"{fields['Previous']}\n"
    return hashlib.sha1(f"{(chained + text.strip()).strip()}\n".encode()).hexdigest()


def _unfinished(folder: Path, asked: Asked) -> list[Finding]:
    """Return a warning if current.sql, or a file of current/, holds work."""
    paths = [folder / "current.sql", *sorted((folder / "current").glob("*.sql"))]
    words = "is unfinished work, which graphile-migrate has not committed"
    fix = "commit it there first, or write it as a migration of ours"
    sources = [asked.source(path) for path in paths if path.is_file()]
    return [left_out(words, one.place(0), fix) for one in sources if not is_empty(one.text)]


def _configured(folder: Path, asked: Asked) -> dict[str, str]:
    """Return the placeholders of .gmrc that are given there in full."""
    for path in (folder / ".gmrc", folder.parent / ".gmrc", asked.root / ".gmrc"):
        if path.is_file():
            text = re.sub(r"^\s*//[^\n]*|/\*.*?\*/", "", asked.source(path).text, flags=re.M | re.S)
            try:
                given = json.loads(re.sub(r",(\s*[}\]])", r"\1", text)).get("placeholders")
            except (ValueError, AttributeError, RecursionError):
                return {}
            return {
                name.removeprefix(":"): str(value)
                for name, value in (given if isinstance(given, dict) else {}).items()
                if not str(value).startswith("!ENV")
            }
    return {}


TOOL = Tool(
    "graphile-migrate",
    "graphile-migrate",
    (
        Sign("committed/*.sql", r"^--! Previous:", "committed files with `--! Previous:`"),
        Sign("*.sql", r"^--! Previous:", "files with `--! Previous:`"),
    ),
    read,
    OldLedger(
        "migrations",
        ("hash", "previous_hash", "filename"),
        "filename, (date at time zone 'UTC')::text, null, substr(hash, 6)",
        schema="graphile_migrate",
        rest="order by filename",
        ddl="create schema if not exists graphile_migrate; create table if not exists "
        "graphile_migrate.migrations (hash text primary key, previous_hash text "
        "references graphile_migrate.migrations, filename text not null, date "
        "timestamptz not null default now())",
    ),
)
