"""tern: `001_name.sql` with a line between the two directions; Go templates in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.placeholders import A_FILE, Room, filled
from todo_sql.adoption.revisions import (
    Asked,
    Half,
    History,
    Revision,
    Sign,
    Tool,
    refusal,
)
from todo_sql.adoption.versions import natural
from todo_sql.errors import Finding
from todo_sql.sql.source import lies_in

_FILE = re.compile(r"(\d+)_(.+)\.sql")
_MARK = re.compile(r"^---- create above / drop below ----[ \t]*\r?$", re.MULTILINE)
_OUTSIDE = re.compile(r"^---- tern: disable-tx ----[ \t]*\r?$", re.MULTILINE)
_VALUE = re.compile(r"\{\{-?[ \t]*\.(?P<name>\w+)[ \t]*-?\}\}")
_TEMPLATE = re.compile(r"\{\{-?[ \t]*template[ \t]+\"(?P<file>[^\"]+)\"[ \t]*\.?[ \t]*-?\}\}")
_OTHER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_CONF = "tern.conf"


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of tern's; its keys are the numbers."""
    findings: list[Finding] = []
    values = {**_data(folder, asked), **asked.values}
    revisions = []
    paths = [path for path in folder.glob("*.sql") if _FILE.fullmatch(path.name)]
    for path in sorted(paths, key=lambda path: natural(path.name)):
        named = _FILE.fullmatch(path.name)
        assert named
        source = asked.source(path)
        parts = _MARK.split(source.text)
        up = Half(source.file, parts[0])
        down = None
        if len(parts) > 1:
            line = parts[0].count("\n") + 1
            down = Half(source.file, parts[1], line)
        key = str(int(named[1]))
        revisions.append(
            Revision(
                key,
                named[2],
                source.file,
                _filled(up, folder, asked, values, findings),
                down and _filled(down, folder, asked, values, findings),
                version=key,
            )
        )
    return History(tuple(revisions), tuple(findings))


def _filled(
    half: Half, folder: Path, asked: Asked, values: Mapping[str, str], findings: list[Finding]
) -> Half:
    inside = _OUTSIDE.search(half.text) is None
    half = replace(half, text=_OUTSIDE.sub("", half.text), transactional=inside)
    room = Room(half.file)
    for _ in range(8):  # templates in templates

        def included(found: re.Match[str]) -> str:
            path = folder / found["file"]
            if not lies_in(path, folder) or not path.is_file():
                return found[0]
            return room.take(asked.source(path).text, A_FILE)

        text = _TEMPLATE.sub(included, half.text)
        if text == half.text:
            break
        half = replace(half, text=text)
    half = filled(half, _VALUE, values, findings, comments=True)
    unfilled = {found[0] for found in _VALUE.finditer(half.text)}
    source = half.source
    for found in _OTHER.finditer(half.text):
        if found[0] in unfilled:
            continue
        at = half.line - 1 + found.start()
        findings.append(
            refusal(
                "A111",
                f"`{found[0].splitlines()[0]}` is a template of Go's",
                source.place(at, at + len(found[0].splitlines()[0])),
                fix="write out what tern makes of it (`tern print-migrations` shows it)",
            )
        )
    return half


def _data(folder: Path, asked: Asked) -> dict[str, str]:
    """Return the values of the section [data] of tern.conf, beside the folder or above it."""
    import configparser

    for path in (folder / _CONF, folder.parent / _CONF, asked.root / _CONF):
        if path.is_file():
            parser = configparser.ConfigParser(interpolation=None)
            parser.optionxform = str  # type: ignore[assignment,method-assign]
            try:
                parser.read_string(asked.source(path).text)
            except configparser.Error:
                return {}
            return dict(parser["data"]) if parser.has_section("data") else {}
    return {}


TOOL = Tool(
    "tern",
    "tern",
    (
        Sign(_CONF, None, "a tern.conf"),
        Sign("../tern.conf", None, "a tern.conf"),
        Sign("*.sql", r"^---- (create above|tern: disable-tx)", "files with tern's marks"),
    ),
    read,
    OldLedger(
        "schema_version",
        ("version",),
        "version::text, null, null, null",
        means="upto",
        ddl="create table if not exists schema_version (version int4 not null)",
    ),
)
