"""The versions of a sequence: between those around it, or what is pending after it moves on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migrations import write

from todo_sql.migrations.files.folder import load
from todo_sql.rewriting.numbering import NoRoom, Numbers

DAY = "202601310000"
# Versions, the one that is rewritten, into how many, its new ones, and who moves where.
ROOM = {
    "room after it": ([f"{DAY}00", f"{DAY}30"], 0, 3, [f"{DAY}00", f"{DAY}01", f"{DAY}02"], {}),
    "over a minute": ([f"{DAY}58"], 0, 3, [f"{DAY}58", f"{DAY}59", "20260131000100"], {}),
    "the last": ([1, 2], 1, 3, [2, 3, 4], {}),
    "room before it": ([1, 5, 6], 1, 3, [3, 4, 5], {}),
    "room on both sides": ([1, 3, 5], 1, 3, [2, 3, 4], {}),
    "one file needs none": ([1, 2, 3], 1, 1, [2], {}),
    "none: the next one moves": ([1, 2, 3, 9], 1, 3, [2, 3, 4], {3: 5}),
    "none: all move": ([1, 2, 3, 4, 5], 1, 3, [2, 3, 4], {3: 5, 4: 6, 5: 7}),
    "none: a gap ends it": ([1, 2, 3, 6, 7], 1, 3, [2, 3, 4], {3: 5}),
    "a gap that is too small": ([1, 2, 3, 5, 9], 1, 4, [2, 3, 4, 5], {3: 6, 5: 7}),
    "the first": ([0, 1], 0, 2, [0, 1], {1: 2}),
    "seconds that no clock has": (
        [f"{DAY}58", f"{DAY}59", f"{DAY}60", f"{DAY}61"],
        1,
        2,
        [f"{DAY}59", "20260131000100"],
        {f"{DAY}60": "20260131000101", f"{DAY}61": "20260131000102"},
    ),
}


def _numbers(folder: Path, versions: list[int | str], stay: int = 0) -> tuple[Numbers, list[str]]:
    ids = [f"{one!s:>014}_m{at}" for at, one in enumerate(versions)]
    for id in ids:
        write(folder, id, "select 1;")
    return Numbers(load(folder, folder), ids[stay:]), ids


@pytest.mark.parametrize(("versions", "at", "count", "wanted", "moved"), ROOM.values(), ids=ROOM)
def test_where_a_sequence_goes(
    versions: list[int | str],
    at: int,
    count: int,
    wanted: list[int | str],
    moved: dict[int | str, int | str],
    tmp_path: Path,
) -> None:
    """In order, no version twice, and nobody moves who need not."""
    numbers, ids = _numbers(tmp_path / "migrations", versions)
    original = load(tmp_path / "migrations").by_id[ids[at]]
    found, renumbered = numbers.place(original, ["a"] * count)
    assert [id[:14] for id in found] == [f"{one!s:>014}" for one in wanted]
    assert found[-1].endswith(f"_m{at}_{count}_a")
    assert {old[:14]: new[:14] for old, new in renumbered} == {
        f"{old!s:>014}": f"{new!s:>014}" for old, new in moved.items()
    }
    assert all(old[14:] == new[14:] for old, new in renumbered)


def test_several_sequences_stay_apart(tmp_path: Path) -> None:
    """Each is placed where those before it have left it."""
    folder = tmp_path / "migrations"
    numbers, ids = _numbers(folder, [1, 2, 3, 4])
    every = load(folder).by_id
    taken = {ids[0][:14]}
    last: dict[str, str] = {}
    for id in ids[1:3]:
        found, renumbered = numbers.place(every[id], ["a", "b", "c"])
        assert [one[:14] for one in found] == sorted(one[:14] for one in found)
        assert min(one[:14] for one in found) > max(taken)
        taken |= {one[:14] for one in found}
        last |= dict(renumbered)
    assert last[ids[3]][:14] > max(taken)


def test_what_was_applied_keeps_its_version(tmp_path: Path) -> None:
    """A sequence before it finds no room, and says who is in the way."""
    folder = tmp_path / "migrations"
    numbers, ids = _numbers(folder, [0, 1])
    pinned = Numbers(load(folder), ids[:1])
    assert numbers.place(load(folder).by_id[ids[0]], ["a", "b"])[1]
    with pytest.raises(NoRoom) as error:
        pinned.place(load(folder).by_id[ids[0]], ["a", "b"])
    assert str(error.value) == ids[1]
