"""What the commands make of SQL that others wrote: ``python tests/fuzz_files.py FOLDER…``.

Each ``.sql`` file becomes the migration of a project of its own, three times: as it is (for `lint`
and the dry run), without psql's commands, and with those statements alone that PostgreSQL takes
one after the other. Each command may end as it likes, but for an internal error (exit code 70),
a traceback, or no end.
Such files are PostgreSQL's own regression tests, which libpg_query has in
``test/sql/postgres_regress``.

``--verbs lint,plan`` runs some of the commands alone; ``--show 2,3`` prints what was said where
one ended so, on what PostgreSQL takes. There are two temporary servers, one to try on: of files
that make roles `plan` says no more than that where both are one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psycopg

from todo_sql.cli.app import main as todo_sql
from todo_sql.compiler.scratch import empty_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.sql.grammar import GrammarError, cut, parse

VERBS = {
    "lint": ["lint"],
    "dry": ["migrate", "--dry-run"],
    "plan": ["plan"],
    "verify": ["verify"],
    "check": ["check"],
    "docs": ["docs"],
}
PATIENCE = 180  # seconds for one command
_COMMAND = re.compile(r"(?m)^\s*\\.*$")
# The transaction is ours, and nobody is there to take or to send rows.
_NOT_HERE = re.compile(
    r"(?i)(?:--.*\n\s*)*(begin|start|commit|end|abort|rollback|savepoint|release|prepare t|copy)\b"
)


class Hang(Exception):
    """A command did not end."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang


def texts(raw: str, server: ScratchServer) -> Iterator[tuple[str, str]]:
    """Yield the three forms of a file, each with its name."""
    yield "as it is", raw
    plain = _COMMAND.sub("", raw)
    yield "plain", plain
    try:
        statements = [one.text for one in parse(plain)]
    except GrammarError:
        try:
            statements = [one.text for one in cut(plain)]
        except GrammarError:
            return
    taken = []
    with empty_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            if _NOT_HERE.match(statement):
                continue
            try:
                with connection.transaction():
                    connection.execute(b"set local statement_timeout = '5s'")
                    connection.execute(statement.encode())
            except psycopg.Error:
                if connection.closed:
                    return
                continue
            taken.append(statement + ";\n")
    yield "what is taken", "".join(taken)


def tried(folder: Path, verbs: list[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield each command with how it ended; what is wrong begins with a capital letter."""
    (folder / "todo-sql.toml").write_text("")
    for name in ("migrations", "queries"):
        (folder / name).mkdir()
    file = folder / "migrations" / "20260101000000_a.sql"
    file.write_bytes(b"-- irreversible: of others\n" + text.encode())
    query = "-- name: one :one\nselect 1 as one;\n"
    (folder / "queries" / "q.sql").write_text(query)
    for verb in verbs:
        said = io.StringIO()
        signal.alarm(PATIENCE)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = todo_sql(["--project", str(folder), "--verbose", *VERBS[verb]])
        except Hang:
            yield verb, f"NO END within {PATIENCE} s"
            continue
        except BaseException as error:
            yield verb, f"RAISED {type(error).__name__}: {error}"
            continue
        finally:
            signal.alarm(0)
        output = said.getvalue()
        if code not in (0, 1, 2, 3) or "Traceback" in output:
            yield verb, f"ENDED with {code}\n{output[-1500:]}"
        else:
            yield verb, f"exit {code}\n{output}"


def run(
    live: EmbeddedServer,
    scratch: EmbeddedServer,
    paths: list[Path],
    verbs: list[str],
    show: list[str],
) -> int:
    """Try each file; print what is wrong, and how often each command ended how."""
    there = {"TODO_SQL_SCRATCH_URL": scratch.url("postgres"), "DATABASE_URL": live.url("live")}
    os.environ.update(there)
    signal.signal(signal.SIGALRM, _stop)
    counts: Counter[tuple[str, str, str]] = Counter()
    wrong = 0
    for number, path in enumerate(paths):
        print(f"{number}/{len(paths)} {path.name}", file=sys.stderr, flush=True)
        raw = path.read_bytes().decode(errors="replace").replace("\0", "")
        for form, text in texts(raw, ScratchServer(there["TODO_SQL_SCRATCH_URL"])):
            chosen = [verb for verb in verbs if form != "as it is" or verb in ("lint", "dry")]
            with tempfile.TemporaryDirectory() as folder:
                for verb, ended in tried(Path(folder), chosen, text):
                    counts[form, verb, ended.split("\n")[0]] += 1
                    if form == "what is taken" and ended.split()[1] in show:
                        print(f"{path.name}: {verb} {ended}", flush=True)
                    if ended[0].isupper():
                        wrong += 1
                        print(f"{path.name}, {form}: {verb} {ended}", flush=True)
    for key, count in sorted(counts.items()):
        print(f"{count:6} {', '.join(key)}")
    print(f"{len(paths)} files, {sum(counts.values())} runs, {wrong} wrong")
    return 1 if wrong else 0


def main() -> int:
    """Read the words, start a server, try everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--show", default="", help="exit codes")
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    paths = [path for folder in arguments.folders for path in sorted(folder.rglob("*.sql"))]
    version, verbs, show = arguments.postgres, arguments.verbs, arguments.show
    with temporary_server(version) as live, temporary_server(version) as scratch:
        with psycopg.connect(live.url("postgres"), autocommit=True) as admin:
            admin.execute("create database live")
        return run(live, scratch, paths, verbs.split(","), show.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
