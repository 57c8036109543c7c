"""`baseline` on databases that something else made: a restored dump, plain yoyo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.commands import called
from support.database import Server
from support.migrations import fetch, migrator
from support.plain_yoyo import yoyo

from todo_sql.embedded.programs import binaries
from todo_sql.migrations import migrate
from todo_sql.migrations.pending import State

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
TODO = ROOT / "migrations"
LEDGER = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_todo_sql_ledger")


def baseline(server: Server, url: str, id: str) -> Any:
    """Adopt the database as the Todo project's; return the JSON document."""
    variables = {"DATABASE_URL": url, "TODO_SQL_SCRATCH_URL": server.url()}
    code, out, _ = called(["baseline", id, "--json"], ROOT, variables)
    assert code == 0
    return json.loads(out)


def program(*words: str | Path) -> None:
    """Run one of PostgreSQL's programs."""
    result = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_restored_dump_is_adopted(
    server: Server, todo_database: str, empty_database: str, tmp_path: Path
) -> None:
    """pg_dump's spelling of the schema is the migrations' own."""
    programs = binaries(server.version)
    without = [f"--exclude-table=*.{name}" for name in LEDGER]
    dump = tmp_path / "dump.sql"
    program(programs / "pg_dump", "-d", todo_database, *without, "-f", dump)
    program(
        programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", empty_database, "-f", dump
    )
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]
    ids = fetch(todo_database, "select migration_id from _yoyo_migration order by migration_id")
    assert baseline(server, empty_database, ids[-1]) == {"recorded": ids}
    assert migrate(empty_database, TODO) == []
    states = {entry.state for entry in migrator(empty_database, TODO).status().entries}
    assert states == {State.APPLIED}


def test_a_database_made_by_plain_yoyo_is_adopted(server: Server, empty_database: str) -> None:
    """Its rows stay, and get the checksums of the files."""
    yoyo(empty_database, TODO, "apply")
    made = fetch(empty_database, "select migration_id from _yoyo_migration order by 1")
    last = made[-1]
    assert baseline(server, empty_database, last) == {"recorded": made}
    assert migrate(empty_database, TODO) == []
    entries = migrator(empty_database, TODO).status().entries
    assert all(entry.recorded and entry.recorded.checksum for entry in entries)
