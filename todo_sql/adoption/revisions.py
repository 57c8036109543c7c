"""What a reader makes of another tool's folder: revisions in the order of that tool. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from todo_sql.errors import Finding, Place, UsageError
from todo_sql.sql.source import Source, lies_in, read_bytes, shown_path

if TYPE_CHECKING:
    from todo_sql.config import Config


@dataclass(frozen=True)
class Half:
    """One direction of a revision, as that tool would send it.

    Attributes:
        file: Where it stands, as shown to people.
        text: The SQL; as many lines as the file has from `line` on, where nothing was expanded.
        line: The line of the file that the text begins with.
        transactional: Whether the tool runs it in a transaction; None: the statements say.
    """

    file: str
    text: str
    line: int = 1
    transactional: bool | None = None

    @cached_property
    def source(self) -> Source:
        """The text at its lines of the file."""
        return Source(self.file, "\n" * (self.line - 1) + self.text)

    def place(self, start: int, end: int) -> Place:
        """Return the place in the file of a stretch of the text."""
        return self.source.place(self.line - 1 + start, self.line - 1 + end)


def half_of(source: Source, transactional: bool | None = None) -> Half:
    """Return a whole file as one direction."""
    return Half(source.file, source.text, transactional=transactional)


@dataclass(frozen=True, slots=True)
class Revision:
    """One migration of another tool.

    Attributes:
        key: What its ledger calls it.
        name: What it does, in any characters.
        file: Its file, as shown to people.
        up: The SQL that applies it; None: it is code in another language.
        down: The SQL that undoes it, or None.
        version: The digits that order it, or "": its place alone does.
        checksum: What its ledger holds of the file's text, if anything.
        irreversible: Why there is no `down`.
        repeatable: Whether the tool runs it again when its text changed.
        depends: The keys of those that it names as coming first.
        remarks: What its file says of how it came to be, a comment each.
        notes: What a person should know of how it came over.
    """

    key: str
    name: str
    file: str
    up: Half | None
    down: Half | None = None
    version: str = ""
    checksum: str | None = None
    irreversible: str | None = None
    repeatable: bool = False
    depends: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


REPLACES = "There it replaces: "
"""Begins the remark on a migration that stands for others, with their keys."""

READ_ROWS = "It read rows: what it does to rows is what an empty database needed."
"""The remark on a revision whose code looked at rows before it wrote."""


@dataclass(frozen=True, slots=True)
class History:
    """A folder of another tool.

    Attributes:
        revisions: In the order in which that tool applies them.
        findings: What cannot come over (errors), and what was left out (warnings).
        table: Its ledger, where the project's own code gives it another name.
    """

    revisions: tuple[Revision, ...]
    findings: tuple[Finding, ...] = ()
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person said beside the folder.

    Attributes:
        root: Files are shown relative to it, and none outside of it is read.
        values: Of placeholders, by name.
        contexts: The contexts and labels of Liquibase that are meant.
        config: Of the project, for the scratch server of the tools that are run.
        findings: Takes what cannot come over (errors), and what is left out (warnings).
    """

    root: Path
    values: Mapping[str, str] = field(default_factory=dict)
    contexts: tuple[str, ...] = ()
    config: Config | None = None
    findings: list[Finding] = field(default_factory=list)

    def refuse(
        self, code: str, message: str, where: Path | Place, *, fix: str, cause: str | None = None
    ) -> None:
        """Note what cannot come over, at a place or on top of a file."""
        self.findings.append(refusal(code, message, self._place(where), fix=fix, cause=cause))

    def leave_out(self, words: str, where: Path | Place, fix: str | None = None) -> None:
        """Warn of what is no migration, or none that is wanted."""
        self.findings.append(Finding("A116", "warning", words, self._place(where), fix=fix))

    def _place(self, where: Path | Place) -> Place:
        return where if isinstance(where, Place) else self.source(where).place(0)

    def shown(self, path: Path) -> str:
        """Return a path as messages show it."""
        return shown_path(path, self.root)

    def holds(self, path: Path) -> bool:
        """Whether a path is below `root`, wherever links and ``..`` on the way lead."""
        return lies_in(path, self.root)

    def data(self, path: Path) -> bytes:
        """Return the bytes of a file of the tool.

        Raises:
            UsageError: It is no file of the project: what it holds would be shown, and written
                into the project.
        """
        if not self.holds(path):
            raise UsageError(
                f"{self.shown(path)} lies outside of {self.root}",
                code="S103",
                cause="another tool's files are read in the project alone",
                fix="put a copy of the file into the project",
            )
        return read_bytes(path, self.root)

    def source(self, path: Path, encoding: str = "utf-8") -> Source:
        """Read a file of the tool.

        Raises:
            UsageError: It is not text, or no file of the project.
        """
        data = self.data(path)
        if encoding.lower().replace("-", "") not in ("utf8", "utf8sig"):
            try:
                data = data.decode(encoding).encode()
            except (LookupError, ValueError) as error:
                place = Place(self.shown(path), 1)
                raise UsageError(f"cannot be read: {error}", code="S101", place=place) from None
        return Source.from_bytes(self.shown(path), data)

    def half(self, path: Path, transactional: bool | None = None) -> Half:
        """Read a whole file as one direction."""
        return half_of(self.source(path), transactional)

    def half_there(self, path: Path, transactional: bool | None = None) -> Half | None:
        """Read a file as one direction, if there is anything of its name."""
        return self.half(path, transactional) if os.path.lexists(path) else None

    def above(self, folder: Path) -> Iterator[Path]:
        """Yield a folder and those that it lies in, up to the root."""
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(self.root))

    def configuration(self, folder: Path, name: str) -> str | None:
        """Return the text of a file in a folder, above it or in the root: the first there is."""
        for place in (folder, folder.parent, self.root):
            if (place / name).is_file():
                return self.source(place / name).text
        return None


