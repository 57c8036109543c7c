"""What no migration may contain is refused before the database is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.migrations import write

from todo_sql.errors import Finding
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.files.statements import check
from todo_sql.migrations.migration_errors import InvalidFiles

ID = "20260101000000_first"


def complaint(folder: Path, text: str) -> Finding:
    """Return the first complaint about a migration."""
    write(folder, ID, text)
    with pytest.raises(InvalidFiles) as caught:
        check(load(folder, folder))
    return caught.value.findings[0]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("create table a (x int);\nbegin;\n", "M124", 2),
        ("select 1;\ncommit;\n", "M124", 2),
        ("select 1;\nsavepoint s;\n", "M124", 2),
        ("select 1;\n\ndiscard all;", "M125", 3),
        ("select pg_advisory_unlock_all();", "M126", 1),
        ("select\n    pg_catalog.pg_advisory_unlock(1)\n;", "M126", 1),
        ("do $$ begin perform pg_advisory_unlock_all(); end $$;", "M126", 1),
        ("select 1;\n\\echo hello\nselect 2;", "M122", 2),
        ("create table t (a int);\n\\d t\n", "M122", 2),
        ("select 1;\nselect 'select 2' \\gexec\n", "M122", 2),
        ("select 1 \\g\n", "M122", 1),
        ("select 1 as a\\gset\n", "M122", 1),
        ("select 1 \\; select 2;\n", "M122", 1),
        ("select 1 \\gone;\n", "M121", 1),
        ("create table t (a int);\ncopy t from stdin;\n1\n2\n", "M123", 2),
        ("copy t to stdout;", "M123", 1),
        ("create table a (x int);\ncreate tabel b (x int);", "M121", 2),
        ("create index concurrently i on t (a);", "M128", 1),
        ("vacuum t;", "M128", 1),
        ("-- Why: x.\n-- Replace this line by the SQL.\n", "M120", 2),
        ("-- transactional: false\nupdate t set a = 1;", "M127", 2),
        ("-- transactional: false\ncreate table t (a int);", "M127", 2),
        ("-- transactional: false\nalter table t add column b int;", "M127", 2),
        ("-- transactional: false\ncreate index concurrently on t (a);", "M127", 2),
    ],
)
def test_it_is_refused_with_its_place(tmp_path: Path, text: str, code: str, line: int) -> None:
    """Code and line are those of the culprit."""
    finding = complaint(tmp_path, text)
    assert (finding.code, finding.place and finding.place.line) == (code, line), finding.render()


@pytest.mark.parametrize(
    "text",
    [
        "create function f() returns int begin atomic select 1; end;",
        "create procedure p() language plpgsql as $$ begin commit; end $$;",
        "create function f() returns void language sql as 'select pg_advisory_unlock(1)';",
        "comment on table t is 'pg_advisory_unlock_all';",
        "insert into t values ('pg_advisory_unlock(1)  begin; commit; \\d');",
        "select 'c:\\', /* a /* nested */ comment; */ 1;",
        'create table t ("begin" int, declare_ int);',
        "copy t from '/tmp/file';",
        "analyze t;",
        "-- Nothing, on purpose.\n",
        "discard temp;",
        "-- transactional: false\ncreate index concurrently if not exists i on t (a);",
        "-- transactional: false\ndrop index concurrently i;\nreindex index concurrently j;",
        "-- transactional: false\nalter type e add value if not exists 'x';",
        "-- transactional: false\nalter table t validate constraint c;",
        "-- transactional: false\nalter table p detach partition c concurrently;",
        "-- transactional: false\nset maintenance_work_mem = '1GB';\nvacuum (analyze) t;",
        "-- transactional: false\n-- allow: unknown-fate small table\nupdate t set a = 1;",
    ],
)
def test_it_passes(tmp_path: Path, text: str) -> None:
    """What only looks like a culprit is let through."""
    write(tmp_path, ID, text)
    check(load(tmp_path))


def test_a_rollback_file_is_checked_too(tmp_path: Path) -> None:
    """With directives of its own."""
    write(tmp_path, ID, "select 1;", "-- transactional: false\ndrop table t;")
    with pytest.raises(InvalidFiles) as caught:
        check(load(tmp_path))
    (finding,) = caught.value.findings
    assert finding.code == "M127"


@pytest.mark.parametrize("text", ["", "-- Nothing to undo.\n", "\ufeff/* drop table t; */ ; ;\n"])
def test_a_rollback_file_without_a_statement_counts_for_none(tmp_path: Path, text: str) -> None:
    """It would strike the migration from the ledger and undo nothing."""
    write(tmp_path, ID, "select 1;", text)
    with pytest.raises(InvalidFiles) as caught:
        check(load(tmp_path))
    (finding,) = caught.value.findings
    assert finding.code == "M104" and "irreversible" in (finding.fix or "")
    assert [migration.undoing for migration in load(tmp_path)] == ["missing"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select 1;\n-- transactional: false\nvacuum;", ["M112", "M128"]),
        ("create table t ();\n  -- lock-timeout: 5s", ["M112"]),
        ("create table t (); -- irreversible: gone", ["M112"]),
        ("-- Why: x.\nselect 1;\n-- nonsense: 1\n-- see depends::text", []),
        ("do $$\nbegin\n    -- allow: anything here\n    null;\nend\n$$;", []),
        ("select '\n-- depends: x\n';\n/*\n-- depends: y\n*/", []),
    ],
)
def test_a_directive_after_the_first_statement_is_refused(
    tmp_path: Path, text: str, code: list[str]
) -> None:
    """There it would have no effect, in silence; strings and bodies hold none."""
    write(tmp_path, ID, text)
    if not code:
        check(load(tmp_path))
        return
    with pytest.raises(InvalidFiles) as caught:
        check(load(tmp_path))
    assert sorted(finding.code for finding in caught.value.findings) == code
    late = next(finding for finding in caught.value.findings if finding.code == "M112")
    assert late.place and (late.place.excerpt or "")[late.place.column - 1 :].startswith("--")


def test_a_caret_points_into_a_file_with_crlf_and_other_alphabets(tmp_path: Path) -> None:
    """Places count characters of the file as written."""
    write(tmp_path, ID, "")
    text = "\ufeffselect 'ä€😀';\r\nselect 'ä€😀' form t x y;\r\n"
    (tmp_path / f"{ID}.sql").write_bytes(text.encode())
    with pytest.raises(InvalidFiles) as caught:
        check(load(tmp_path, tmp_path))
    place = caught.value.findings[0].place
    assert place and place.line == 2
    assert place.excerpt == "select 'ä€😀' form t x y;"
