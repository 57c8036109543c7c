"""The directives in the leading comments of a migration file. Pure.

A directive is a line comment ``-- name: value`` that stands before the first statement,
after whatever blank lines, other comments and block comments there are.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from todo_sql.catalog.names import dotted, quoted
from todo_sql.errors import Finding, Place
from todo_sql.sql.scanner import ScanError, comment_end
from todo_sql.sql.source import Source

_COMMENT = re.compile(r"\s*(--[^\r\n]*|/\*)")
_LINE = re.compile(r"--[ \t]*([A-Za-z][A-Za-z_-]*)[ \t]*:(?!:|//)[ \t]*(.*)")
_UNFINISHED = re.compile(r"[^\s.!?:;*=-]\s*$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)?")
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_BATCH = re.compile(
    rf"({_NAME}(?:\s*\.\s*{_NAME})?)(?:\s+by\s+(\(?)\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*(\)?))?",
    re.IGNORECASE,
)
_EACH = re.compile(_NAME)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}

_DURATIONS = ("lock-timeout", "max-lock-hold", "statement-timeout", "batch-time")
_REASONS = ("irreversible", "nothing-to-undo")
_SEVERAL = ("depends", "allow", "replaces")
OF_BATCH = ("batch-time", "batch-pause", "max-lag")
"""What says how a batch runs, beside `batch` itself."""

_REPLACED = re.compile(r"(\S+)[ \t]+([0-9a-f]{64})(?:[ \t]+in[ \t]+(\S+))?")

# Words that open a sentence of prose rather than a directive.
_PROSE = frozenset(
    {"author", "context", "created", "date", "description", "fixme", "issue", "jira", "nb", "note"}
    | {"notes", "owner", "purpose", "ref", "refs", "reviewed-by", "reviewer", "see", "source"}
    | {"summary", "team", "ticket", "title", "todo", "updated", "warning", "why"}
    | {"reverse"}  # Atlas
)

UNKNOWN_FATE = "unknown-fate"
OF_FATE = (UNKNOWN_FATE, "M127")
"""What `allow` may call a statement that a crash leaves in doubt."""

Phase = Literal["expand", "contract"]
PHASES: tuple[Phase, ...] = ("expand", "contract")
"""Before the release of what uses the schema, and after it."""


@dataclass(frozen=True, slots=True)
class BatchBy:
    """The table by whose key a statement runs in batches.

    Attributes:
        table: Its name, folded as PostgreSQL does.
        schema: Its schema, where the directive names one.
        by: The columns of the key; none: those of the primary key.
    """

    table: str
    schema: str | None = None
    by: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The table as SQL names it."""
        return dotted(self.schema, self.table)

    def __str__(self) -> str:
        by = f" by {', '.join(map(quoted, self.by))}" if self.by else ""
        return self.named + by


@dataclass(frozen=True, slots=True)
class Replaced:
    """A migration that a squashed one stands for.

    Attributes:
        within: The replaced migration that stood for it already, or None.
    """

    id: str
    checksum: str
    within: str | None = None

    def __str__(self) -> str:
        inner = f" in {self.within}" if self.within else ""
        return f"{self.id} {self.checksum}{inner}"