def refusal(
    code: str, message: str, place: Place, *, fix: str, cause: str | None = None
) -> Finding:
    """Return the finding for what cannot come over."""
    return Finding(code, "error", message, place, cause, fix)


def code_instead(
    key: str, name: str, path: Path, asked: Asked, language: str, version: str
) -> Revision:
    """Return the revision of a file that is not SQL."""
    return Revision(
        key,
        name,
        asked.shown(path),
        None,
        version=version,
        irreversible=f"{path.name} was {language}",
        notes=(f"is {language}: what it does is to be written as SQL",),
    )


def named(
    folder: Path, pattern: re.Pattern[str], files: str = "*.sql"
) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield what in a folder has a name of a tool's, in the order of the paths.

    Args:
        folder: Of the tool.
        pattern: Of the whole name.
        files: As of `Path.glob`.
    """
    for path in sorted(folder.glob(files)):
        if found := pattern.fullmatch(path.name):
            yield path, found


NO_UP = "a down file without its up file"
RENUMBER = "give one of the two another number"
WRITE_UP = "write its up file (empty, where it did nothing), or move this one elsewhere"


def pairs(
    folder: Path, pattern: re.Pattern[str], asked: Asked, files: str = "*.sql"
) -> Iterator[tuple[re.Match[str], Path, list[Path]]]:
    """Yield the up files of a folder by their numbers: the name, the path, those of down files.

    Args:
        folder: Of the tool.
        pattern: Of the names, with `number` and `way`; without a way it is an up file.
        asked: Is told of files that are of no pair.
        files: As of `Path.glob`.
    """
    found: dict[int, tuple[list[tuple[re.Match[str], Path]], list[Path]]] = {}
    for path, name in named(folder, pattern, files):
        ups, downs = found.setdefault(int(name["number"]), ([], []))
        if name["way"] == "down":
            downs.append(path)
        elif ups:
            asked.refuse("A114", f"a second up file of {int(name['number'])}", path, fix=RENUMBER)
        else:
            ups.append((name, path))
    for _, (ups, downs) in sorted(found.items()):
        yield from ((name, path, downs) for name, path in ups)
        for path in () if ups else downs:
            asked.refuse("A114", NO_UP, path, fix=WRITE_UP)


def by_marks(
    source: Source, marks: re.Pattern[str], asked: Asked, *, mark: str, again: str, fix: str
) -> dict[str, tuple[re.Match[str], Half]]:
    """Return the directions of a file with marks before them, each with its mark.

    Args:
        source: The file.
        marks: Each names its `way`, ``up`` or ``down``; the first of each counts.
        asked: Is told of a second one, and that there is none for up.
        mark: How the tool writes the one for up.
        again: What is said of a second one, with ``{way}``.
        fix: What is to be done then.
    """
    found: dict[str, tuple[re.Match[str], Half]] = {}
    for seen, text, line in split_at(source.text, marks):
        if seen is None:
            continue
        if seen["way"].lower() in found:
            place = source.place(seen.start(), seen.end())
            asked.refuse("A114", again.format(way=seen["way"]), place, fix=fix)
        else:
            found[seen["way"].lower()] = seen, Half(source.file, text, line)
    if "up" not in found:
        words = "write it above the SQL, or move the file elsewhere"
        asked.refuse("A114", f"no `{mark}`", source.place(0), fix=words)
    return found


def split_at(text: str, marks: re.Pattern[str]) -> Iterator[tuple[re.Match[str] | None, str, int]]:
    """Yield the parts of a text between lines that are marks, and the line each begins with.

    Each with its mark, the first part with None. A mark's own line is blank in its part, so
    that lines keep their numbers.
    """
    at, line, mark = 0, 1, None
    for found in [*marks.finditer(text), None]:
        end = found.start() if found else len(text)
        yield mark, text[at:end], line
        if found:
            line += text.count("\n", at, found.end())
            mark, at = found, found.end()


def trimmed(half: Half) -> Half:
    """Return it without blank lines at its ends."""
    body = _BLANK.sub("", half.text, count=1)
    before = half.text[: len(half.text) - len(body)]
    return replace(half, text=body.rstrip(), line=half.line + before.count("\n"))


_BLANK = re.compile(r"\A(?:[ \t]*\r?\n)*")
