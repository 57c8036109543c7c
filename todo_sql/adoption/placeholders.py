"""Values that other tools put into a text before they send it. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from todo_sql.adoption.revisions import Asked, Half
from todo_sql.errors import UsageError
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, scan

MOST = 20_000_000
A_FILE = 2_000  # for what it costs to open one


def filled(
    half: Half,
    pattern: re.Pattern[str],
    asked: Asked,
    values: Mapping[str, str] | None = None,
    *,
    comments: bool = False,
) -> Half:
    """Return a text with values in the place of its placeholders.

    Args:
        half: The text.
        pattern: A placeholder; its group `name` is the name, its group `default` a value.
        asked: The person's values, by name; is told of each placeholder without a value.
        values: Those of the project, by name: they count where the person gave none.
        comments: Whether those in comments count, too.
    """
    given = {**(values or {}), **asked.values}
    spared = Stretches([] if comments else stretches_in(half.text, COMMENTS))
    room = Room(half.file)

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if found.start() in spared:
            return found[0]
        if name in given:
            return room.take(given[name])
        default = found.groupdict().get("default")
        if default is not None:
            return default
        asked.refuse(
            "A110",
            f"the placeholder `{found[0]}` has no value",
            half.place(found.start(), found.end()),
            fix=f"give it with `--set {name}=VALUE`: the value is written into the file",
        )
        return found[0]

    return replace(half, text=pattern.sub(value, half.text))


class Stretches:
    """Stretches of a text, in order and apart from each other."""

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        self._pairs = list(pairs)
        self._starts = [start for start, _ in self._pairs]

    def __contains__(self, offset: object) -> bool:
        """Whether an offset is in one of them."""
        assert isinstance(offset, int)
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._pairs[at][1]


class Room:
    """How much other texts may put into one file: a few small ones could fill the memory."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._left = MOST

    def take(self, text: str, least: int = 1) -> str:
        """Return a text that is put into the file.

        Args:
            text: The text.
            least: What it counts for if it is shorter.

        Raises:
            UsageError: With it the file becomes too large.
        """
        self._left -= max(len(text), least)
        if self._left < 0:
            raise UsageError(
                f"{self._file} becomes too large by what is put into it",
                code="A111",
                cause=f"other files and values may add {MOST} characters to it",
                fix="see whether a file includes itself; write out what is meant",
            )
        return text


def stretches_in(text: str, kinds: Collection[Kind]) -> list[tuple[int, int]]:
    """Return where tokens of some kinds stand; a text that is not lexical has none."""
    try:
        return [(one.start, one.end) for one in scan(text) if one.kind in kinds]
    except ScanError:
        return []
