"""Files that lie outside the project's folders are reviewed where they are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from todo_sql.cli.app import main
from todo_sql.errors import ExitCode

SOUND = "select\n    1 as one,\n    2 as two;\n"
QUERY = (
    "-- name: count_notes :one\nselect count(*) as notes\nfrom public.notes\nwhere id > :least;\n"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without migrations and queries, with the style of a project that has none."""
    root = tmp_path / "project"
    for name in ("migrations", "queries", "tools", "made"):
        (root / name).mkdir(parents=True)
    section = '[tool.todo-sql]\ngenerate = "made"\n'
    (root / "pyproject.toml").write_text(section, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


def found(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Run lint; return its exit code and its findings."""
    exit_code = main(["lint", "--format", "json", *words])
    printed = capsys.readouterr().out
    return exit_code, json.loads(printed)["findings"] if "findings" in printed else []


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (SOUND, None, 0),
        ("", None, 0),
        ("-- Nothing but words.\n", None, 0),
        (QUERY, None, 0),
        (QUERY + QUERY.replace("count_notes", "again"), None, 0),
        ("select 1 as one,\n    2 as two from;\n", "M121", 2),
        ("select 1 AS one;\n", "CP01", 1),
        ("copy public.notes from stdin;\n1\n\\.\n", None, 0),
        ("\\echo hello\nselect 1;\n", "M122", 1),
        ("-- name: broken :one\nselect count(*) as notes\nfrom where;\n", "C101", 2),
        ("-- name: odd :several\nselect 1 as one;\n", "Q104", 1),
        (QUERY + QUERY, "Q106", 5),
        (QUERY.replace("where id", "WHERE id"), "CP01", 4),
        ("-- name: all :exec\ndelete from public.notes;\n", "R401", 2),
        ("delete from public.notes;\n", "R401", 1),
    ],
)
@pytest.mark.parametrize("place", ["tools/one.sql", "../beside.sql", "migrations/old/one.sql"])
def test_a_file_is_reviewed_where_it_lies(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    code: str | None,
    line: int,
    place: str,
) -> None:
    """Grammar and style of plain SQL; with headers, the mistakes of query files as well."""
    path = project / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    exit_code, findings = found(capsys, place)
    serious = [one for one in findings if one["severity"] != "info" and one["code"] != "PRS"]
    assert exit_code == (ExitCode.OK if code is None else ExitCode.FINDINGS)
    if code is None:
        assert findings == []
    else:
        assert (code, line) in [(one["code"], one["line"]) for one in serious]


def test_a_folder_without_what_is_generated(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder stands for the files below it, but for generated and hidden ones."""
    for name in ("tools/one.sql", "made/one.sql", ".cache/one.sql", "tools/deep/two.sql"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("select 1 AS one;\n", encoding="utf-8")
    exit_code, findings = found(capsys, ".")
    assert exit_code == ExitCode.FINDINGS
    files = {one["file"] for one in findings}
    assert len(findings) == 1 and files == {"tools/deep/two.sql"}
    assert "tools/one.sql:1" in findings[0]["cause"]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("tools/notes.txt", b"select 1;\n", "tools/notes.txt is no .sql file"),
        ("tools/odd.sql", b"select '\xff';\n", "not UTF-8"),
        ("tools/odd.sql", b"select 1;\0", "U+0000"),
        ("tools/readme.md", None, "there is no file tools/readme.md"),
    ],
)
def test_what_cannot_be_reviewed_is_refused(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    data: bytes | None,
    words: str,
) -> None:
    """No file that was named is passed over in silence."""
    if data is not None:
        (project / name).write_bytes(data)
    assert main(["lint", name]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_folder_without_sql_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor a folder in which nothing can be found."""
    assert main(["lint", "tools"]) == ExitCode.USAGE
    assert "there is no .sql file in tools" in capsys.readouterr().err


def test_nobody_else_sees_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without its name a file outside is not looked at."""
    (project / "tools" / "one.sql").write_text("select 1 AS one from;\n", encoding="utf-8")
    assert found(capsys) == (ExitCode.OK, [])


@pytest.mark.parametrize("place", ["tools/one.sql", "../beside.sql", "queries/deep/one.sql"])
def test_fix_writes_where_they_lie(
    project: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """`--fix` corrects a named file, and its headers stay."""
    (project / place).parent.mkdir(exist_ok=True)
    (project / place).write_text(QUERY.replace("where", "WHERE"), encoding="utf-8")
    assert found(capsys, "--fix", place) == (ExitCode.OK, [])
    assert (project / place).read_text(encoding="utf-8") == QUERY
