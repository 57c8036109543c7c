"""What psql makes of a text before it sends it: includes, variables, commands of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.placeholders import A_FILE, Room, Stretches, stretches_in
from todo_sql.adoption.revisions import Asked, Half
from todo_sql.sql.scanner import COMMENTS, Kind

_COMMAND = re.compile(r"^[ \t]*\\(?P<name>[A-Za-z!?]+)(?P<rest>[^\n]*)$", re.MULTILINE)
_SILENT = {"echo", "qecho", "warn", "timing", "pset", "unset", "restrict", "unrestrict", "encoding"}
_INCLUDES = {"i", "ir", "include", "include_relative"}
_STOPS = re.compile(r"\s*ON_ERROR_(?:STOP|ROLLBACK)\b|\s*(?:AUTOCOMMIT|VERBOSITY|QUIET)\b", re.I)
_VALUE = re.compile(r":(?P<quote>['\"]?)(?P<name>[A-Za-z_]\w*)(?P=quote)")
_QUOTED = (Kind.STRING, Kind.QUOTED, *COMMENTS)
_DEPTH = 16


def expanded(half: Half, folder: Path, asked: Asked) -> Half:
    """Return a text as psql would send it.

    Args:
        half: The text of a file.
        folder: What its includes are relative to, besides the file itself.
        asked: Values of variables; is told of each command that only psql knows.
    """
    values = dict(asked.values)
    text = _commands(half, folder, asked, values, Room(half.file))
    return replace(half, text=_with_values(half, text, values, asked))


def _commands(
    half: Half,
    folder: Path,
    asked: Asked,
    values: dict[str, str],
    room: Room,
    depth: int = 0,
) -> str:
    blank = _COMMAND.sub(lambda found: " " * len(found[0]), half.text)
    inside = Stretches(stretches_in(blank, _QUOTED))

    def taken(found: re.Match[str]) -> str:
        if found.start() in inside:
            return found[0]
        name, rest = found["name"], found["rest"].strip()
        place = half.place(found.start(), found.end()) if depth == 0 else half.source.place(0)
        variable, _, value = rest.partition(" ")
        if name == "set" and variable in asked.values:
            return ""
        if "`" in rest:
            values.setdefault(variable, "")
            fix = f"give what the command prints: `--set {variable}=VALUE`"
            asked.refuse("A111", "a shell command in backticks", place, fix=fix)
        elif name == "set" and rest:
            if not _STOPS.match(rest):
                values.setdefault(variable, value.strip().strip("'"))
        elif name in _INCLUDES:
            file = rest.strip("'\"")
            here = (asked.root / half.file).parent if name in ("ir", "include_relative") else folder
            path = next((one for one in (here / file, folder / file) if _is_file(one)), None)
            if path is not None and depth < _DEPTH:
                source = asked.source(path)
                inner = Half(source.file, room.take(source.text, A_FILE))
                return _commands(inner, folder, asked, values, room, depth + 1)
            fix = "correct the path, or put the text in its place"
            asked.refuse("A111", f"includes {file}, which is not there", place, fix=fix)
        elif name not in _SILENT:
            words = f"`\\{name}` is a command of psql's"
            asked.refuse("A111", words, place, fix="write it as SQL")
        return ""

    return _COMMAND.sub(taken, half.text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _with_values(half: Half, text: str, values: Mapping[str, str], asked: Asked) -> str:
    """Put variables in their places: ``:name``, ``:'name'``, ``:"name"``."""
    if not _VALUE.search(text):
        return text
    plain = _VALUE.sub(lambda found: "x" * len(found[0]), text)
    inside = Stretches(stretches_in(plain, _QUOTED))
    room = Room(half.file)

    def value(found: re.Match[str]) -> str:
        before = text[found.start() - 1 : found.start()]
        if found.start() in inside or before in (":", "[") or before.isalnum():
            return found[0]
        name, quote = found["name"], found["quote"]
        if name in values:
            given = room.take(values[name])
            return f"{quote}{given.replace(quote, quote * 2)}{quote}" if quote else given
        place = half.place(found.start(), found.end())
        fix = f"give it with `--set {name}=VALUE`: the value is written into the file"
        asked.refuse("A110", f"`{found[0]}` has no value", place, fix=fix)
        return found[0]

    return _VALUE.sub(value, text)
