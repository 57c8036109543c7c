"""The error root, the place of a problem in a file, and the finding that reports it.

Every error says what is wrong, why, and what to do about it; an error that stems from
a file knows file, line and column. The command line renders these and chooses the exit
code; a library caller catches them by class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from typing import Self

Severity = Literal["error", "warning", "info"]


_GITHUB = {ord(sign): f"%{ord(sign):02X}" for sign in "%\r\n"}
"""What is escaped in a message to GitHub; in a property colon and comma, too."""

_LINE, _WORDS = 200, 1000
"""How many characters are shown of a line of a file, and of a line of a message."""


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    DATABASE = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text file.

    Attributes:
        file: Path as shown to people, relative to the project where possible.
        line: 1-based line number.
        column: 1-based column, counted in characters.
        excerpt: The text of that line, without its line ending.
        width: How many characters to underline, at least 1.
    """

    file: str
    line: int
    column: int = 1
    excerpt: str | None = None
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def render_excerpt(self) -> list[str]:
        """Return the excerpt and a caret line below it, or nothing without an excerpt."""
        if self.excerpt is None:
            return []
        gutter = f"  {self.line} | "
        line, column = _around(self.excerpt, self.column)
        before = line[: column - 1]
        pad = "".join("\t" if character == "\t" else " " for character in before)
        room = max(1, len(line) - len(before))
        rule = " " * (len(gutter) - 2) + "| " + pad + "^" * max(1, min(self.width, room))
        return [gutter + line, rule]


def _around(line: str, column: int) -> tuple[str, int]:
    """Return what is shown of a line around a 1-based column, and the column in that."""
    if len(line) <= _LINE:
        return line, column
    start = max(0, min(column - 1, len(line)) - _LINE // 3)
    if start <= 1:
        return line[: _LINE - 1] + "…", column
    shown = "…" + line[start : start + _LINE - 2]
    return shown + "…" * (start + _LINE - 2 < len(line)), column - start + 1


def _short(text: str) -> str:
    """Return a text with its overlong lines cut: a server says a whole value, however long."""
    if len(text) <= _WORDS:
        return text
    lines = text.split("\n")
    return "\n".join(one if len(one) <= _WORDS else one[: _WORDS - 1] + "…" for one in lines)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in the shape that every report shares (lint, check, verify, plan, doctor)."""

    code: str
    severity: Severity
    message: str
    place: Place | None = None
    cause: str | None = None
    fix: str | None = None

    @classmethod
    def error(cls, code: str, message: str, place: Place | None = None, **more: str | None) -> Self:
        """Return one of severity error; `more` are its cause and its fix."""
        return cls(code, "error", message, place, **more)

    @property
    def position(self) -> tuple[str, int, int]:
        """File, line and column, to sort by: what stands nowhere comes first."""
        place = self.place
        return (place.file, place.line, place.column) if place else ("", 0, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: code, severity, file, line, column, message, cause, fix."""
        return {
            "code": self.code,
            "severity": self.severity,
            **{name: getattr(self.place, name, None) for name in ("file", "line", "column")},
            "message": _short(self.message),
            "cause": self.cause and _short(self.cause),
            "fix": self.fix,
        }

    def as_github(self) -> str:
        """Return a GitHub Actions annotation line."""
        level = {"error": "error", "warning": "warning", "info": "notice"}[self.severity]
        where = ""
        if self.place:
            file = self.place.file.translate(_GITHUB | {ord(":"): "%3A", ord(","): "%2C"})
            where = f" file={file},line={self.place.line},col={self.place.column}"
        parts = (_short(self.message), _short(self.cause or ""), self.fix)
        text = "\n".join(part for part in parts if part)
        return f"::{level}{where}::{self.code}: {text.translate(_GITHUB)}"

    def render(self) -> str:
        """Return the text form: head line, excerpt with caret, cause, fix."""
        where = f" {self.place}:".replace("\n", "\\n") if self.place else ""
        lines = [indented(f"{self.severity}[{self.code}]{where} {_short(self.message)}")]
        if self.place:
            lines += self.place.render_excerpt()
        if self.cause:
            lines.append(indented(f"cause: {_short(self.cause)}"))
        if self.fix:
            lines.append(indented(f"fix: {self.fix}"))
        return "\n".join(lines)


def indented(text: str) -> str:
    """Indent the further lines of a text, so that none is taken for a line of our own."""
    return text.replace("\n", "\n  ")


class TodoSqlError(Exception):
    """The root of every error that this package raises.

    Args:
        message: What is wrong, in lower case, without a full stop.
        code: A short stable code such as ``M104``; default: the class's.
        place: Where, when the problem stems from a file.
        cause: Why, and what state things are in now.
        fix: What to do.

    Attributes:
        index: Which of many sets of arguments it is about, from 0; None: there was one.
    """

    code: ClassVar[str] = "T000"
    exit_code: ClassVar[ExitCode] = ExitCode.DATABASE
    index: int | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        place: Place | None = None,
        cause: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.finding = Finding(code or type(self).code, "error", message, place, cause, fix)

    @property
    def message(self) -> str:
        """What is wrong, alone: one sentence without code, place, cause or fix."""
        return self.finding.message

    def at_index(self, index: int) -> Self:
        """Say which of many sets of arguments it is about, from 0; return the error."""
        self.index = index
        cause = "; ".join(filter(None, [f"in the set with index {index}", self.finding.cause]))
        self.finding = replace(self.finding, cause=cause)
        return self

    def facts(self) -> dict[str, Any]:
        """Return what a program may want to know beyond the finding; part of the JSON form."""
        return {}

    def __str__(self) -> str:
        return self.finding.render()


class UsageError(TodoSqlError):
    """The command or call itself is wrong: an unknown name, a missing argument."""

    code = "U100"
    exit_code = ExitCode.USAGE


class ConfigError(TodoSqlError):
    """The configuration is wrong: an unknown key, a missing folder, a URL of another product."""

    code = "U200"
    exit_code = ExitCode.USAGE


class DatabaseError(TodoSqlError):
    """The database refused or failed.

    Attributes:
        sqlstate: PostgreSQL's five-character code, or None when it never answered.
    """

    code = "D100"
    exit_code = ExitCode.DATABASE

    def __init__(self, message: str, *, sqlstate: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.sqlstate = sqlstate

    def facts(self) -> dict[str, Any]:
        """Return the SQLSTATE."""
        return {"sqlstate": self.sqlstate}


class FindingsError(TodoSqlError):
    """A check found something: carries every finding, in file order."""

    code = "F100"
    exit_code = ExitCode.FINDINGS

    def __init__(self, message: str, findings: list[Finding], **details: Any) -> None:
        super().__init__(message, **details)
        self.findings = findings

    def __str__(self) -> str:
        return "\n\n".join([*(finding.render() for finding in self.findings), super().__str__()])
