"""Apply migrations that other projects wrote: ``python tests/real_migrations.py FOLDER…``.

Understands diesel (``NAME/up.sql``), Prisma (``NAME/migration.sql``), golang-migrate
(``N_name.up.sql``), goose (one file with ``-- +goose Up``), dbmate (one file with
``-- migrate:up``) and plain ``.sql`` files.
Each file gets a name of ours; nothing else is changed but for a line ``-- irreversible:``
where there is no rollback, or one without a statement, and ``-- transactional: false``
where the project's own tool runs the file outside a transaction. Each is applied by
itself, in order; what does not apply is told with the reason and left out. With
``--prove`` the commands are run on the result: `drift`, `docs` and its schema.sql in an
empty database, `plan` of the last ten migrations, `verify`. Then everything is rolled back
again, as far as the project's own rollback files go. Where files write to the ledger of the
project's own tool, a first migration makes that. ``TODO_SQL_REPLAY`` is passed on.

The server is a temporary one: the embedded 18, unless ``--postgres`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from support.commands import todo_sql

from todo_sql.catalog.diff import compare
from todo_sql.catalog.snapshot import take
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import Finding, FindingsError, Place, TodoSqlError
from todo_sql.migrations.files.directives import is_empty
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator

_BEGINNING = datetime(2000, 1, 1)
_LEDGERS = {
    "_sqlx_migrations": "create table _sqlx_migrations (version bigint primary key)",
    "__diesel_schema_migrations": "create table __diesel_schema_migrations (version varchar(50))",
}


@dataclass(frozen=True)
class Found:
    """One migration of another project."""

    name: str
    up: str
    down: str | None
    transactional: bool


def discover(folder: Path) -> Iterator[Found]:
    """Yield the migrations of a folder in the order of their names."""
    for path in sorted(folder.iterdir(), key=_order):
        if (path / "up.sql").is_file():
            metadata = path / "metadata.toml"
            told = metadata.read_text() if metadata.is_file() else ""
            outside = "run_in_transaction = false" in told
            yield Found(path.name, *_pair(path / "up.sql", path / "down.sql"), not outside)
        elif (path / "migration.sql").is_file():
            yield Found(path.name, *_pair(path / "migration.sql", path / "down.sql"), True)
        elif path.name.endswith(".up.sql"):
            down = path.with_name(path.name.replace(".up.sql", ".down.sql"))
            yield Found(path.name.removesuffix(".up.sql"), *_pair(path, down), True)
        elif path.suffix == ".sql" and not path.name.endswith(".down.sql"):
            yield _single(path)


def _order(path: Path) -> tuple[int, str]:
    """Sort by version: its digits, up to fourteen, whether or not dashes are between."""
    digits = re.match(r"[\d-]*", path.name)
    return int((digits.group().replace("-", "") if digits else "")[:14] or 0), path.name


def _pair(up: Path, down: Path) -> tuple[str, str | None]:
    text = down.read_text() if down.is_file() else ""
    return up.read_text(), None if is_empty(text) else text


def _single(path: Path) -> Found:
    text = path.read_text()
    up, _, down = re.split(r"(?mi)^--\s*(\+goose down|migrate:down).*$", text, maxsplit=1) + (
        [] if re.search(r"(?mi)^--\s*(\+goose down|migrate:down)", text) else ["", ""]
    )
    outside = re.search(
        r"(?mi)^--\s*(\+goose no transaction|.*transaction:false|no-transaction)", text
    )
    return Found(path.stem, up, None if is_empty(down) else down, outside is None)


def write(folder: Path, number: int, found: Found) -> str:
    """Write a migration under a name of ours; return its id."""
    version = f"{_BEGINNING + timedelta(seconds=number):%Y%m%d%H%M%S}"
    id = f"{version}_{re.sub(r'[^A-Za-z0-9]+', '_', found.name).strip('_')}"
    outside = "-- transactional: false\n-- allow: unknown-fate the project's own choice\n"
    head = "" if found.transactional else outside
    if found.down is None:
        head += "-- irreversible: the project has no rollback\n"
    (folder / f"{id}.sql").write_text(head + found.up)
    if found.down is not None:
        (folder / f"{id}.rollback.sql").write_text(head + found.down)
    return id


def findings(error: TodoSqlError) -> list[Finding]:
    """Return everything that an error reports."""
    return error.findings if isinstance(error, FindingsError) else [error.finding]


def places(error: TodoSqlError) -> list[Place]:
    """Return where the problems are."""
    return [finding.place for finding in findings(error) if finding.place]


def reason(error: TodoSqlError, file: str) -> str:
    """Return code and message of the first thing that is wrong with a file."""
    for finding in findings(error):
        if finding.place and finding.place.file == file:
            return f"{finding.code} {finding.message} (line {finding.place.line})"
    raise AssertionError(error)


def prove(root: Path, server: EmbeddedServer, database: str) -> Iterator[str]:
    """Yield what each command says of a migrated project, and what is wrong."""
    replay = {"TODO_SQL_REPLAY": os.environ.get("TODO_SQL_REPLAY", "owner")}
    ids = [migration.id for migration in load(root / "migrations", root).migrations]

    def run(*words: str, at: str = database) -> str:
        there = {"DATABASE_URL": server.url(at), "TODO_SQL_SCRATCH_URL": server.url("postgres")}
        ran = todo_sql(*words, cwd=root, **there, **replay)
        if ran.returncode > 1 and words[0] != "verify":
            raise AssertionError(f"{words} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    drifted = json.loads(run("drift", "--json"))["drift"]
    yield f"  drift: {len(drifted)}"
    yield from (f"    {one['object']}" for one in drifted)

    run("docs")
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        for name in ("copy", "before"):
            admin.execute(f"drop database if exists {database}_{name}".encode())
            admin.execute(f"create database {database}_{name}".encode())
    with (
        psycopg.connect(server.url(database), autocommit=True) as original,
        psycopg.connect(server.url(f"{database}_copy"), autocommit=True) as copy,
    ):
        copy.execute((root / "specs/database/schema.sql").read_bytes())
        wanted = take(original)
        differences = [str(one) for one in compare(wanted, take(copy))]
        tables = len(list(wanted.of("table")))
    yield f"  schema.sql: {tables} tables, {len(differences)} differences"
    yield from (f"    {one}" for one in differences)

    last = ids[-10:]
    if len(ids) > len(last):
        run("migrate", "--quiet", "--to", ids[-len(last) - 1], at=f"{database}_before")
    plan = json.loads(run("plan", "--json", at=f"{database}_before"))
    found = Counter(f"{one['code']} {one['severity']}" for one in plan["findings"])
    yield f"  plan: {len(plan['migrations'])} of {len(last)} migrations, {dict(found)}"
    wrong = [one for one in plan["findings"] if one["code"] in ("P101", "P113", "M333")]
    yield from (f"    {one['code']} {one['file']}: {one['message']}" for one in wrong)
    run("migrate", "--quiet", at=f"{database}_before")

    proofs = json.loads(run("verify", "--json"))["migrations"]
    yield f"  verify: {dict(Counter(one['outcome'] for one in proofs))}"
    yield from (
        f"    {one['outcome']} {one['id']}: {one['reason']}"
        for one in proofs
        if one["outcome"] not in ("reversible", "irreversible")
    )


def run(
    server: EmbeddedServer, database: str, source: Path, *, proving: bool
) -> tuple[Counter[str], list[str]]:
    """Apply what a folder holds; return counts, and a line for each that did not apply."""
    counts: Counter[str] = Counter()
    left_out = []
    url = server.url(database)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "pyproject.toml").write_text("[tool.todo-sql]\n")
        folder = root / "migrations"
        folder.mkdir()
        names = {}
        history = list(discover(source))
        history[:0] = [
            Found(f"ledger of {table}", text, None, True)
            for table, text in _LEDGERS.items()
            if any(table in found.up for found in history)
        ]
        for number, found in enumerate(history):
            id = write(folder, number, found)
            names[id] = found.name
            counts["files"] += 1 + (found.down is not None)
        while True:
            try:
                counts["applied"] += len(Migrator(url, load(folder, folder)).migrate())
                break
            except TodoSqlError as error:
                culprits = {place.file for place in places(error)}
                if not culprits:
                    raise
                for file in sorted(culprits):
                    id = file[: file.index(".")]
                    left_out.append(f"  {names[id]}: {reason(error, file)}")
                    if file.endswith(".rollback.sql"):
                        counts["rollbacks left out"] += 1
                        (folder / file).unlink()
                        forward = folder / f"{id}.sql"
                        forward.write_text("-- irreversible: left out\n" + forward.read_text())
                        continue
                    counts["left out"] += 1
                    for path in folder.glob(f"{id}.*"):
                        path.unlink()
                Migrator(url, load(folder, folder)).repair(confirm=lambda _: None)
        counts["applied"] = len(names) - counts["left out"]
        if proving:
            left_out += prove(root, server, database)
        while True:
            try:
                if not Migrator(url, load(folder, folder)).rollback():
                    break
                counts["rolled back"] += 1
            except TodoSqlError as error:
                left_out.append(f"  rollback stopped: {error.finding.message}")
                break
    return counts, left_out


def main() -> None:
    """Run each folder on a database of its own and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--prove", action="store_true", help="run the commands on the result")
    parser.add_argument("--before", default="", help="SQL to run in each database first")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    with (
        temporary_server(arguments.postgres) as server,
        psycopg.connect(server.url("postgres"), autocommit=True) as admin,
    ):
        for number, folder in enumerate(arguments.folders):
            admin.execute(f"create database real_{number}".encode())
            if arguments.before:
                url = server.url(f"real_{number}")
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(arguments.before.encode())
            counts, left_out = run(server, f"real_{number}", folder, proving=arguments.prove)
            total += counts
            print(f"{folder.name}: {dict(counts)}", *left_out, sep="\n", flush=True)
    print(f"in all: {dict(total)}")


if __name__ == "__main__":
    main()
