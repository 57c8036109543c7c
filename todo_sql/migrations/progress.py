"""What a run tells while it is at work. Printing is the command line's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from todo_sql.errors import Finding
from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.ledger import Direction
from todo_sql.sql.grammar import Statement
from todo_sql.wire.flight import Flight


class Events:
    """Receives what happens in a run; override what is of interest."""

    def waiting(self, reason: str) -> None:
        """Something outside is waited for: the server, the lock, a busy table."""

    def note(self, text: str) -> None:
        """Something worth a line happened: another host was chosen, a leftover was dropped."""

    def warning(self, finding: Finding) -> None:
        """Something endangers this database, and the run goes on."""

    def notice(self, finding: Finding) -> None:
        """The server said something: a warning, or of severity info a notice."""

    def started(self, id: str, direction: Direction, number: int, total: int) -> None:
        """A migration is begun, or a repeatable file."""

    def at_work(self, statement: Statement | None, flight: Flight) -> None:
        """The server is at a statement (None: at the ledger); told several times a second."""

    def blocked(self, by: str) -> None:
        """The statement at work waits for somebody's lock or transaction."""

    def batched(self, state: BatchState) -> None:
        """A batch of the statement at work is committed."""

    def finished(self, id: str, direction: Direction, seconds: float) -> None:
        """It is applied or rolled back, and recorded."""


class Discreet(Events):
    """Passes on what happens, without the secrets of a run."""

    def __init__(self, events: Events, settings: Settings) -> None:
        hides: dict[str, Callable[[Any], Any]] = {
            **dict.fromkeys(("waiting", "note", "blocked"), settings.hide),
            **dict.fromkeys(("warning", "notice"), settings.hidden),
        }
        for name, hide in hides.items():
            setattr(self, name, partial(_pass_on, getattr(events, name), hide))
        for name in ("started", "at_work", "batched", "finished"):  # they hold none
            setattr(self, name, getattr(events, name))


def _pass_on(told: Callable[[Any], None], hide: Callable[[Any], Any], what: object) -> None:
    told(hide(what))
