"""What a run tells while it is at work. Printing is the command line's."""

from __future__ import annotations

from todo_sql.errors import Finding
from todo_sql.migrations.files.folder import Migration
from todo_sql.migrations.ledger import Direction
from todo_sql.sql.grammar import Statement
from todo_sql.wire.pipeline import Flight


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

    def started(self, migration: Migration, direction: Direction, number: int, total: int) -> None:
        """A migration is begun."""

    def at_work(self, statement: Statement | None, flight: Flight) -> None:
        """The server is at a statement (None: at the ledger); told several times a second."""

    def blocked(self, by: str) -> None:
        """The statement at work waits for somebody's lock or transaction."""

    def finished(self, migration: Migration, direction: Direction, seconds: float) -> None:
        """A migration is applied or rolled back, and recorded."""
