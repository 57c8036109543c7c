"""tern: `001_name.sql` with a line between the two directions; Go templates in it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.placeholders import A_FILE, Room, filled
from todo_sql.adoption.revisions import Asked, Half, Revision, named
from todo_sql.adoption.versions import natural
from todo_sql.sql.source import lies_in

_FILE = re.compile(r"(\d+)_(.+)\.sql")
_MARK = re.compile(r"^---- create above / drop below ----[ \t]*\r?$", re.MULTILINE)
_OUTSIDE = re.compile(r"^---- tern: disable-tx ----[ \t]*\r?$", re.MULTILINE)
_VALUE = re.compile(r"\{\{-?[ \t]*\.(?P<name>\w+)[ \t]*-?\}\}")
_TEMPLATE = re.compile(r"\{\{-?[ \t]*template[ \t]+\"(?P<file>[^\"]+)\"[ \t]*\.?[ \t]*-?\}\}")
_OTHER = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of tern's; its keys are the numbers."""
    values = _data(folder, asked)
    for path, name in sorted(named(folder, _FILE), key=lambda one: natural(one[0].name)):
        source = asked.source(path)
        text, *below = _MARK.split(source.text)
        up, down = _filled(Half(source.file, text), folder, asked, values), None
        if below:
            half = Half(source.file, below[0], text.count("\n") + 1)
            down = _filled(half, folder, asked, values)
        key = str(int(name[1]))
        yield Revision(key, name[2], source.file, up, down, version=key)


def _filled(half: Half, folder: Path, asked: Asked, values: Mapping[str, str]) -> Half:
    inside = _OUTSIDE.search(half.text) is None
    half = replace(half, text=_OUTSIDE.sub("", half.text), transactional=inside)
    room = Room(half.file)

    def included(found: re.Match[str]) -> str:
        path = folder / found["file"]
        if not lies_in(path, folder) or not path.is_file():
            return found[0]
        return room.take(asked.source(path).text, A_FILE)

    for _ in range(8):  # templates in templates
        text = _TEMPLATE.sub(included, half.text)
        if text == half.text:
            break
        half = replace(half, text=text)
    half = filled(half, _VALUE, asked, values, comments=True)
    for found in _OTHER.finditer(half.text):
        first = found[0].splitlines()[0]
        if not _VALUE.fullmatch(found[0]):  # it has been told that such a one has no value
            fix = "write out what tern makes of it (`tern print-migrations` shows it)"
            place = half.place(found.start(), found.start() + len(first))
            asked.refuse("A111", f"`{first}` is a template of Go's", place, fix=fix)
    return half


def _data(folder: Path, asked: Asked) -> dict[str, str]:
    """Return the values of the section [data] of tern.conf, beside the folder or above it."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(asked.configuration(folder, "tern.conf") or "")
    except configparser.Error:
        return {}
    return dict(parser["data"]) if parser.has_section("data") else {}
