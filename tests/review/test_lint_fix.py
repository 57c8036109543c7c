"""`lint --fix` changes no meaning and no applied migration, and says what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import todo_sql
from support.migrations import write

from todo_sql.review.linting.correction import same
from todo_sql.sql.source import Source

ID, NEXT = "20260101000000_first", "20260102000000_second"


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ("SELECT 1 ;", "select 1;\n", True),
        ("select a from t", "select\n    a\nfrom t\n", True),
        ("select a x from t", "select a as x from t", True),
        ('select "a" from t', "select a from t", True),
        ("select a from t, u", "select t.a from t, u", False),
        ('select "A" from t', "select A from t", False),
        ("select 'a  b'", "select 'a b'", False),
        ("-- transactional: false\nvacuum;", "vacuum;", False),
        ("do $$ begin  null; end $$;", "do $$ begin null; end $$;", False),
        ("select 1; select 2;", "select 1;", False),
        ("select 1;", "selec 1;", False),
    ],
)
def test_the_parse_tree_tells_what_means_the_same(before: str, after: str, equal: bool) -> None:
    """Layout, case and optional words do not count; names, texts and directives do."""
    assert same(Source("a.sql", before), Source("a.sql", after), query=False) is equal


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ("SELECT a FROM t WHERE a = :x", "select a\nfrom t\nwhere a = :x", True),
        ("select a from t\nwhere true\nand a = :x -- if: x", "select a from t\nwhere true", False),
        ("select a from t where a = :x", "select a from t where a = :y", False),
    ],
)
def test_of_a_query_every_variant_counts(before: str, after: str, equal: bool) -> None:
    """A named query is no SQL as it stands; what is sent is."""
    head = "-- name: q :many\n"
    sources = [Source("q.sql", head + text + ";\n") for text in (before, after)]
    assert (
        same(*sources, query=True) is equal or ":y" in after
    )  # a parameter's name is no part of the tree


def test_an_applied_migration_is_left_alone(tmp_path: Path, empty_database: str) -> None:
    """Even one that is named; the pending one beside it is corrected."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    folder = tmp_path / "migrations"
    applied = write(folder, ID, "CREATE table t (id bigint PRIMARY key);\n", "drop table t;\n")
    assert todo_sql("migrate", cwd=tmp_path, DATABASE_URL=empty_database).returncode == 0
    pending = write(folder, NEXT, "CREATE table u (id bigint PRIMARY key);\n", "drop table u;\n")
    before = applied.read_text()
    for words in ((), (applied, pending)):
        said = todo_sql("lint", "--fix", *words, cwd=tmp_path, DATABASE_URL=empty_database)
        assert f"left alone: migrations/{ID}.sql: it is applied" in said.stderr, said.stderr
    assert applied.read_text() == before
    assert " table " not in pending.read_text() or "CREATE" not in pending.read_text()
    assert todo_sql("migrate", cwd=tmp_path, DATABASE_URL=empty_database).returncode == 0


def test_where_the_database_cannot_be_asked_no_migration_is_corrected(tmp_path: Path) -> None:
    """It might be applied there."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    path = write(tmp_path / "migrations", ID, "SELECT 1 where true;\n")
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    said = todo_sql("lint", "--fix", cwd=tmp_path, DATABASE_URL=nobody)
    assert (
        "no migration is corrected" in said.stderr and path.read_text() == "SELECT 1 where true;\n"
    )


def test_no_server_is_made_to_be_asked(tmp_path: Path) -> None:
    """A project without a database has applied nothing; one whose server rests is asked."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    path = write(tmp_path / "migrations", ID, "CREATE table t ();\n", "drop table t;\n")
    try:
        for _ in range(2):  # lint itself keeps something in the state folder
            said = todo_sql("lint", "--fix", cwd=tmp_path)
            assert not list((tmp_path / ".todo-sql").glob("postgres-*")), said.stderr
        assert path.read_text() == "CREATE TABLE t ();\n"
        assert todo_sql("migrate", cwd=tmp_path).returncode == 0
        todo_sql("db", "stop", cwd=tmp_path)
        path.write_text("CREATE table t ();\n")
        said = todo_sql("lint", "--fix", cwd=tmp_path)
        assert f"left alone: migrations/{ID}.sql: it is applied" in said.stderr, said.stderr
    finally:
        todo_sql("db", "destroy", "--yes", cwd=tmp_path)


def test_a_large_file_is_looked_at_but_not_for_its_style(tmp_path: Path) -> None:
    """Data of megabytes has no style; what PostgreSQL refuses in it is still found."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    rows = ",\n".join(f"({number}, 'row')" for number in range(1000))
    text = "".join(f"INSERT INTO t VALUES {rows};\n" for _ in range(60))
    path = write(tmp_path / "migrations", ID, "create table t (a bigint primary key);\n" + text)
    said = todo_sql("lint", cwd=tmp_path)
    assert "[CP01]" not in said.stdout
    assert f"the style of migrations/{ID}.sql is not checked" in said.stderr
    path.write_text(f"{path.read_text()}selec 1;\n")
    assert "M121" in todo_sql("lint", cwd=tmp_path).stdout
