"""What `plan` foretells of hazards on large tables, beside what happens when they run.

    python tests/soak_hazards.py [ROWS] [WORD …]

prints a line for each hazard of `support/hazards.py` whose name holds a word, and ends with 1
if something came otherwise than it was foretold. The suite has the same on a few rows:
`tests/review/test_foretold.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from support.hazards import BASE, FILL, HAZARDS, Hazard

from todo_sql.cli.app import main as todo_sql
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import TodoSqlError
from todo_sql.migrations import migrate

ROWS = 200_000
VERSION = 18
FORETOLD = ("P101", "P114")


def main(rows: int, words: list[str]) -> int:
    """Try each hazard on a database of its own; print the table; return the exit code."""
    chosen = [one for one in HAZARDS if not words or any(word in one.name for word in words)]
    told = {True: "fails", False: "passes"}
    otherwise = failed = 0
    with temporary_server(VERSION) as server, tempfile.TemporaryDirectory() as folder:
        os.environ["TODO_SQL_SCRATCH_URL"] = server.url("postgres")
        project = _project(Path(folder), server, rows)
        print(f"{'hazard':40} {'foretold':10} {'happened':10} {'codes':22} plan s  run s")
        for hazard in chosen:
            foretold, happened, codes, seconds = _tried(project, server, hazard)
            agrees = foretold == happened
            otherwise += not agrees
            failed += happened
            print(
                f"{hazard.name:40} {told[foretold]:10} {told[happened]:10} {' '.join(codes):22} "
                f"{seconds[0]:6.1f} {seconds[1]:6.1f}{'' if agrees else '  OTHERWISE'}",
                flush=True,
            )
    print(
        f"{len(chosen)} hazards on {rows:,} rows, {failed} fail, "
        f"{len(chosen) - otherwise} as foretold"
    )
    return 1 if otherwise else 0


def _project(folder: Path, server: EmbeddedServer, rows: int) -> Path:
    """Write a project, and make a filled database ``filled`` of its first migration."""
    (folder / "migrations").mkdir()
    first = folder / "migrations" / "20260101000000_base.sql"
    first.write_text(f"-- irreversible: the first\n{BASE}", encoding="utf-8")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database filled")
    migrate(server.url("filled"), folder / "migrations")
    with psycopg.connect(server.url("filled"), autocommit=True) as connection:
        connection.execute(FILL.replace("{rows}", str(rows)).encode())
        connection.execute("vacuum analyze")
    return folder


def _tried(
    project: Path, server: EmbeddedServer, hazard: Hazard
) -> tuple[bool, bool, list[str], tuple[float, float]]:
    """Return whether a failure was foretold and came, what was said, and how long both took."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists tried with (force)")
        connection.execute("create database tried template filled strategy file_copy")
    pending = project / "migrations" / "20260201000000_pending.sql"
    # How long a lock may be held is a matter of the machine, and is not foretold.
    head = "-- irreversible: a trial\n-- max-lock-hold: 1h\n"
    pending.write_text(head + hazard.text, encoding="utf-8")
    url = server.url("tried")
    said = io.StringIO()
    began = time.monotonic()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        todo_sql(["--project", str(project), "--database", url, "--json", "plan"])
    planned = time.monotonic()
    codes = sorted({one["code"] for one in json.loads(said.getvalue())["findings"]} - {"P108"})
    try:
        migrate(url, project / "migrations")
        failed = False
    except TodoSqlError:
        failed = True
    seconds = (planned - began, time.monotonic() - planned)
    return bool({*codes} & {*FORETOLD}), failed, codes, seconds


if __name__ == "__main__":
    given = sys.argv[1:]
    count = int(given.pop(0)) if given and given[0].isdigit() else ROWS
    sys.exit(main(count, given))
