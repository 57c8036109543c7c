r"""Reads a file of SQL as psql would: data behind COPY, and files that `\i` and `\ir` name.

The data is left where it lies, and is streamed when it is needed; the text of another file
takes the place of the line that names it. Both count for the checksum.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from todo_sql.errors import Place, UsageError
from todo_sql.paths import real_path
from todo_sql.sql.pieces import Data, Include, Rows, is_open, is_plain, lines_in, pieces
from todo_sql.sql.source import Source, Stretch, open_file, shown_path

_BLOCK = 1 << 18
_MAPPED = 1 << 24  # bytes from which a file is mapped rather than read
_DEEPEST = 10  # files that name files
_BOM = b"\xef\xbb\xbf"

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class CopyData:
    """The rows behind a COPY, in their file.

    Attributes:
        start: Where the rows begin, in bytes.
        line: The line of the first row.
        closed: Whether the line that ends them is there.
    """

    path: Path
    shown: str
    start: int
    end: int
    line: int
    closed: bool
    stamp: Stamp

    def chunks(self) -> Iterator[bytes]:
        """Yield the rows, some hundred kilobytes at a time.

        Raises:
            UsageError: The file has changed since it was read, or is gone.
        """
        try:
            with open_file(self.path) as file:
                if _stamp(file.fileno()) != self.stamp:
                    raise self._changed()
                file.seek(self.start)
                left = self.end - self.start
                while left and (chunk := file.read(min(_BLOCK, left))):
                    left -= len(chunk)
                    yield chunk
        except OSError:
            raise self._changed() from None

    def place(self, row: int) -> Place:
        """Return the place of the n-th line of the rows."""
        text = ""
        with open_file(self.path) as file:
            file.seek(self.start)
            for _ in range(row):
                text = file.readline(10_000).decode(errors="replace").rstrip("\r\n")
        return Place(self.shown, self.line + row - 1, 1, text, max(1, len(text)))

    def _changed(self) -> UsageError:
        return UsageError(
            f"{self.shown} has changed while it was at work",
            code="S104",
            place=Place(self.shown, self.line),
            fix="run the command again",
        )


@dataclass(frozen=True)
class SqlFile:
    """A file as it was read.

    Attributes:
        source: Its text without data, with the files that it names in place.
        rows: The data, by the offset in the text at which it was left out.
        included: The files that it names, in the order of their lines, each with the name by
            which it is known to the folder.
    """

    source: Source
    rows: tuple[tuple[int, CopyData], ...] = ()
    included: tuple[tuple[str, Path], ...] = ()


@dataclass
class _Reading:
    """What is gathered on the way."""

    folder: Path
    root: Path
    parts: list[str] = field(default_factory=list)
    length: int = 0
    segments: list[Stretch] = field(default_factory=list)
    rows: list[tuple[int, CopyData]] = field(default_factory=list)
    included: list[tuple[str, Path]] = field(default_factory=list)

    def end(self, text: str) -> None:
        """Add to the last part, from a line of its own."""
        if self.parts and not self.parts[-1].endswith("\n"):
            text = "\n" + text
        if self.parts:
            self.parts[-1] += text
            self.length += len(text)

    def add(self, text: str, shown: str, line: int) -> None:
        self.segments.append(Stretch(self.length, shown, line))
        self.parts.append(text)
        self.length += len(text)


def read_sql(path: Path, shown: str, *, folder: Path, root: Path) -> SqlFile:
    """Read a file.

    Args:
        folder: What the files that it names must lie in.
        root: The project, which a link may not lead out of.

    Raises:
        UsageError: It is no text in UTF-8, or what it names may not be read.
        OSError: It cannot be read.
    """
    with _opened(path, root) as (data, _):
        if is_plain(data):
            return SqlFile(Source.from_bytes(shown, bytes(data[:])))
    reading = _Reading(folder, root)
    _read(path, shown, reading, ())
    source = Source(shown, "".join(reading.parts), tuple(reading.segments))
    return SqlFile(source, tuple(reading.rows), tuple(reading.included))


def _read(path: Path, shown: str, reading: _Reading, within: tuple[Path, ...]) -> None:
    with _opened(path, reading.root) as (data, stamp):
        line, at = 1, 0
        for piece in pieces(data):
            line += lines_in(data, at, piece.start)
            at = piece.start
            if isinstance(piece, Rows):
                rows = CopyData(path, shown, at, piece.end, line, piece.closed, stamp)
                reading.rows.append((reading.length, rows))
                line += lines_in(data, piece.start, piece.after)
                at = piece.after
            elif isinstance(piece, Include):
                _include(piece.name, Place(shown, line), path, reading, within)
            else:
                text = _decoded(shown, bytes(data[piece.start : piece.end]), line)
                reading.add(text, shown, line)


def _decoded(shown: str, data: bytes, line: int) -> str:
    try:
        return Source.from_bytes(shown, data).text
    except UsageError as error:
        place = error.finding.place
        assert place is not None
        raise UsageError(
            error.finding.message,
            code=error.finding.code,
            place=replace(place, line=place.line + line - 1),
            fix=error.finding.fix,
        ) from None


def _include(
    name: str, place: Place, path: Path, reading: _Reading, within: tuple[Path, ...]
) -> None:
    target = path.parent / name
    inside = real_path(reading.folder)

    def refused(why: str, fix: str) -> UsageError:
        return UsageError(f"{name} {why}", code="S105", place=place, fix=fix)

    real = real_path(target)
    if Path(name).is_absolute() or not real.is_relative_to(inside):
        raise refused(
            "is not in the folder of the migrations",
            "name a file beside this one or below it; it is read and checked like this one",
        )
    if real in (*within, real_path(path)) or len(within) >= _DEEPEST:
        raise refused("leads back to this file", "take one of the lines out")
    known = real.relative_to(inside).as_posix()
    shown = shown_path(target, reading.root)
    reading.included.append((known, target))
    try:
        _read(target, Path(os.path.normpath(shown)).as_posix(), reading, (*within, real_path(path)))
        # psql sends what stands at the end of a file without a semicolon, too.
        reading.end(";\n" if is_open("".join(reading.parts)) else "")
    except OSError as error:
        raise refused(f"cannot be read: {error.strerror}", "add it, or take the line out") from None


def checksum(path: Path, included: tuple[tuple[str, Path], ...]) -> str:
    """Return SHA-256 of a file with its line endings normalised, and of those that it names."""
    digest = hashlib.sha256()
    for name, one in (("", path), *included):
        if name:
            digest.update(b"\0" + name.encode() + b"\0")
        with open_file(one) as file:
            chunk = file.read(_BLOCK).removeprefix(_BOM)
            while chunk:
                if chunk.endswith(b"\r") and (next_one := file.read(1)):
                    chunk += next_one
                digest.update(chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
                chunk = file.read(_BLOCK)
    return digest.hexdigest()


def hash_of_file(path: Path, folder: Path) -> bytes:
    """Return a hash of the bytes of a file, and of what it names."""
    anywhere = Path(real_path(path).anchor)
    with _opened(path, anywhere) as (data, _):
        if is_plain(data):
            return hashlib.sha256(data).digest()
    found = read_sql(path, path.name, folder=folder, root=anywhere)
    return checksum(path, found.included).encode()


@contextmanager
def _opened(path: Path, root: Path) -> Iterator[tuple[Data, Stamp]]:
    """Yield the bytes of a file, without a byte order mark if it is short, and its stamp."""
    with ExitStack() as stack:
        file = stack.enter_context(open_file(path, root))
        stamp = _stamp(file.fileno())
        if stamp[0] < _MAPPED:
            yield file.read(), stamp
        else:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            yield stack.enter_context(mapped), stamp


def _stamp(descriptor: int) -> Stamp:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ino
