"""What goes to stdout and what to stderr, and how it looks."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from todo_sql.cli.output import Output
from todo_sql.errors import Finding, Place, UsageError

FINDING = Finding(
    "M104",
    "error",
    'column "du_at" does not exist',
    Place("migrations/a.sql", 7, 39, "create index idx_tasks_due on tasks (du_at);", 5),
    cause="PostgreSQL 42703",
    fix="correct the column name",
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, answer: str = "") -> Iterator[Terminal]:
    """Make the three streams a terminal on which `answer` is typed."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", screen)
        patched.setattr(sys, "stderr", screen)
        patched.setattr(sys, "stdin", Terminal(answer))
        yield screen


def test_data_and_messages_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout holds data alone; --quiet withholds messages, never warnings."""
    output = Output()
    output.data("data")
    output.message("message")
    output.detail("detail")
    output.warning("warned")
    assert capsys.readouterr() == ("data\n", "message\nwarning: warned\n")
    output.configure(["--quiet"])
    output.message("message")
    output.warning("warned")
    assert capsys.readouterr() == ("", "warning: warned\n")
    output.configure(["-v"])
    output.detail("detail")
    assert capsys.readouterr() == ("", "detail\n")


def test_a_document_may_hold_anything(capsys: pytest.CaptureFixture[str]) -> None:
    """Values that JSON does not know are written as text, letters stay letters."""
    Output().document({"at": Place("f", 1), "name": "ünï"})
    text = capsys.readouterr().out
    assert json.loads(text)["name"] == "ünï"
    assert "ünï" in text


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Text stands at the left of its column, numbers at the right, NULL is empty."""
    output = Output()
    output.out.table(["id", "title", "ms"], [[1, "a", 5], [22, None, ""]])
    output.out.table(["none"], [])
    assert capsys.readouterr().out == "id  title  ms\n 1  a       5\n22\nnone\n"


def test_findings_have_two_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """As text with excerpt, caret, cause and fix; or as annotations for GitHub."""
    output = Output()
    output.findings([FINDING, FINDING])
    assert capsys.readouterr().out == FINDING.render() + "\n\n" + FINDING.render() + "\n"
    output.findings([FINDING], "github")
    assert capsys.readouterr().out.startswith("::error file=migrations/a.sql,line=7,col=39::M104")


@pytest.mark.parametrize("length", [1, 199, 200, 201, 202, 5_000, 1_000_000])
def test_a_long_line_is_shown_around_its_place(length: int) -> None:
    """Whatever the column, the caret stands under it, and the line fits a screen or two."""
    line = "".join(chr(0x4E00 + number % 20_000) for number in range(length))
    for column in {1, 2, 3, 66, 67, 68, 69, 199, 200, length // 2, length - 1, length}:
        if not 1 <= column <= length:
            continue
        shown, rule = Place("a.sql", 7, column, line, 10_000_000).render_excerpt()
        at = rule.index("^")
        assert shown[at] == line[column - 1], column
        assert len(shown) <= 210 and len(rule) <= len(shown)
        cut = shown.removeprefix("  7 | ").strip("…")
        assert cut in line and (length > 200 or cut == line)
    past = Place("a.sql", 7, length + 1, line).render_excerpt()
    assert past[1].index("^") == len(past[0])


def test_a_long_message_is_cut_by_line() -> None:
    """A server says a whole value; the lines around it, and a fix to be copied, stay whole."""
    told = Finding("M301", "error", "x" * 5_000, cause=f"{'y' * 5_000}\nlast", fix="z" * 5_000)
    for text in (told.render(), told.as_github(), json.dumps(told.as_dict(), ensure_ascii=False)):
        assert "x" * 900 in text and "x" * 1_001 not in text
        assert "y" * 900 in text and "y" * 1_001 not in text and "last" in text
        assert "z" * 5_000 in text


def test_colours_change_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the same text is there, with its marks coloured."""
    with terminal(monkeypatch) as screen:
        output = Output()
        assert output.live
        output.findings([FINDING])
        output.out.table(["a"], [["b"]])
    shown = screen.getvalue()
    assert "\x1b[1;31merror[M104]\x1b[0m" in shown
    assert "\x1b[1mfix:\x1b[0m correct" in shown
    plain = shown
    for code in ("\x1b[1;31m", "\x1b[1m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain == FINDING.render() + "\na\nb\n"


def test_nothing_is_asked_without_a_terminal() -> None:
    """What would be lost is only lost after --yes where nobody can answer."""
    output = Output()
    output.confirm("delete everything?", yes=True)
    with pytest.raises(UsageError, match="pass --yes"):
        output.confirm("delete everything?", yes=False)


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False)])
def test_a_question_on_a_terminal(
    answer: str, agreed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a clear yes is one."""
    with terminal(monkeypatch, answer) as screen:
        if agreed:
            Output().confirm("delete everything?", yes=False)
        else:
            with pytest.raises(UsageError, match="nothing was done"):
                Output().confirm("delete everything?", yes=False)
    assert screen.getvalue() == "delete everything? [y/N] "
