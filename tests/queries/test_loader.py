"""Files and folders of queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.errors import UsageError
from todo_sql.queries.loader import load_folder, load_text, read_folder
from todo_sql.queries.query_errors import QueryFileError
from todo_sql.sql.source import Source

ROOT = Path(__file__).parent.parent.parent


def test_a_folder(tmp_path: Path) -> None:
    """Every .sql file below it is read, in order; a BOM, CRLF and an empty file do no harm."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.sql").write_bytes(b"\xef\xbb\xbf-- name: b :one\r\nselect 'x\xc3\xbc';\r\n")
    (tmp_path / "sub" / "a.sql").write_text("-- only words\n\n-- name: a :one\nselect 1")
    (tmp_path / "empty.sql").write_text("")
    (tmp_path / "notes.txt").write_text("no query")
    queries = load_folder(tmp_path, tmp_path)
    assert list(queries) == ["b", "a"]
    assert [source.file for source in queries.files] == ["b.sql", "empty.sql", "sub/a.sql"]
    assert queries["b"].text == "select 'xü'"
    assert str(queries["a"].place()) == "sub/a.sql:3:10"


def test_names_are_unique_over_files(tmp_path: Path) -> None:
    """A name used twice is an error that names both places."""
    (tmp_path / "a.sql").write_text("-- name: q :one\nselect 1")
    (tmp_path / "b.sql").write_text("\n-- name: q :one\nselect 2")
    with pytest.raises(QueryFileError) as caught:
        load_folder(tmp_path, tmp_path)
    (finding,) = caught.value.findings
    assert (finding.code, str(finding.place)) == ("Q106", "b.sql:2:10")
    assert finding.cause == "the first one stands at a.sql:1:10"


def test_mistakes_of_all_files(tmp_path: Path) -> None:
    """All of them at once, and the sound queries beside them."""
    (tmp_path / "a.sql").write_text("-- name: p :one\nselect 1; select 2")
    (tmp_path / "b.sql").write_text("-- name: q :oen\nselect 2;\n-- name: r :one\nselect 3")
    found = read_folder(tmp_path, tmp_path)
    assert [str(finding.place) for finding in found.findings] == ["a.sql:2:11", "b.sql:1:12"]
    assert list(found) == ["r"]
    with pytest.raises(QueryFileError) as caught:
        load_folder(tmp_path, tmp_path)
    assert "2 problems in the query files" in str(caught.value)
    assert "a.sql:2:11: two statements in one query" in str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(UsageError, match="there is no folder"):
        load_folder(tmp_path / "nowhere")


def test_not_utf8(tmp_path: Path) -> None:
    """A byte that is not UTF-8 has a place, and does not hide the other files."""
    (tmp_path / "a.sql").write_bytes(b"-- name: q :one\nselect '\xff'")
    (tmp_path / "b.sql").write_text("-- name: r :one\nselect 1")
    found = read_folder(tmp_path, tmp_path)
    assert [str(finding.place) for finding in found.findings] == ["a.sql:2:9"]
    assert list(found) == ["r"]
    with pytest.raises(UsageError):
        Source.read(tmp_path / "a.sql")


def test_the_queries_of_the_project() -> None:
    """They load without a mistake."""
    assert load_folder(ROOT / "queries", ROOT)


def test_an_open_quote_does_not_hide_the_rest() -> None:
    """Reading goes on at the next header."""
    text = (
        "-- name: a :one\nselect 'open\n\n"
        "-- name: b :one\nselect 'it''s'\n"
        "-- name: c :oen\nselect 1"
    )
    with pytest.raises(QueryFileError) as caught:
        load_text(Source("q.sql", text))
    codes = [(f.code, str(f.place)) for f in caught.value.findings]
    assert codes == [("S102", "q.sql:2:8"), ("Q104", "q.sql:6:12")]
