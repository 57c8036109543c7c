"""What the verbs about migrations share: the migrator of a context, and its progress shown."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from todo_sql.cli.screen import in_a_line
from todo_sql.migrations.progress import Events
from todo_sql.paths import real_path

if TYPE_CHECKING:
    from rich.status import Status

    from todo_sql.cli.context import Context
    from todo_sql.cli.output import Output
    from todo_sql.errors import Finding
    from todo_sql.migrations.batch_state import BatchState
    from todo_sql.migrations.files.migration import MigrationSet
    from todo_sql.migrations.ledger import Direction
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.sql.grammar import Statement
    from todo_sql.wire.flight import Flight

_SLOW = 1.0  # seconds after which the statement at work is named
_AGAIN = 10.0  # seconds between two lines on the same reason to wait
_DONE = {"apply": "applied", "rollback": "rolled back"}
_DOING = {"apply": "applying", "rollback": "rolling back"}


class OnlyShown(Exception):
    """Ends a dry run once what would be done was shown."""


def load_migrations(context: Context, folder: str | None = None) -> MigrationSet:
    """Return the project's migrations, or those of another folder."""
    from dataclasses import replace

    from todo_sql.migrations.files.beside import load_project

    config = context.config
    if folder:
        config = replace(config, migrations=real_path(folder), more_migrations=())
    return load_project(config)


@contextmanager
def migrator_of(context: Context, folder: str | None = None) -> Iterator[Migrator]:
    """Yield the migrator of a context, whose progress is shown on stderr."""
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.wire.url import DatabaseUrl

    migrations = load_migrations(context, folder)
    shown = ShownProgress(context.output)
    foreign = not context.config.packaged or folder is not None
    direct = context.config.direct_url
    if direct is not None and (parsed := DatabaseUrl.parse(direct)).is_neon_pooler:
        context.output.message(f"bypassing the pooler: migrating through {parsed.direct().shown}")
    previous = _stop_on_signals()
    try:
        url, ledger = context.direct_url(), context.config.ledger
        yield Migrator(url, migrations, events=shown, foreign=foreign, ledger=ledger)
    finally:
        shown.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop_on_signals() -> dict[signal.Signals, Any]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does; return the handlers before."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    return {number: signal.signal(number, stop) for number in numbers if number is not None}


class ShownProgress(Events):
    """Shows a run: on a terminal a line with a running clock, elsewhere plain lines."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._began = time.monotonic()
        self._label = ""
        self._statement_began: tuple[int, float] = (-1, 0.0)
        self._line: Status | None = None
        self._waited: dict[str, float] = {}
        self._batches = ""
        self._told = self._began

    def waiting(self, reason: str) -> None:
        """Say what is waited for: at once, then every ten seconds."""
        now = time.monotonic()
        if now - self._waited.get(reason, -_AGAIN) >= _AGAIN:
            self._waited[reason] = now
            self._output.message(f"waiting: {reason}")

    def note(self, text: str) -> None:
        """Say something."""
        self._output.message(text)

    def warning(self, finding: Finding) -> None:
        """Say a warning, even with ``--quiet``."""
        self._output.warn_of(finding)

    def notice(self, finding: Finding) -> None:
        """Say what the server said: a warning always, a notice with ``--verbose``."""
        self._output.told(finding)

    def started(self, id: str, direction: Direction, number: int, total: int) -> None:
        """Begin the line of a migration."""
        self._began = time.monotonic()
        self._label = f"[{number}/{total}] {_DOING[direction]} {id}"
        self._statement_began = (-1, self._began)
        self._waited.clear()
        self._batches, self._told = "", self._began
        self._draw(self._label)

    def at_work(self, statement: Statement | None, flight: Flight) -> None:
        """Move the clock; name a statement that takes long."""
        now = time.monotonic()
        if self._statement_began[0] != len(flight.answers):
            self._statement_began = (len(flight.answers), now)
        more = self._batches
        if not more and statement and now - self._statement_began[1] > _SLOW:
            more = " ".join(statement.text.split())
        self._draw(f"{self._label} {clock(now - self._began)}{more and '  '}{more}")

    def blocked(self, by: str) -> None:
        """Say who blocks the statement."""
        self.waiting(f"{self._label}: blocked by {by}")

    def batched(self, state: BatchState) -> None:
        """Show how far the batches are: on a terminal at once, elsewhere every ten seconds."""
        left = state.seconds_left
        ends = "" if left is None else f", {clock(left)} left"
        self._batches = f"{state}{ends}"
        now = time.monotonic()
        self._draw(f"{self._label} {clock(now - self._began)}  {self._batches}")
        if not self._output.live and now - self._told >= _AGAIN:
            self._told = now
            self._output.message(f"{self._label}: {self._batches}")

    def finished(self, id: str, direction: Direction, seconds: float) -> None:
        """Say that a migration is done."""
        self._output.message((_DONE[direction], "green"), f" {id} ({clock(seconds)})")

    def clear(self) -> None:
        """Take the live line away."""
        if self._line is not None:
            self._line.stop()
            self._line = None

    def _draw(self, text: str) -> None:
        if not self._output.live:
            return
        from rich.text import Text

        shown = Text(in_a_line(text), no_wrap=True, overflow="ellipsis")
        if self._line is None:
            self._line = self._output.err.console.status(shown)
            self._line.start()
        else:
            self._line.update(shown)


def clock(seconds: float) -> str:
    """Return a span of time as people read it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02} h"
    return f"{minutes}:{rest:02} min"
