"""Places in a text: offsets to line, column and excerpt. Pure.

A `Source` is the decoded text of one file. Offsets count characters of `text`, from
which a leading byte order mark has been taken off; line endings are kept as they are,
so that an offset into `text` is an offset into the file as written.
"""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from todo_sql.errors import Place, UsageError


class Stretch(NamedTuple):
    """From `offset` on the text is that of a file from its 1-based `line` on."""

    offset: int
    file: str
    line: int


@dataclass(frozen=True)
class Source:
    """The text of a file and the name under which messages show it.

    Attributes:
        segments: Where the text comes from if it is not the file as it stands: in order, the
            first at offset 0, each at the beginning of a line.
    """

    file: str
    text: str
    segments: tuple[Stretch, ...] = ()
    _last_line: dict[int, str] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def from_bytes(cls, file: str, data: bytes) -> Source:
        """Decode UTF-8, with or without a byte order mark.

        Raises:
            UsageError: A byte is not UTF-8, or is 0, where PostgreSQL's parser would take the
                text to end; the place names its line and column.
        """
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8-sig", errors="replace")
            place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            message, fix = f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8"
            raise UsageError(message, code="S101", place=place, fix=fix) from None
        source = cls(file, text)
        if (zero := text.find("\0")) >= 0:
            message, place = "a text cannot hold the character U+0000", source.place(zero)
            raise UsageError(message, code="S102", place=place, fix="remove it")
        return source

    @classmethod
    def read(cls, path: Path, root: Path | None = None) -> Source:
        """Read a file; show it relative to `root` where it lies below it."""
        return cls.from_bytes(shown_path(path, root), read_bytes(path, root))

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def line_column(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset, in the text."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def _origin(self, line: int) -> tuple[str, int]:
        """Return the file and the line there of a 1-based line of the text."""
        if not self.segments:
            return self.file, line
        start = self._line_starts[line - 1]
        found = self.segments[bisect_right(self.segments, start, key=lambda one: one.offset) - 1]
        return found.file, found.line + line - self.line_column(found.offset)[0]

    def line_text(self, line: int) -> str:
        """Return a 1-based line of the text without its line ending."""
        if line not in self._last_line:  # a long one with many findings is held once
            start = self._line_starts[line - 1]
            end = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
            self._last_line.clear()
            self._last_line[line] = self.text[start:end].rstrip("\r\n")
        return self._last_line[line]

    def place(self, offset: int, end: int | None = None) -> Place:
        """Return the place of a character offset, underlining up to `end`."""
        offset = max(0, min(offset, len(self.text)))
        return self.place_in_line(*self.line_column(offset), max(1, (end or offset) - offset))

    def place_in_line(self, line: int, column: int, width: int = 1) -> Place:
        """Return the place of a 1-based line and column of the text."""
        return Place(*self._origin(line), column, self.line_text(line), width)


def shown_path(path: Path, root: Path | None) -> str:
    """Return a path as messages show it: from a root where it lies below."""
    return (path.relative_to(root) if root and path.is_relative_to(root) else path).as_posix()


def read_bytes(path: Path, root: Path | None = None) -> bytes:
    """Return what a file of a project holds.

    Args:
        root: The project, which a link, of the file or of a folder, may not lead out of; None:
            links are followed.

    Raises:
        UsageError: It is no regular file, or lies outside by a link: what it holds would be
            shown in messages.
        OSError: It cannot be read.
    """
    with open_file(path, root) as file:
        return file.read()


def has_text(path: Path, text: str, root: Path | None = None) -> bool:
    """Whether a file holds just this; what is none of the project's does not, and is not read."""
    try:
        return read_bytes(path, root) == text.encode()
    except (UsageError, OSError):
        return False


def open_file(path: Path, root: Path | None = None) -> BinaryIO:
    """Open a file of a project to read it; see `read_bytes`."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe may wait
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    if regular and (root is None or _is_as_written(descriptor, path) or not _leads_out(path, root)):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    what = "leads to a file outside of the project" if regular else "is not a regular file"
    shown = shown_path(path, root)
    fix = "put a copy of the file in its place" if regular else "remove it"
    raise UsageError(f"{shown} {what}", code="S103", place=Place(shown, 1), fix=fix)


def _is_as_written(descriptor: int, path: Path) -> bool:
    """Whether no link was followed to an open file: one question, where the system knows it."""
    try:
        led_to = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  (as text)
    except OSError:
        return False
    return led_to == os.path.abspath(path)  # noqa: PTH100  (`resolve` follows links)


def lies_in(path: Path, root: Path) -> bool:
    """Whether a path is one of a folder's, wherever links and ``..`` on the way lead."""
    return _is_below(os.path.realpath(path), os.path.realpath(root))


def _leads_out(path: Path, root: Path) -> bool:
    """Whether a link leads out of the project: one below it, or one that was named itself.

    A folder outside that the configuration names by its path, with ``..``, is read.
    """
    below = _is_below(os.path.normpath(path), os.path.normpath(root))
    return (below or path.is_symlink()) and not lies_in(path, root)


def _is_below(path: str, root: str) -> bool:
    """Whether a path is another or one below it, as texts: thousands of files are asked for."""
    if root == os.curdir:
        return not path.startswith(os.sep)
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)