@dataclass(frozen=True, slots=True)
class Directives:
    """What a file asks of the migrator.

    Attributes:
        depends: Ids of migrations that come first.
        transactional: Whether the whole file is one transaction.
        irreversible: Why there is no rollback file, or None where there is one.
        nothing_to_undo: Why a rollback has nothing to do, or None.
        phase: When it runs, or None where the file says nothing: expand.
        batch: By the key of which table its statement runs in batches, or None: at once.
        batch_pause: The pause after a batch, as a share of its time.
        max_lag: How many bytes a standby may be behind before the next batch.
        allow: Rules that this file waives, each with its reason.
        replaces: The migrations that it stands for.
        lock_timeout: Longest wait for a lock, in seconds, or None: the default.
        max_lock_hold: Longest time from the first exclusive lock to COMMIT, in seconds.
        statement_timeout: Longest time for one statement, in seconds; 0 is no limit.
        batch_time: How long a batch should take, in seconds.
    """

    depends: tuple[str, ...] = ()
    transactional: bool = True
    irreversible: str | None = None
    nothing_to_undo: str | None = None
    phase: Phase | None = None
    batch: BatchBy | None = None
    batch_pause: float | None = None
    max_lag: int | None = None
    allow: dict[str, str] = field(default_factory=dict)
    replaces: tuple[Replaced, ...] = ()
    lock_timeout: float | None = None
    max_lock_hold: float | None = None
    statement_timeout: float | None = None
    batch_time: float | None = None

    @property
    def contracts(self) -> bool:
        """Whether it waits for the release that no longer needs what it takes away."""
        return self.phase == "contract"

    def said(self, *names: str) -> list[str]:
        """Return those of some directives that the file has."""
        fields = {name: name.replace("-", "_") for name in names}
        return [name for name, one in fields.items() if getattr(self, one) != getattr(_NONE, one)]


_NONE = Directives()

KNOWN = tuple(one.name.replace("_", "-") for one in fields(Directives))
MENTIONED = re.compile(rf"--[ \t]*({'|'.join(KNOWN)})[ \t]*:(?!:)")
"""A comment that reads as a directive, wherever it stands."""


def leading_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each line comment before the first statement."""
    for start, end in _leading(text):
        if text.startswith("--", start):
            yield start, text[start:end]


def is_empty(text: str) -> bool:
    """Tell whether a text holds comments at most, and no statement."""
    comments = list(_leading(text))
    end = comments[-1][1] if comments else 0
    return not text[end:].strip("; \t\r\n\f\v")


def _leading(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each comment before the first statement."""
    position = 0
    while match := _COMMENT.match(text, position):
        start, position = match.start(1), match.end()
        if match.group(1) == "/*":
            try:
                position = comment_end(text, start, len(text))
            except ScanError:  # it has no end
                position = len(text)
        yield start, position


def read(source: Source) -> tuple[Directives, list[Finding]]:
    """Return the directives of a file, and what is wrong with them."""
    found = Directives()
    problems = []
    seen: set[str] = set()
    of_batch: dict[str, Place] = {}
    prose_ends = 0  # of a line of prose whose sentence goes on
    for offset, comment in leading_comments(source.text):
        goes_on = prose_ends > 0 and not source.text[prose_ends:offset].strip(" \t\r\n")
        match = _LINE.match(comment)
        if match is None or (match.group(1) not in KNOWN and not _looks_meant(match, goes_on)):
            prose_ends = offset + len(comment) if _UNFINISHED.search(comment) else 0
            continue
        prose_ends = 0
        name, value = match.group(1), match.group(2).strip()
        if name not in KNOWN:
            wrong: tuple[str, str] | None = _unknown(name)
        elif name in seen and name not in _SEVERAL:
            wrong = f"directive `{name}` stands twice", "keep one of them"
        else:
            seen.add(name)
            found, wrong = _add(found, name, value)
        place = source.place(offset + match.start(1), offset + match.end())
        if wrong:
            problems.append(Finding.error("M111", wrong[0], place, fix=wrong[1]))
        elif name in OF_BATCH:
            of_batch[name] = place
    if found.batch is None and "batch" not in seen:
        fix = "say `-- batch: TABLE`, or remove the line"
        problems += [
            Finding.error("M111", f"`{name}` has no meaning without `batch`", place, fix=fix)
            for name, place in of_batch.items()
        ]
    return found, problems


def _looks_meant(match: re.Match[str], goes_on: bool) -> bool:
    """Tell whether a word before a colon is meant as a directive, rather than as prose.

    A word that no directive resembles is prose in the middle of a sentence (`goes_on`),
    and another tool's mark if its value adjoins the colon, as in ``migrate:up``.
    """
    name = match.group(1)
    if _close(name):
        return True
    adjoins = match.end(1) + 1 == match.start(2) and match.group(2) != ""
    return name.islower() and name not in _PROSE and not goes_on and not adjoins


def _close(name: str) -> list[str]:
    return difflib.get_close_matches(name.lower().replace("_", "-"), KNOWN, 1, 0.8)


