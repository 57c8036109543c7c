"""goose: one file with `-- +goose Up` and `-- +goose Down`, ordered by the number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.placeholders import filled
from todo_sql.adoption.revisions import (
    Asked,
    Half,
    Revision,
    by_marks,
    code_instead,
    named,
    split_at,
)

_FILE = re.compile(r"(\d+)_?(.*)\.(sql|go)")
_MARK = re.compile(
    r"^--[ \t]*\+goose[ \t]+(?P<way>up|down)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE
)
_WORD = re.compile(r"^--[ \t]*\+goose[ \t]+(?P<word>[A-Za-z ]+?)[ \t]*\r?$", re.MULTILINE)
_OUTSIDE = re.compile(r"^--[ \t]*\+goose[ \t]+no transaction", re.MULTILINE | re.IGNORECASE)
_BRACED = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::?-(?P<default>[^}]*))?\}")
_ENVSUB = re.compile(
    r"^--[ \t]*\+goose[ \t]+envsub[ \t]+(?P<on>on|off)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE
)
_KNOWN = ("statementbegin", "statementend", "no transaction", "envsub on", "envsub off")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of goose's; its keys are the numbers without leading zeros."""
    found = [(int(name[1]), path, name) for path, name in named(folder, _FILE, "*")]
    for number, path, name in sorted(found, key=lambda one: one[:2]):
        if number < 1 or path.name.endswith("_test.go"):
            continue
        if name[3] == "go":
            yield code_instead(str(number), name[2], path, asked, "in Go", name[1])
            continue
        source = asked.source(path)
        inside = not _OUTSIDE.search(source.text)
        ways = by_marks(
            source,
            _MARK,
            asked,
            mark="-- +goose Up",
            again="a second `+goose {way}`",
            fix="keep one of each",
        )
        halves = {
            way: replace(_unmarked(_filled(half, asked), asked), transactional=inside)
            for way, (_, half) in ways.items()
        }
        up = halves.get("up", Half(source.file, ""))
        yield Revision(str(number), name[2], source.file, up, halves.get("down"), version=name[1])


def _filled(half: Half, asked: Asked) -> Half:
    """Put values into what stands between ENVSUB ON and OFF."""
    parts = []
    for mark, text, line in split_at(half.text, _ENVSUB):
        if mark is not None:
            parts.append(mark[0])
        if mark is not None and mark["on"].lower() == "on":
            part = Half(half.file, text, half.line + line - 1)
            text = filled(part, _BRACED, asked).text
        parts.append(text)
    return replace(half, text="".join(parts))


def _unmarked(half: Half, asked: Asked) -> Half:
    """Return a text without goose's marks; their lines stay, empty."""

    def taken(mark: re.Match[str]) -> str:
        if mark["word"].lower() not in _KNOWN:
            words = f"unknown mark `{mark[0].strip()}`"
            fix = "see what it is for, and remove it"
            asked.refuse("A114", words, half.place(mark.start(), mark.end()), fix=fix)
        return ""

    return replace(half, text=_WORD.sub(taken, half.text))
