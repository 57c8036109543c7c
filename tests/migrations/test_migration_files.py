"""Migration files: names, pairs, directives, order; everything is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migrations import three_tables, write

from todo_sql.errors import ConfigError, Finding
from todo_sql.migrations.files.folder import load, topological
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.files.statements import check
from todo_sql.migrations.migration_errors import InvalidFiles

ID = "20260101000000_first"


def problems(folder: Path) -> list[Finding]:
    """Return what loading and checking a folder complains about."""
    with pytest.raises(InvalidFiles) as caught:
        check(load(folder, folder))
    return caught.value.findings


def one(folder: Path) -> Finding:
    """Return the only complaint."""
    found = problems(folder)
    assert len(found) == 1, found
    return found[0]


def forward(folder: Path) -> Script:
    """Return the script of the only migration."""
    (migration,) = load(folder, folder)
    return migration.forward


def test_loads_pairs_in_order(tmp_path: Path) -> None:
    """Migrations come in the order of their versions, each with its rollback."""
    migrations = three_tables(tmp_path / "m")
    assert [m.description for m in migrations] == ["create a", "create b", "create c"]
    assert all(m.rollback for m in migrations)


def test_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder that is not there is said, with how to name another."""
    with pytest.raises(ConfigError, match="no folder"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name",
    (
        "first.sql",
        "2026_first.sql",
        "20260101000000.sql",
        "20260101000000_.sql",
        "20260101000000_first.SQL",
        "20260101000000_a b.sql",
        "20260101000000_a.b.sql",
        "x.rollback.sql",
    ),
)
def test_a_name_that_is_no_version_is_refused(tmp_path: Path, name: str) -> None:
    """A file's name must be a version and a description."""
    (tmp_path / name).write_text("select 1;")
    finding = one(tmp_path)
    assert finding.code == "M101"
    assert finding.place and finding.place.file == name


def test_a_migration_in_python_is_refused(tmp_path: Path) -> None:
    """yoyo knows migrations in Python; one is never skipped in silence."""
    (tmp_path / f"{ID}.py").write_text("steps = []")
    assert "Python" in one(tmp_path).message


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A README, an editor's backup and a hidden file are no migrations."""
    for name in ("README.md", f"{ID}.sql~", f".{ID}.sql", f"{ID}.sql.orig"):
        (tmp_path / name).write_text("nonsense")
    assert len(load(tmp_path)) == 0


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    """Each version is one migration's."""
    write(tmp_path, "20260101000000_a", "select 1;")
    write(tmp_path, "20260101000000_b", "select 1;")
    assert "taken by 20260101000000_a" in one(tmp_path).message


def test_a_missing_rollback_is_refused(tmp_path: Path) -> None:
    """A rollback file is there, or the file says why not."""
    write(tmp_path, ID, "select 1;", None)
    finding = one(tmp_path)
    assert finding.code == "M104"
    assert "irreversible" in (finding.fix or "")


def test_an_irreversible_migration_needs_no_rollback(tmp_path: Path) -> None:
    """The reason stands in the file."""
    write(tmp_path, ID, "-- irreversible: the data is gone\nselect 1;", None)
    assert forward(tmp_path).directives.irreversible == "the data is gone"


def test_irreversible_with_a_rollback_is_a_contradiction(tmp_path: Path) -> None:
    """One of the two is wrong."""
    write(tmp_path, ID, "-- irreversible: gone\nselect 1;", "select 1;")
    assert one(tmp_path).code == "M105"


def test_a_rollback_without_its_migration_is_refused(tmp_path: Path) -> None:
    """An orphan is named."""
    (tmp_path / f"{ID}.rollback.sql").write_text("select 1;")
    assert one(tmp_path).code == "M103"


def test_a_byte_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """The place of the byte is told."""
    write(tmp_path, ID, "select 1;")
    (tmp_path / f"{ID}.sql").write_bytes(b"select 1;\n-- caf\xe9\nselect 2;")
    finding = one(tmp_path)
    assert finding.place and (finding.place.line, finding.place.column) == (2, 7)


