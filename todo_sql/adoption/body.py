"""Another tool's SQL as a file of ours: what surrounds it, what may stand in it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from todo_sql.adoption.revisions import Half, refusal, trimmed
from todo_sql.errors import Finding
from todo_sql.migrations.files import directives
from todo_sql.migrations.files.directives import MENTIONED, UNKNOWN_FATE, Directives
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.files.rerun import is_rerunnable, needs_no_transaction
from todo_sql.migrations.files.statements import wrong_statements
from todo_sql.sql.grammar import GrammarError, Statement, parse
from todo_sql.sql.scanner import COMMENTS, scan
from todo_sql.sql.source import Source
from todo_sql.sql.walking import enum

_BEGINS, _COMMITS = ("TRANS_STMT_BEGIN", "TRANS_STMT_START"), ("TRANS_STMT_COMMIT",)


@dataclass(frozen=True, slots=True)
class Body:
    """The SQL of one direction, as it stands in a file of ours below the directives.

    Attributes:
        text: The SQL.
        transactional: Whether the file is one transaction.
        unknown_fate: Whether a statement of it could not be run again after a crash.
        empty: Whether there is no statement.
        findings: What must not stand in a migration, at its place in the old file.
        notes: What a person should know.
    """

    text: str
    transactional: bool = True
    unknown_fate: bool = False
    empty: bool = False
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def body_of(half: Half) -> Body:
    """Return the body for one direction."""
    half = trimmed(half)
    half = replace(half, text=without_directives(half.text))
    try:
        statements = parse(half.text)
    except GrammarError:
        # The engine's own words for it: data of COPY, commands of psql, or no PostgreSQL.
        return Body(half.text, findings=tuple(_wrong(half, Directives())))
    own = [one for one in statements if one.kind == "transaction_stmt"]
    notes: tuple[str, ...] = ()
    inside = half.transactional
    if own:
        cut = _unwrapped(half, statements, own)
        if cut is None:
            return Body(half.text, findings=tuple(_torn(half, own)))
        half, statements = cut, [one for one in statements if one not in own]
        notes = ("its own BEGIN and COMMIT were taken out: the file is one transaction",)
        inside, half = True, trimmed(half)
    if any(needs_no_transaction(one) for one in statements):
        inside = False
    inside = inside is not False or not statements
    unsafe = not inside and not all(is_rerunnable(one) for one in statements)
    allow = {UNKNOWN_FATE: "as it was"} if unsafe else {}
    said = Directives(transactional=inside, allow=allow)
    findings = tuple(_wrong(half, said))
    return Body(half.text, inside, unsafe, not statements, findings, notes)


def _wrong(half: Half, said: Directives) -> list[Finding]:
    return list(wrong_statements(Script(Path(half.file), half.source, said)))


def _unwrapped(half: Half, statements: list[Statement], own: list[Statement]) -> Half | None:
    """Return a text without its pairs of BEGIN and COMMIT; None: it cannot be one transaction."""
    pairs = zip(own[::2], own[1::2], strict=False)
    paired = len(own) % 2 == 0 and all(
        enum(first.root, "kind") in _BEGINS and enum(last.root, "kind") in _COMMITS
        for first, last in pairs
    )
    around = own == [statements[0], statements[-1]]
    if not paired or not (around or all(map(_goes_with_others, statements))):
        return None
    text = half.text
    for one in reversed(own):  # its lines stay, its semicolon goes
        lines, rest = "\n" * one.text.count("\n"), text[one.end :]
        text = text[: one.start] + lines + re.sub(r"\A(\s*);", r"\1", rest)
    return replace(half, text=text)


def _goes_with_others(one: Statement) -> bool:
    """Tell whether what follows a statement may be in its transaction."""
    adds_value = one.kind == "alter_enum_stmt" and "add value" in " ".join(one.text.lower().split())
    return not adds_value and not needs_no_transaction(one)


def _torn(half: Half, own: list[Statement]) -> list[Finding]:
    return [
        refusal(
            "A112",
            f"`{' '.join(one.text.split())}` makes parts that cannot be one transaction",
            half.place(one.start, one.end),
            cause="a migration is one transaction, or runs statement by statement",
            fix="divide the file, or take the statement out",
        )
        for one in own
    ]


def without_directives(text: str, head: int = 0) -> str:
    """Return a text none of whose comments is a directive of ours: they get a `#`.

    Args:
        text: Of a file, or of a part of it.
        head: How many lines on top are ours.
    """
    source = Source("", text)
    lines = {one.place.line for one in directives.read(source)[1] if one.place}
    spots = []
    offset = ours = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if number in lines and (at := line.find("--")) >= 0:
            spots.append(offset + at + 2)
        offset += len(line)
        ours = offset if number <= head else ours
    if MENTIONED.search(text):
        try:
            tokens = scan(text)
        except ValueError:
            tokens = []
        spots += [
            one.start + 2
            for one in tokens
            if one.kind in COMMENTS and MENTIONED.match(text, one.start, one.end)
        ]
    for spot in sorted({spot for spot in spots if spot > ours}, reverse=True):
        text = f"{text[:spot]} #{text[spot:]}"
    return text
