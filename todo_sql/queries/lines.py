"""Lines of a body: which directive binds to which line, and the segments they make. Pure.

A line here is a physical line, or several where a string or a block comment spans them.
A directive binds to the line at whose end it stands. Alone on a line, it binds to the
line below: formatters move a trailing comment there when the line gets too long. An
``if`` on a line that opens a bracket binds to all lines down to the one that closes it. It
begins its comment, so that a moved remark never becomes a directive of another line; a
remark may follow after ``--``.

    and list_id = :list_id              -- if: list_id      an optional line
    -- order by due_date nulls last     -- case sort: due   a line that is commented out
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from todo_sql.queries.header import LINE_DIRECTIVE, names_in
from todo_sql.queries.mistakes import Report, Where, not_a_name
from todo_sql.queries.named import Piece, Segment
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, scan

_IF = re.compile(r"--[ \t]*if[ \t]*:[ \t]*(?P<names>[^-\n]*?)[ \t]*(?:--|\Z)")
_CASE = re.compile(
    r"--[ \t]*case[ \t]+(?P<parameter>[^\s:]+)[ \t]*:[ \t]*(?P<value>\S*)[ \t]*(?:--|\Z)"
)
_VALUE = re.compile(r"\w[\w.-]*\Z")
_BRACKETS = {"(": 1, "[": 1, ")": -1, "]": -1}


@dataclass
class Condition:
    """What the directives of one line ask for, and those of the brackets around it."""

    needs: dict[str, tuple[int, int]] = field(default_factory=dict)
    around: frozenset[str] = frozenset()
    cases: dict[str, tuple[str, tuple[int, int]]] = field(default_factory=dict)


@dataclass
class Line:
    """One line: its tokens without line comments, and its condition.

    Attributes:
        tokens: Tokens of the text that is sent.
        start: Where its text begins, indentation included.
        stop: Where the line ends, line break included.
        commented: Whether it is an alternative that stands in a comment.
    """

    tokens: list[Token]
    start: int
    stop: int
    condition: Condition = field(default_factory=Condition)
    commented: bool = False


class _Waiting(NamedTuple):
    """A comment of directives alone on a line, and where the line that they bind to must begin."""

    condition: Condition
    comment: Token
    stop: int


def read_lines(report: Report, tokens: Sequence[Token]) -> list[Line]:
    """Return the lines of a body with their conditions; mistakes go to the report.

    Args:
        tokens: Of one query, from below its header, without the final semicolon.
    """
    text = report.source.text
    lines: list[Line] = []
    waiting: _Waiting | None = None
    line_comment = Kind.LINE_COMMENT
    for row in _rows(text, tokens):
        comment = row[-1] if row[-1].kind is line_comment else None
        code = [token for token in row if token.kind is not line_comment]
        start = text.rfind("\n", 0, row[0].start) + 1
        stop = text.find("\n", row[-1].end) + 1 or len(text)
        if waiting is not None and start != waiting.stop:
            _unbound(report, waiting.comment)
            waiting = None
        for token in row[:-1]:
            inside = token.kind is line_comment  # its line ends in a bare carriage return
            if inside and LINE_DIRECTIVE.search(text, token.start, token.end):
                _unbound(report, token)
        condition = waiting.condition if waiting else Condition()
        directive = LINE_DIRECTIVE.search(text, comment.start, comment.end) if comment else None
        at = (directive.start(), comment.end) if comment and directive else None
        above, waiting = waiting, None
        if code and all(token.kind in COMMENTS for token in code):
            lines.append(Line(code, start, stop))
            if at:
                _unbound(report, at)
            if above:
                _unbound(report, above.comment)
        elif comment and at:
            lead = text[comment.start : at[0]].strip("- \t")
            _read(report, condition, *at)
            if code:
                lines.append(Line(code, start, stop, condition))
            elif not lead:
                waiting = _Waiting(condition, comment, stop)
            elif condition.cases:
                lines += _uncommented(report, comment.start, at[0], stop, condition)
                continue
            if lead:
                cause = "a formatter may move the comment, and a commented line cannot be optional"
                fix = (
                    "write a comment after it, `-- if: NAME -- comment`, or take the line in or out"
                )
                report.add("Q111", "the directive does not begin its comment", at, fix, cause)
        elif code:
            lines.append(Line(code, start, stop, condition))
        elif comment and above and above.condition.cases:
            lines += _uncommented(report, comment.start, comment.end, stop, condition)
        elif comment and above:
            _unbound(report, above.comment)
    if waiting is not None:
        _unbound(report, waiting.comment)
    _hold_brackets(text, lines)
    return lines


def _hold_brackets(text: str, lines: Sequence[Line]) -> None:
    """Let an ``if`` on a line that opens a bracket hold to the line that closes it."""
    depth = 0
    holding: list[tuple[int, frozenset[str]]] = []  # until the depth is this again
    for line in lines:
        line.condition.around = frozenset().union(*(needs for _, needs in holding))
        if line.commented:
            continue
        lowest = depth
        for token in line.tokens:
            depth += _BRACKETS.get(text[token.start : token.end], 0)
            lowest = min(lowest, depth)
        holding = [one for one in holding if one[0] < lowest]
        if line.condition.needs and depth > lowest:
            holding.append((lowest, frozenset(line.condition.needs)))


def _rows(text: str, tokens: Sequence[Token]) -> list[list[Token]]:
    """Group tokens that share a physical line; a token that spans lines joins them."""
    rows: list[list[Token]] = []
    end = 0
    for token in tokens:
        if rows and (token.start == end or text.find("\n", end, token.start) < 0):
            rows[-1].append(token)
        else:
            rows.append([token])
        end = token.end
    return rows


def _unbound(report: Report, where: Where) -> None:
    fix = "put it at the end of its line, or alone on the line directly above"
    report.add("Q111", "the directive binds to no line", where, fix)


def _uncommented(
    report: Report, start: int, end: int, stop: int, condition: Condition
) -> list[Line]:
    """Return the line of SQL that a comment holds."""
    text = report.source.text
    start = end - len(text[start:end].lstrip("-"))
    try:
        tokens = scan(text, start, end)
    except ScanError as error:
        report.add("S102", error.message, (error.offset, end), "close it on this line")
        return []
    tokens = [token for token in tokens if token.kind is not Kind.LINE_COMMENT]
    return [Line(tokens, start, stop, condition, commented=True)]


def _read(report: Report, condition: Condition, start: int, end: int) -> None:
    """Read the directives of a comment, from the first one on."""
    text = report.source.text
    while (directive := LINE_DIRECTIVE.search(text, start, end)) is not None:
        start = directive.start()
        if found := _IF.match(text, start, end):
            _read_if(report, condition, *found.span("names"))
        elif found := _CASE.match(text, start, end):
            _read_case(report, condition, found)
        else:
            fix = "write `-- if: NAME, NAME` or `-- case NAME: VALUE`"
            report.add("Q109", "the directive cannot be read", (start, end), fix)
        start += 2


def _read_if(report: Report, condition: Condition, start: int, end: int) -> None:
    if start == end:
        report.add("Q109", "`if:` names no parameter", (start, end), "write `-- if: NAME`")
        return
    for word, (at, stop) in names_in(report.source.text, start, end):
        name = word.removeprefix(":")
        if reason := not_a_name(name):
            fix = "write `-- if: NAME, NAME`; a comment may follow after `--`"
            report.add("Q109", f"`{word}` {reason}", (at, stop), fix)
        else:
            condition.needs[name] = (stop - len(name), stop)


def _read_case(report: Report, condition: Condition, found: re.Match[str]) -> None:
    name, value = found["parameter"], found["value"]
    if reason := not_a_name(name):
        report.add("Q109", f"`{name}` {reason}", found.span("parameter"), "rename it")
    elif not _VALUE.match(value):
        message = f"`{value}` is not a value" if value else f"`case {name}:` has no value"
        fix = f"write `-- case {name}: VALUE` with letters, digits, `_`, `-` and `.`"
        report.add("Q109", message, found.span("value"), fix)
    elif condition.cases.setdefault(name, (value, found.span("parameter")))[0] != value:
        message = f"the line stands under two values of `{name}`"
        report.add("Q111", message, found.span("value"), "repeat the line, one for each value")


def segments(text: str, lines: Sequence[Line]) -> tuple[Segment, ...]:
    """Join neighbouring lines of one condition into segments of text and parameters."""
    joined: list[tuple[frozenset[str], tuple[tuple[str, str], ...], list[Piece]]] = []
    for index, line in enumerate(lines):
        needs = line.condition.around | line.condition.needs.keys()
        cases = tuple(sorted((name, value) for name, (value, _) in line.condition.cases.items()))
        if not joined or joined[-1][:2] != (needs, cases):
            joined.append((needs, cases, []))
        _add_pieces(joined[-1][2], text, line, first=index == 0)
    return tuple(Segment(tuple(pieces), needs, cases) for needs, cases, pieces in joined)


def _add_pieces(pieces: list[Piece], text: str, line: Line, *, first: bool) -> None:
    def copy(start: int, end: int) -> None:
        last = pieces[-1] if pieces else None
        if start < end and last and last.parameter is None and last.end == start:
            pieces[-1] = Piece(last.start, end)
        elif start < end:
            pieces.append(Piece(start, end))

    parameter = Kind.PARAMETER
    at = line.tokens[0].start if first else line.start
    for token in line.tokens:
        if token.kind is parameter:
            copy(at, token.start)
            pieces.append(Piece(token.start, token.end, text[token.start + 1 : token.end]))
            at = token.end
    copy(at, line.tokens[-1].end)
    if text[line.stop - 1] == "\n":
        copy(line.stop - 1, line.stop)
