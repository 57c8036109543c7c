"""graphile-migrate: `committed/000001-name.sql`, a chain of hashes; there is no way back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from todo_sql.adoption.placeholders import filled
from todo_sql.adoption.revisions import Asked, Half, Revision, named
from todo_sql.migrations.files.directives import is_empty

_FILE = re.compile(r"(\d+)(?:-(.*))?\.sql")
_HEADER = re.compile(r"\A(?:--![^\n]*\n)+\r?\n?")
_FIELD = re.compile(r"^--! (\w+):?[ \t]*(.*?)\r?$", re.MULTILINE)
_OUTSIDE = re.compile(r"\A\s*--! no-transaction\b[^\n]*")
_VALUE = re.compile(r"(?<![:\w]):(?P<name>[A-Z][A-Z0-9_]+)\b")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of graphile-migrate's; its keys are the names as its ledger has them."""
    committed = folder / "committed" if (folder / "committed").is_dir() else folder
    values = _configured(folder, asked)
    for path, name in named(committed, _FILE):
        source = asked.source(path)
        header = _HEADER.match(source.text)
        fields = dict(_FIELD.findall(header[0] if header else ""))
        at = header.end() if header else 0
        text = source.text[at:]
        outside = _OUTSIDE.match(text)
        if outside:
            text = "\n" * outside[0].count("\n") + text[outside.end() :]
        line = source.text.count("\n", 0, at) + 1
        yield Revision(
            f"{name[1]}.sql",
            name[2] or fields.get("Message", "migration"),
            source.file,
            filled(Half(source.file, text, line, not outside), _VALUE, asked, values),
            version=name[1],
            checksum=_hash(fields, source.text[at:]) if "Hash" in fields else None,
        )
    current = committed.parent / "current"
    for path in (current.with_suffix(".sql"), *sorted(current.glob("*.sql"))):
        if path.is_file() and not is_empty(asked.source(path).text):
            words = "is unfinished work, which graphile-migrate has not committed"
            fix = "commit it there first, or write it as a migration of ours"
            asked.leave_out(words, path, fix)


def _hash(fields: Mapping[str, str], text: str) -> str:
    """Return what graphile-migrate says of a text, which is not what an edited file still says."""
    if "AllowInvalidHash" in fields:
        return fields["Hash"].removeprefix("sha1:")
    chained = "" if fields.get("Previous", "-") == "-" else f"{fields['Previous']}\n"
    return hashlib.sha1(f"{(chained + text.strip()).strip()}\n".encode()).hexdigest()


def _configured(folder: Path, asked: Asked) -> dict[str, str]:
    """Return the placeholders of .gmrc that are given there in full."""
    text = asked.configuration(folder, ".gmrc") or "{}"
    plain = re.sub(r"^\s*//[^\n]*|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)
    try:
        given = json.loads(re.sub(r",(\s*[}\]])", r"\1", plain)).get("placeholders")
    except (ValueError, AttributeError, RecursionError):
        given = None
    return {
        name.removeprefix(":"): str(value)
        for name, value in (given if isinstance(given, dict) else {}).items()
        if not str(value).startswith("!ENV")
    }