def _unknown(name: str) -> tuple[str, str]:
    known = f"use one of {', '.join(KNOWN)}; begin prose with a capital letter"
    fix = f"did you mean `-- {close[0]}:`?" if (close := _close(name)) else known
    return f"unknown directive `{name}`", fix


def _add(found: Directives, name: str, value: str) -> tuple[Directives, tuple[str, str] | None]:
    """Return the directives with one more, or what is wrong with it and how to correct it."""
    read, wrong, fix = _READ[name]
    parsed = read(value)
    if parsed is None:
        return found, (wrong.format(name=name, value=value), fix.format(name=name))
    if name in _DURATIONS and name != "statement-timeout" and parsed == 0:
        return found, (f"`{name}` is 0, which would be no limit", "write how long is acceptable")
    field = name.replace("-", "_")
    if name in _SEVERAL:
        before = getattr(found, field)
        parsed = before | parsed if isinstance(before, dict) else before + parsed
    return replace(found, **{field: parsed}), None


def _waiver(value: str) -> dict[str, str] | None:
    rule, _, reason = value.partition(" ")
    return {rule: reason.strip()} if rule and reason.strip() else None


def _replaced(value: str) -> tuple[Replaced] | None:
    match = _REPLACED.fullmatch(value)
    return (Replaced(match[1], match[2], match[3]),) if match else None


def read_batch(value: str) -> BatchBy | None:
    """Return what ``orders by id`` means, or None: it means nothing."""
    match = _BATCH.fullmatch(value)
    if match is None or bool(match[2]) != bool(match[4]):
        return None
    *schema, table = (_folded(name) for name in _EACH.findall(match[1]))
    by = tuple(_folded(name) for name in _EACH.findall(match[3] or ""))
    return BatchBy(table, schema[0] if schema else None, by)


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def read_share(value: str) -> float | None:
    """Return the share that ``25%`` is, or None for anything else."""
    match = _SHARE.fullmatch(value)
    return float(match[1]) / 100 if match else None


def read_bytes(value: str) -> int | None:
    """Return the bytes that ``16MB`` is, or None for anything else."""
    match = _BYTES.fullmatch(value)
    return round(float(match[1]) * _UNITS[match[2].lower()]) if match else None


def duration(value: str) -> float | None:
    """Return the seconds of ``500ms``, ``2s``, ``5min`` or ``1h``, or None for anything else."""
    match = _DURATION.fullmatch(value)
    if match is None or (match.group(2) is None and float(match.group(1)) != 0):
        return None
    return float(match.group(1)) * _SECONDS[match.group(2) or "s"]


_OTHER = "`{name}` is {value!r}"
# By name, what reads the value; and what is wrong where there is none, and how to correct it.
_READ: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "depends": (lambda value: tuple(value.split()), "", ""),
    "transactional": (
        lambda value: {"true": True, "false": False}.get(value.lower()),
        *(_OTHER, "write true or false"),
    ),
    **dict.fromkeys(
        _REASONS,
        (lambda value: value or None, "`{name}` gives no reason", "write `-- {name}: reason`"),
    ),
    "phase": (
        lambda value: value if value in PHASES else None,
        *(_OTHER, "write expand or contract"),
    ),
    "batch": (
        read_batch,
        _OTHER,
        "name the table, and the columns of its key where it is not the primary key: "
        "`-- batch: orders by id`",
    ),
    "batch-pause": (read_share, _OTHER, "write the share of the time of a batch, such as 25%"),
    "max-lag": (read_bytes, _OTHER, "write how far a standby may be behind, such as 16MB"),
    "allow": (_waiver, "`allow` gives no reason", "write `-- allow: RULE reason`"),
    "replaces": (
        _replaced,
        "`replaces` names no migration with the checksum of its file",
        "leave the line as `todo-sql squash` writes it: `-- replaces: ID CHECKSUM`",
    ),
    **dict.fromkeys(
        _DURATIONS, (duration, f"{_OTHER}, not a duration", "write it like 500ms, 2s or 5min")
    ),
}