@pytest.mark.parametrize("rollback", [False, True])
def test_a_character_that_would_end_the_text_is_refused(tmp_path: Path, rollback: bool) -> None:
    """The grammar would read up to it, and the rest would count as run."""
    write(tmp_path, ID, "select 1;")
    name = f"{ID}.rollback.sql" if rollback else f"{ID}.sql"
    (tmp_path / name).write_bytes(b"create table a ();\n\0create table b ();")
    finding = one(tmp_path)
    assert (finding.code, finding.message) == ("S102", "a text cannot hold the character U+0000")
    assert finding.place and (finding.place.line, finding.place.column) == (2, 1)


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """One run shows them all."""
    write(tmp_path, "20260101000000_a", "select 1;", None)
    write(tmp_path, "20260102000000_b", "-- nonsense: 1\nselect 1;")
    (tmp_path / "wrong.sql").write_text("")
    assert len(problems(tmp_path)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "-- transactional: false\nvacuum;",
        "\ufeff-- transactional: false\nvacuum;",
        "/* why: /* nested */\n depends: x */\n-- transactional: false\nvacuum;",
        "-- Why: because.\r\n\r\n--transactional:FALSE\r\nvacuum;",
        "\n\n  --   transactional :  false\nvacuum;",
    ],
    ids=["plain", "byte order mark", "block comment", "crlf", "white space"],
)
def test_a_directive_is_found_anywhere_in_the_leading_comments(tmp_path: Path, text: str) -> None:
    """After a BOM, after a block comment, with CRLF."""
    write(tmp_path, ID, "")
    (tmp_path / f"{ID}.sql").write_bytes(text.encode())
    assert forward(tmp_path).directives.transactional is False
    check(load(tmp_path))


def test_a_comment_after_the_first_statement_is_no_directive(tmp_path: Path) -> None:
    """Only leading comments hold directives; `check` refuses what looks like one later."""
    write(tmp_path, ID, "select 1;\n-- transactional: false\n-- nonsense: 1\n")
    assert forward(tmp_path).directives.transactional


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("transactionl: false", "transactional"),
        ("lock_timeout: 2s", "lock-timeout"),
        ("Transactional: false", "transactional"),
        ("frobnicate: yes", "use one of"),
        ("transactional: no", "true or false"),
        ("lock-timeout: 2", "500ms"),
        ("lock-timeout: 0", "acceptable"),
        ("max-lock-hold: soon", "500ms"),
        ("irreversible:", "reason"),
        ("allow: rule", "RULE reason"),
    ],
)
def test_a_wrong_directive_is_refused_with_its_place(tmp_path: Path, line: str, hint: str) -> None:
    """A typing error never passes for a comment."""
    write(tmp_path, ID, f"-- Why: a test.\n-- {line}\nselect 1;")
    finding = problems(tmp_path)[0]
    assert finding.code == "M111"
    assert finding.place and finding.place.line == 2 and finding.place.column == 4
    assert hint in (finding.fix or "")


def test_a_directive_twice_is_refused(tmp_path: Path) -> None:
    """Which one counts would be a guess."""
    write(tmp_path, ID, "-- lock-timeout: 1s\n-- lock-timeout: 2s\nselect 1;")
    assert "twice" in one(tmp_path).message


def test_prose_with_a_colon_is_no_directive(tmp_path: Path) -> None:
    """Sentences, notes and links are left alone."""
    write(
        tmp_path,
        ID,
        """\
        -- Why: x
        -- note: y
        -- see https://example.org
        -- migrate:up
        -- one thing: two. To get a uniform distribution we use rejection
        -- sampling: the largest multiple that fits,
        -- thus: this one.
        -- author: jane
        -- ticket: ABC-1
        -- reverse: create index "orders_idx" to table: "orders"
        select 1;
        """,
    )
    check(load(tmp_path))


