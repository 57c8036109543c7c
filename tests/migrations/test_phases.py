"""Expand before the release, contract after it: what runs when, and what waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commands import todo_sql
from support.migrations import Recorder, applied, fetch, migrator, write

from todo_sql.errors import FindingsError
from todo_sql.migrations.files.directives import Phase
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.ledger import Ledger, Recorded
from todo_sql.migrations.migration_errors import LedgerMismatch, PlanError
from todo_sql.migrations.pending import compare, pending

CONTRACT = "-- phase: contract\n"
NEW_YEAR = datetime(2026, 1, 1)


def id_of(name: str) -> str:
    """Return the id of a migration called such as ``e1`` or ``c2``."""
    return f"202601{int(name[1:]):02}000000_{name}"


def folder_of(folder: Path, *names: str) -> Path:
    """Write migrations: ``e`` expands, ``c`` contracts, ``e3<c2`` depends on another."""
    for said in names:
        name, _, on = said.partition("<")
        head = CONTRACT if name.startswith("c") else ""
        head += "".join(f"-- depends: {id_of(one)}\n" for one in on.split(",") if one)
        write(
            folder, id_of(name), f"{head}create table {name} (id int);\n", f"drop table {name};\n"
        )
    return folder


def ledger_of(*names: str) -> Ledger:
    """Return a ledger in which migrations were applied in an order, a day apart."""
    recorded = (
        Recorded(id_of(name), NEW_YEAR + timedelta(days=day)) for day, name in enumerate(names)
    )
    return Ledger(tuple(recorded), complete=True, extended=True)


STATES = [
    ("e1 c2", "", "pending pending"),
    ("e1 c2", "e1", "applied waiting"),
    ("e1 c2 e3", "e1", "applied waiting pending"),
    ("e1 c2 e3", "e1 e3", "applied waiting applied"),
    ("e1 e2 c3", "e1", "applied pending pending"),
    ("e1 c2 e3<c2", "e1", "applied waiting waiting"),
    ("e1 c2 e3<c2 e4", "e1 e4", "applied waiting waiting applied"),
    ("e1 c2 e3<c2 e4<e3", "e1", "applied waiting waiting waiting"),
    ("e1 c2 e3<c2 e4", "e1 e4 c2", "applied applied pending applied"),
    ("e1 e2 e3", "e1 e3", "applied out_of_order applied"),
    ("e1 c2 c3", "e1 c3", "applied out_of_order applied"),
    ("e1 c2 e3 c4", "e1 e3", "applied waiting applied waiting"),
    ("c1 e2", "", "pending pending"),
    ("c1 e2", "e2", "waiting applied"),
]


@pytest.mark.parametrize(("files", "done", "states"), STATES)
def test_states(tmp_path: Path, files: str, done: str, states: str) -> None:
    """What is left out for a release waits; it is not out of order."""
    entries = compare(load(folder_of(tmp_path, *files.split())), ledger_of(*done.split()))
    assert [entry.state.value for entry in entries] == states.split()
    for entry in entries:
        assert (entry.since is not None) == (entry.state == "waiting")


def test_since_when_it_waits(tmp_path: Path) -> None:
    """Since the last file before it, or else the first behind it."""
    found = compare(load(folder_of(tmp_path, "c1", "e2", "e3", "c4")), ledger_of("e2", "e3"))
    assert [entry.since for entry in found if entry.since] == [
        NEW_YEAR,
        NEW_YEAR + timedelta(days=1),
    ]


RUNS = [
    ("e1 c2 e3", "", None, "e1 c2 e3"),
    ("e1 c2 e3", "", "expand", "e1 e3"),
    ("e1 c2 e3", "", "contract", None),
    ("e1 c2 e3", "e1 e3", None, "c2"),
    ("e1 c2 e3", "e1 e3", "expand", ""),
    ("e1 c2 e3", "e1 e3", "contract", "c2"),
    ("e1 c2 e3<c2 e4<e3 e5", "", "expand", "e1 e5"),
    ("e1 c2 e3<c2 e4<e3 e5", "e1 e5", "contract", "c2 e3 e4"),
    ("e1 c2 e3<c2 c4", "e1", "contract", "c2 e3 c4"),
    ("e1 c2<e3 e3", "", "expand", "e1 e3"),
    ("e1 c2<e3 e3", "e1 e3", "contract", "c2"),
    ("e1 c2", "e1 c2", "contract", ""),
]


@pytest.mark.parametrize(("files", "done", "phase", "expected"), RUNS)
def test_what_runs_in_a_phase(
    tmp_path: Path, files: str, done: str, phase: Phase | None, expected: str | None
) -> None:
    """Expand leaves the others out, contract is refused while one of expand is pending."""
    migrations, ledger = load(folder_of(tmp_path, *files.split())), ledger_of(*done.split())
    if expected is None:
        with pytest.raises(PlanError) as refused:
            pending(migrations, ledger, phase=phase)
        assert refused.value.finding.code == "M217"
        return
    todo = pending(migrations, ledger, phase=phase)
    assert [migration.description for migration in todo] == expected.split()


def test_what_is_late_is_still_out_of_order(tmp_path: Path) -> None:
    """A new expand file before an applied one, whatever waits."""
    with pytest.raises(LedgerMismatch):
        pending(load(folder_of(tmp_path, "e1", "c2", "e3", "e4")), ledger_of("e1", "e4"))


def test_only_the_phase_to_an_id_counts(tmp_path: Path) -> None:
    """With `--to`, an expand file behind it does not hold the contract phase up."""
    migrations = load(folder_of(tmp_path, "e1", "c2", "e3"))
    todo = pending(migrations, ledger_of("e1"), to=id_of("c2"), phase="contract")
    assert [migration.id for migration in todo] == [id_of("c2")]


def test_a_rollback_has_no_phase(tmp_path: Path) -> None:
    """It undoes what was applied."""
    write(tmp_path, id_of("e1"), "select 1;\n", CONTRACT + "select 1;\n")
    with pytest.raises(FindingsError) as refused:
        load(tmp_path)
    assert [one.code for one in refused.value.findings] == ["M106"]


@pytest.mark.database
def test_two_phases_and_back(empty_database: str, tmp_path: Path) -> None:
    """Expand, release, contract; who waits with whom is told; the newest applied goes first."""
    folder_of(tmp_path, "e1", "c2", "e3<c2", "e4")
    events = Recorder()
    migrations = migrator(empty_database, tmp_path, events)
    migrations.migrate(phase="expand")
    assert applied(empty_database) == [id_of("e1"), id_of("e4")]
    assert any(id_of("e3") in note and id_of("c2") in note for note in events.notes)
    assert migrations.migrate(phase="expand") == []
    migrations.migrate(phase="contract")
    order = "select migration_id from _yoyo_migration order by applied_at_utc"
    assert fetch(empty_database, order) == [id_of(name) for name in ("e1", "e4", "c2", "e3")]
    assert [one.id for one in migrations.rollback(steps=3)] == [
        id_of(name) for name in ("e3", "c2", "e4")
    ]


@pytest.mark.database
def test_the_command(empty_database: str, tmp_path: Path) -> None:
    """`--phase`, `--check --phase`, and the waiting files of `status` with their age."""
    folder_of(tmp_path / "migrations", "e1", "c2")

    def run(*words: str) -> tuple[int, str]:
        answer = todo_sql(*words, cwd=tmp_path, DATABASE_URL=empty_database)
        return answer.returncode, answer.stdout + answer.stderr

    assert run("migrate", "--check", "--phase", "expand")[0] == 1
    code, said = run("migrate", "--phase", "contract")
    assert code == 2 and "M217" in said and id_of("e1") in said
    assert run("migrate", "--phase", "expand")[0] == 0
    assert run("migrate", "--check", "--phase", "expand")[0] == 0
    assert run("migrate", "--check", "--phase", "contract")[0] == 1
    assert run("migrate", "--check")[0] == 1
    code, said = run("status")
    assert code == 0 and "waiting" in said and "has waited" in said and "1 waiting" in said
    code, said = run("status", "--json")
    assert '"waiting_since"' in said and f'"{datetime.now(UTC):%Y}' in said
    code, said = run("migrate", "--dry-run", "--phase", "contract")
    assert code == 0 and "create table c2" in said and "create table e1" not in said
    assert run("migrate", "--phase", "contract")[0] == 0
    assert run("migrate", "--check")[0] == 0
    assert run("migrate", "--phase", "later")[0] == 2
