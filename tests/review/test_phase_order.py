"""Whether the phases make what the order of the ids makes, and which pair of files is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.migrations import write
from support.random_phases import agreed

from todo_sql.migrations.files.folder import load
from todo_sql.review.phase_order import PHASES, differing
from todo_sql.review.verify import verify

pytestmark = pytest.mark.database

Scratch = Callable[[], AbstractContextManager[str]]


def id_of(number: int) -> str:
    """Return the id of a step."""
    return f"202601{number:02}000000_step"


TABLE = "create table t (id int primary key, a int);"
PAIRS = [
    # what each file does (c: contract), the two whose order matters or None
    (["c: alter table t drop column a", "alter table t add column a text"], (2, 3)),
    (["c: alter table t drop column a", "create table u (id int)"], None),
    (
        [
            "create table u (id int)",
            "c: alter table t rename column a to b",
            "create table v (id int)",
            "alter table t add column c int",
            "create index i on t (b)",
        ],
        (3, 6),
    ),
    (
        [
            "c: alter table t alter column a type text",
            "c: alter table t add constraint k check (id > 0)",
            "create view v as select a from t",
        ],
        (2, 4),
    ),
    (["c: alter table t drop column a", "-- depends: 2\nalter table t add column a text"], None),
    (["c: alter table t add column z int", "alter table t add column y int"], (2, 3)),
]


@pytest.mark.parametrize(("steps", "pair"), PAIRS)
def test_the_pair_is_named(
    scratch: Scratch, tmp_path: Path, steps: list[str], pair: tuple[int, int] | None
) -> None:
    """Of many files, the two whose order matters."""
    write(tmp_path, id_of(1), TABLE)
    for number, step in enumerate(steps, 2):
        text = step.replace("depends: 2", f"depends: {id_of(2)}")
        head = "-- phase: contract\n" if text.startswith("c: ") else ""
        write(tmp_path, id_of(number), f"{head}{text.removeprefix('c: ')};\n")
    findings = differing(scratch, load(tmp_path, tmp_path))
    if pair is None:
        assert not findings
        return
    assert findings is not None
    (found,) = findings
    assert found.code == "R908"
    assert found.message.startswith(f"{id_of(pair[0])} comes before {id_of(pair[1])} by id")
    assert found.place is not None and id_of(pair[0]) in found.place.file


@pytest.mark.parametrize("seed", range(5))
def test_what_is_said_of_random_histories_happens(
    scratch: Scratch, tmp_path: Path, seed: int
) -> None:
    """The long form is ``tests/soak_migrations.py phases``."""
    agreed(scratch, tmp_path, seed)


def test_verify_tells_of_the_phases(scratch: Scratch, tmp_path: Path) -> None:
    """Beside what it proves of each file; nothing where no file contracts."""
    write(tmp_path, id_of(1), TABLE, "drop table t;")
    assert [proof.id for proof in verify(scratch, load(tmp_path, tmp_path))] == [id_of(1)]
    head = "-- phase: contract\n-- irreversible: gone\n"
    write(tmp_path, id_of(2), f"{head}alter table t drop column a;", None)
    write(tmp_path, id_of(3), "create table u (id int);", "drop table u;")
    *_, last = verify(scratch, load(tmp_path, tmp_path))
    assert (last.id, last.outcome) == (PHASES, "ordered")
    write(tmp_path, id_of(4), "alter table t add column a int;", "alter table t drop column a;")
    *_, last = verify(scratch, load(tmp_path, tmp_path))
    assert (last.outcome, last.findings[0].code) == ("different", "R908")