def test_directives_are_read(tmp_path: Path) -> None:
    """All of them, with their units."""
    write(
        tmp_path,
        ID,
        """\
        -- lock-timeout: 500ms
        -- max-lock-hold: 1.5s
        -- statement-timeout: 2min
        -- allow: ban-drop-column the column was never used
        select 1;
        """,
    )
    found = forward(tmp_path).directives
    assert (found.lock_timeout, found.max_lock_hold, found.statement_timeout) == (0.5, 1.5, 120)
    assert found.allow == {"ban-drop-column": "the column was never used"}


def test_depends_orders_migrations(tmp_path: Path) -> None:
    """A migration comes after those that it depends on, whatever its version."""
    write(tmp_path, "20260101000000_a", "-- depends: 20260103000000_c\nselect 1;")
    write(tmp_path, "20260102000000_b", "select 1;")
    write(tmp_path, "20260103000000_c", "select 1;")
    assert [m.description for m in load(tmp_path)] == ["b", "c", "a"]


def test_depends_on_nothing_is_refused(tmp_path: Path) -> None:
    """The place of the directive is told."""
    write(tmp_path, ID, "-- depends: 20250101000000_x\nselect 1;")
    finding = one(tmp_path)
    assert finding.code == "M108" and finding.place and finding.place.line == 1


def test_a_circle_is_refused(tmp_path: Path) -> None:
    """Migrations that depend on each other are named."""
    write(tmp_path, "20260101000000_a", "-- depends: 20260102000000_b\nselect 1;")
    write(tmp_path, "20260102000000_b", "-- depends: 20260101000000_a\nselect 1;")
    assert "depend on each other" in one(tmp_path).message


def test_the_order_is_that_of_yoyo() -> None:
    """Random graphs are sorted as yoyo sorts them."""
    import random

    from yoyo.topologicalsort import topological_sort

    chance = random.Random(1)
    for _ in range(200):
        names = [f"{n:02}" for n in range(chance.randint(1, 12))]
        order = chance.sample(names, len(names))
        depends = {
            name: {other for other in order[:index] if chance.random() < 0.2}
            for index, name in enumerate(order)
        }
        assert topological(names, depends) == list(topological_sort(names, depends))


def test_checksums_do_not_depend_on_line_endings(tmp_path: Path) -> None:
    """Nor on a byte order mark; git may change both."""
    sums = set()
    for text in (
        b"select 1;\nselect 2;\n",
        b"select 1;\r\nselect 2;\r\n",
        b"\xef\xbb\xbfselect 1;\nselect 2;\n",
    ):
        write(tmp_path, ID, "")
        (tmp_path / f"{ID}.sql").write_bytes(text)
        sums.add(forward(tmp_path).checksum)
    assert len(sums) == 1


def test_sub_folders_are_read(tmp_path: Path) -> None:
    """Pairs in any of them, in the order of their versions, which are unique over all."""
    (tmp_path / "2025").mkdir()
    (tmp_path / "2026" / "q1").mkdir(parents=True)
    write(tmp_path / "2026" / "q1", "20260101000000_c", "select 3;")
    write(tmp_path / "2025", "20250101000000_a", "select 1;")
    write(tmp_path, "20250601000000_b", "select 2;")
    for other in ("repeatable", "hooks", ".hidden"):
        write(tmp_path / other, "20240101000000_no", "select 0;")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "scratch.sql").write_text("no migration")
    found = load(tmp_path, tmp_path)
    assert [one.id for one in found] == [
        "20250101000000_a",
        "20250601000000_b",
        "20260101000000_c",
    ]
    assert found.migrations[2].forward.source.file == "2026/q1/20260101000000_c.sql"
    assert all(one.rollback for one in found)
    write(tmp_path / "2025", "20260101000000_d", "select 4;")
    (tmp_path / "2025" / "odd.sql").write_text("select 5;")
    with pytest.raises(InvalidFiles) as caught:
        load(tmp_path, tmp_path)
    assert sorted(finding.code for finding in caught.value.findings) == ["M101", "M107"]
