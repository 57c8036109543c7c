"""Where data, messages and errors go, and which exit code an error has.

stdout carries data only: text or, with ``--json``, one document. Everything said to a
person goes to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO

from todo_sql.cli.screen import Part, Screen
from todo_sql.errors import ExitCode, Finding, FindingsError, TodoSqlError, UsageError, indented

UNEXPECTED = 70
UNWRITABLE = 74
INTERRUPTED = 130
BROKEN_PIPE = 141

_EXIT_CODES = {"T999": UNEXPECTED, "U302": UNWRITABLE}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_SEVERITY_STYLE = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}


class Output:
    """What one run says.

    Attributes:
        out: stdout.
        err: stderr.
        json: Whether stdout takes one JSON document and nothing else.
        quiet: Whether messages are withheld.
        verbose: Whether details are shown.
        annotating: Whether warnings and errors are annotations of GitHub's on stdout, too.
        exit_code: What the process will return.
        beside_error: What the JSON document holds besides, when an error ends the run.
    """

    def __init__(self) -> None:
        self.out, self.err = Screen("stdout"), Screen("stderr")
        self.json = self.quiet = self.verbose = self.annotating = False
        self.exit_code: int = ExitCode.OK
        self.beside_error: dict[str, Any] = {}
        self._document_written = False
        self.warned: list[Finding] = []
        self.notices: list[Finding] = []

    def configure(self, options: Collection[str]) -> None:
        """Take up the global options."""
        self.json = "--json" in options
        self.quiet = "--quiet" in options or "-q" in options
        self.verbose = "--verbose" in options or "-v" in options
        self.warned.clear()
        self.notices.clear()
        log = logging.getLogger("todo_sql")
        log.handlers = [one for one in log.handlers if not isinstance(one, _Told)]
        log.setLevel(logging.INFO if self.verbose else logging.NOTSET)
        if self.verbose:
            log.addHandler(_Told(self))
        if "--no-color" in options:
            self.out.colours = self.err.colours = False

    @property
    def live(self) -> bool:
        """Whether progress may be redrawn in place: a terminal, and neither quiet nor JSON."""
        return self.err.is_terminal and not self.quiet and not self.json

    # stdout

    def data(self, *parts: Part, verbatim: bool = False) -> None:
        """Print a line (or several) of data; verbatim: as they are where no person looks."""
        self.out.write(*parts, verbatim=verbatim)

    def page(self, name: str, text: str) -> None:
        """Print a page, with ``--json`` as the document's one entry."""
        if self.json:
            self.document({name: text})
        else:
            self.data(text.rstrip("\n"))

    def document(self, document: Any) -> None:
        """Print the one JSON document of a run with ``--json``."""
        self._document_written = True
        self.out.write(json.dumps(document, indent=2, default=_as_json, ensure_ascii=False))

    def some(self, lines: Sequence[str], shown: int, noun: str, say: Callable[[str], None]) -> None:
        """Say the first of many lines, all with ``--verbose``, and how many there are besides."""
        for line in lines if self.verbose else lines[:shown]:
            say(line)
        if len(lines) > shown and not self.verbose:
            self.message(f"… and {len(lines) - shown} more {noun}: `--verbose` shows them")

    def findings(self, findings: Sequence[Finding], format: str = "text") -> None:
        """Print findings as text or, with ``github``, as annotations; not the JSON form."""
        for index, finding in enumerate(findings):
            if format == "github":
                self.data(finding.as_github())
            else:
                self.out.write("\n" * bool(index), *_parts(finding), prose=True)

    # stderr

    def message(self, *parts: Part) -> None:
        """Say something, unless ``--quiet``; of several lines the further ones are indented."""
        if not self.quiet:
            self._say(*(indented(part) if isinstance(part, str) else part for part in parts))

    def detail(self, text: str) -> None:
        """Say something with ``--verbose`` only."""
        if self.verbose:
            self._say((text, "dim"))

    def warning(self, text: str) -> None:
        """Say something that a person should not miss, even with ``--quiet``."""
        self._say(("warning", "bold yellow"), indented(f": {text}"))

    def warn_of(self, finding: Finding) -> None:
        """Say a warning that has a code, and keep it for the JSON document of the run."""
        self.warned.append(finding)
        self._annotate(finding)
        parts = (f"{finding.message} ({finding.code})", finding.cause, finding.fix)
        self.warning("; ".join(part for part in parts if part))

    def told(self, finding: Finding) -> None:
        """Say what the server said, and keep it for the JSON document of the run."""
        self.notices.append(finding)
        parts = (finding.message, finding.cause, finding.fix)
        text = f"{finding.place}: {'; '.join(part for part in parts if part)}"
        if finding.severity == "warning":
            self._annotate(finding)
            self.warning(text)
        else:
            self.detail(f"notice: {text}")

    def _annotate(self, *findings: Finding) -> None:
        if self.annotating and not self.json:
            for finding in findings:
                self.data(finding.as_github())

    def said(self) -> dict[str, Any]:
        """Return what the JSON document of a run holds of warnings and notices, if anything."""
        kept = {"warnings": self.warned, "notices": self.notices}
        return {name: some for name, some in kept.items() if some}

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
        if not self._may_ask:
            raise UsageError(f"not confirmed: {question}", fix="pass --yes to confirm")
        if not self.asks(question):
            raise UsageError("not confirmed: nothing was done", code="U101")

    def asks(self, question: str) -> bool:
        """Ask whether something more is wanted; no, where there is no terminal to ask on."""
        if not self._may_ask:
            return False
        self.err.write(f"{question} [y/N] ", end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @property
    def _may_ask(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

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
            document = {**self.beside_error, "error": {**summary.as_dict(), **error.facts()}}
            self.document(document | ({"findings": findings} if findings else {}))
            return
        self._annotate(*(findings or [summary]))
        if not self.json:
            for finding in findings:
                self._say(*_parts(finding), "\n")
        self._say(*_parts(summary))

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
        place = error.filename if isinstance(error, OSError) else None
        if isinstance(error, FileNotFoundError) and not place:  # as os.getcwd() raises it
            place = "the working directory"
        if isinstance(error, OSError) and place:
            return UsageError(
                f"{place}: {(error.strerror or type(error).__name__).lower()}",
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
            fix="please report it" if self.verbose else "pass --verbose to see the traceback",
        )

    def _say(self, *parts: Part) -> None:
        self.out.stream.flush()
        self.err.write(*parts, prose=True)
        self.err.stream.flush()


class _Told(logging.Handler):
    """Shows with ``--verbose`` what the package tells `logging`."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Say one record, with the name of its logger."""
        self._output.detail(f"{record.name}: {record.getMessage()}")


def _parts(finding: Finding) -> Iterator[Part]:
    """Yield the text form of a finding, with its mark, labels and caret in their styles."""
    style = _SEVERITY_STYLE[finding.severity]
    mark = f"{finding.severity}[{finding.code}]"
    head, *lines = finding.render().split("\n")
    yield mark, style
    yield head.removeprefix(mark)
    for line in lines:
        label, colon, rest = line.partition(":")
        if label in ("cause", "fix") and colon:
            yield f"\n{label}:", "bold"
            yield rest
        elif line.strip(" |").startswith("^"):
            yield f"\n{line}", style
        else:
            yield f"\n{line}"


def _without_secrets(finding: Finding) -> Finding:
    """Return a finding with every password in its words redacted, wherever it came from."""
    from todo_sql.wire.url import redact

    return replace(
        finding,
        message=redact(finding.message),
        cause=redact(finding.cause or "") or None,
        fix=redact(finding.fix or "") or None,
    )


def _as_json(value: object) -> object:
    """Return a value that JSON has no word for: its own JSON form, or its text."""
    as_dict = getattr(value, "as_dict", None)
    return as_dict() if as_dict else str(value)


def _discard(stream: TextIO) -> None:
    """Let the interpreter's last flush of a broken pipe go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
