"""Where data, messages and errors go, and which exit code an error has.

stdout carries data only: text or, with ``--json``, one document. Everything said to a
person goes to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from todo_sql.errors import ExitCode, Finding, FindingsError, TodoSqlError, UsageError

if TYPE_CHECKING:
    from todo_sql.cli.context import Options

UNEXPECTED = 70
UNWRITABLE = 74
INTERRUPTED = 130
BROKEN_PIPE = 141

_EXIT_CODES = {"T999": UNEXPECTED, "U302": UNWRITABLE}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_STYLES = {"bold": "1", "red": "1;31", "yellow": "1;33", "green": "32", "cyan": "36", "dim": "2"}
_SEVERITY_STYLE = {"error": "red", "warning": "yellow", "info": "cyan"}


class Output:
    """The consoles of one run.

    Attributes:
        json: Whether stdout takes one JSON document and nothing else.
        quiet: Whether messages are withheld.
        verbose: Whether details are shown.
        exit_code: What the process will return.
    """

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.quiet = False
        self.verbose = False
        self.exit_code: int = ExitCode.OK
        self._colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._document_written = False
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def configure(self, options: Options) -> None:
        """Take up the global options."""
        self.json = options.json
        self.quiet = options.quiet
        self.verbose = options.verbose
        self._colours = self._colours and not options.no_color

    @property
    def colours_stdout(self) -> bool:
        """Whether data may be coloured."""
        return self._colours and sys.stdout.isatty()

    @property
    def colours_stderr(self) -> bool:
        """Whether messages may be coloured."""
        return self._colours and sys.stderr.isatty()

    @property
    def live(self) -> bool:
        """Whether progress may be redrawn in place: a terminal, and neither quiet nor JSON."""
        return sys.stderr.isatty() and not self.quiet and not self.json

    # stdout

    def data(self, text: str) -> None:
        """Print a line (or several) of data."""
        print(text, file=sys.stdout)

    def document(self, document: Any) -> None:
        """Print the one JSON document of a run with ``--json``."""
        self._document_written = True
        print(json.dumps(document, indent=2, default=str, ensure_ascii=False), file=sys.stdout)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        styles: Mapping[str, str] | None = None,
    ) -> None:
        """Print rows in aligned columns; a number stands at the right of its column.

        Args:
            columns: Their names.
            rows: Their cells.
            styles: Styles of the first cell of a row, by its text.
        """
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        widths = [
            max([len(name), *(len(row[index]) for row in texts)])
            for index, name in enumerate(columns)
        ]
        right = [
            bool(rows) and all(isinstance(row[index], int | float) for row in rows)
            for index in range(len(columns))
        ]

        def line(cells: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if at_right else cell.ljust(width)
                for cell, width, at_right in zip(cells, widths, right, strict=True)
            )
            return "  ".join(padded).rstrip()

        self.data(self._styled(line(columns), "bold", self.colours_stdout))
        for row in texts:
            first, text = row[0], line(row)
            style = (styles or {}).get(first)
            if style:
                text = self._styled(first, style, self.colours_stdout) + text[len(first) :]
            self.data(text)

    # stderr

    def message(self, text: str) -> None:
        """Say something, unless ``--quiet``."""
        if not self.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """Say something with ``--verbose`` only."""
        if self.verbose:
            self._say(self.style(text, "dim"))

    def warning(self, text: str) -> None:
        """Say something that a person should not miss, even with ``--quiet``."""
        self._say(f"{self.style('warning', 'yellow')}: {text}")

    def style(self, text: str, style: str) -> str:
        """Return `text` in a style (bold, red, yellow, green, cyan, dim) if stderr has colours."""
        return self._styled(text, style, self.colours_stderr)

    def findings(self, findings: Sequence[Finding], format: str = "text") -> None:
        """Print findings as text or, with ``github``, as annotations; not the JSON form."""
        for index, finding in enumerate(findings):
            if format == "github":
                self.data(finding.as_github())
            else:
                self.data(("\n" if index else "") + self._rendered(finding, self.colours_stdout))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is lost.

        Args:
            question: Ends with a question mark.
            yes: Whether ``--yes`` was given.

        Raises:
            UsageError: The answer is no, or there is no terminal to ask on.
        """
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"not confirmed: {question}", fix="pass --yes to confirm")
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise UsageError("not confirmed: nothing was done", code="U101")

    # Errors

    @contextlib.contextmanager
    def rendering_errors(self) -> Iterator[None]:
        """Show whatever ends the run early, and set the exit code."""
        try:
            yield
            sys.stdout.flush()
        except TodoSqlError as error:
            self.exit_code = error.exit_code
            self._guarded(self._show, error)
        except KeyboardInterrupt as interruption:
            self.exit_code = INTERRUPTED
            said = str(interruption) or "nothing more was done"
            self._guarded(self._say, f"\ninterrupted: {said}")
        except BrokenPipeError:
            self.exit_code = BROKEN_PIPE
            _discard(sys.stdout)
        except Exception as error:
            self._guarded(self._show_other, error)

    def _guarded(self, show: Any, what: Any) -> None:
        try:
            show(what)
            sys.stdout.flush()
        except OSError:  # nobody is there to read it, or there is no room for it
            _discard(sys.stdout)
            _discard(sys.stderr)

    def _show(self, error: TodoSqlError) -> None:
        findings = error.findings if isinstance(error, FindingsError) else []
        findings = [_without_secrets(finding) for finding in findings]
        summary = _without_secrets(error.finding)
        if self.json and not self._document_written:
            document: dict[str, Any] = {"error": {**summary.as_dict(), **error.facts()}}
            if findings:
                document["findings"] = [finding.as_dict() for finding in findings]
            self.document(document)
            return
        if not self.json:
            for finding in findings:
                self._say(self._rendered(finding, self.colours_stderr) + "\n")
        self._say(self._rendered(summary, self.colours_stderr))

    def _show_other(self, error: Exception) -> None:
        """Show an error that is not one of ours, with a traceback if ``--verbose``."""
        from todo_sql.wire.url import redact

        if self.verbose:
            import traceback

            self._say(redact("".join(traceback.format_exception(error))))
        shown = self._translated(error)
        self.exit_code = _EXIT_CODES.get(shown.finding.code, shown.exit_code)
        if self.exit_code == UNWRITABLE:
            _discard(sys.stdout)
        self._show(shown)

    def _translated(self, error: Exception) -> TodoSqlError:
        if type(error).__module__.partition(".")[0] == "psycopg":
            from todo_sql.wire.connect_errors import explain

            return explain(error)
        if isinstance(error, OSError) and error.filename:
            return UsageError(
                f"{error.filename}: {(error.strerror or type(error).__name__).lower()}",
                code="U301",
                fix="correct the path or its permissions",
            )
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return TodoSqlError(
                f"the output cannot be written: {os.strerror(error.errno).lower()}",
                code="U302",
                cause="the work may have been done; only its report was lost",
                fix="free some space, or redirect stdout",
            )
        return TodoSqlError(
            f"unexpected {type(error).__name__}: {error}",
            code="T999",
            cause="this is a bug in todo-sql or in a library that it uses",
            fix="please report it" if self.verbose else "add --verbose to see the traceback",
        )

    def _rendered(self, finding: Finding, colours: bool) -> str:
        text = finding.render()
        if not colours:
            return text
        head, *lines = text.split("\n")
        mark = f"{finding.severity}[{finding.code}]"
        style = _SEVERITY_STYLE[finding.severity]
        styled = [self._styled(mark, style, True) + head.removeprefix(mark)]
        for line in lines:
            label, colon, rest = line.partition(":")
            if label in ("cause", "fix") and colon:
                line = self._styled(label + colon, "bold", True) + rest
            elif line.strip(" |").startswith("^"):
                line = self._styled(line, style, True)
            styled.append(line)
        return "\n".join(styled)

    def _say(self, text: str) -> None:
        sys.stdout.flush()
        print(text, file=sys.stderr, flush=True)

    @staticmethod
    def _styled(text: str, style: str, colours: bool) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colours else text


def _without_secrets(finding: Finding) -> Finding:
    """Return a finding with every password in its words redacted, wherever it came from."""
    from todo_sql.wire.url import redact

    return replace(
        finding,
        message=redact(finding.message),
        cause=redact(finding.cause or "") or None,
        fix=redact(finding.fix or "") or None,
    )


def _discard(stream: TextIO) -> None:
    """Let the interpreter's last flush of a broken pipe go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
