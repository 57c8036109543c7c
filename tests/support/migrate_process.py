"""A migrator in a process of its own: ``python -m support.migrate_process URL FOLDER [LEDGER]``.

It says ``ready`` once everything is imported, waits for a line on stdin, migrates, and
prints the id of each migration when it is told that it is applied.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from todo_sql.migrations.ledger import Direction

TESTS = Path(__file__).parent.parent


def main(url: str, folder: str, ledger: str | None = None) -> None:
    """Migrate when told to."""
    import todo_sql.migrations.backend
    import todo_sql.sql.grammar
    from todo_sql.migrations.files.beside import load_whole
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.migrations.progress import Events

    class Printing(Events):
        """Prints what is done."""

        def finished(self, id: str, direction: Direction, seconds: float) -> None:
            """Print the id."""
            print(id, flush=True)

    todo_sql.sql.grammar.parse("select 1")
    print("ready", flush=True)
    sys.stdin.readline()
    Migrator(url, load_whole(Path(folder)), events=Printing(), ledger=ledger).migrate()


def spawn(url: str, folder: Path, *ledger: str) -> subprocess.Popen[str]:
    """Start such a process and return it once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.migrate_process", url, str(folder), *ledger],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let a process that is ready migrate."""
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
