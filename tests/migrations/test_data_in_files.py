r"""Data behind COPY, `\restrict`, and files that `\i` and `\ir` name: as psql would read them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.commands import todo_sql as run_todo_sql
from support.database import Server
from support.migrations import applied, fetch, migrator, tables, write

from todo_sql.compiler.scratch import fingerprint
from todo_sql.config import packaged_config
from todo_sql.errors import FindingsError
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.sql.pieces import Include, Rows, SqlPiece, pieces

ID = "20260101000000_first"
ENDS = (".sql", ".rollback.sql")
ROWS = "create table t (id int primary key, word text);\ncopy t (id, word) from stdin;\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select 1;", ["select 1;"]),
        ("copy t from stdin;\n1\n\\.\nselect 2;", ["copy t from stdin;\n", b"1\n", "select 2;"]),
        ("COPY t\n(a) FROM\nSTDIN ;\n\\.\n", ["COPY t\n(a) FROM\nSTDIN ;\n", b""]),
        (
            "copy t from stdin; -- rows\r\n1\r\n\\.\r\n",
            ["copy t from stdin; -- rows\r\n", b"1\r\n"],
        ),
        ('copy t from stdin with (format csv);\n"a\n\\.b"\n\\.', None),
        ("copy t from stdin;\n1\n", ["copy t from stdin;\n", b"1\n"]),
        ("-- copy t from stdin;\nselect 1;\n", ["-- copy t from stdin;\nselect 1;\n"]),
        ("select 'copy t from stdin;\n\\.\n';", ["select 'copy t from stdin;\n\\.\n';"]),
        ("do $$ copy t from stdin;\n$$;\n", ["do $$ copy t from stdin;\n$$;\n"]),
        ("select a from stdin;\n", ["select a from stdin;\n"]),
        ("copy (select a from stdin) to '/f';\n", ["copy (select a from stdin) to '/f';\n"]),
        ("\\ir a.sql\nselect 1;\n", ["<a.sql>", "select 1;\n"]),
        ("select 1;\n\\i 'b c.sql'\n", ["select 1;\n", "<b c.sql>"]),
        ("\\restrict abc\n\\ir a.sql\n", ["\\restrict abc\n", "<a.sql>"]),
        ("select '\n\\ir a.sql\n';", ["select '\n\\ir a.sql\n';"]),
        ("/* \n\\ir a.sql\n*/ select 1;", ["/* \n\\ir a.sql\n*/ select 1;"]),
        ("select\n\\ir a.sql\n1;", ["select\n\\ir a.sql\n1;"]),
        ("\\ir :dir\n", ["\\ir :dir\n"]),
    ],
)
def test_what_a_file_consists_of(text: str, found: list[str | bytes] | None) -> None:
    """Data and names of files are told from what stands in strings, comments and bodies."""
    data, seen = text.encode(), list[str | bytes]()
    for piece in pieces(data):
        match piece:
            case SqlPiece(start, end):
                seen.append(data[start:end].decode())
            case Rows(start, end):
                seen.append(data[start:end])
            case Include(name=name):
                seen.append(f"<{name}>")
    if found is None:
        found = ["copy t from stdin with (format csv);\n", b'"a\n\\.b"\n']
    assert seen == found


@pytest.mark.database
def test_a_dump_with_its_data(empty_database: str, tmp_path: Path) -> None:
    """Several COPYs, escapes, NULL, CSV, CRLF, no rows, in the order of the statements."""
    write(
        tmp_path,
        ID,
        "\\restrict abc\n" + ROWS + "1\tone\\ttab\n2\t\\N\n3\t\n\\.\n"
        "update t set word = 'three' where id = 3;\n"
        'copy t from stdin with (format csv);\n4,"fo\nur"\n\\.\n'
        "copy t from stdin;\n\\.\n"
        "copy t from stdin;\r\n5\tfünf\r\n\\.\r\n"
        "insert into t values (6, 'six');\n\\unrestrict abc\n",
        ROWS.split("\n", 1)[0].replace("t (", "undone (")
        + "\ncopy undone from stdin;\n1\tback\n\\.\ndrop table t;\n",
    )
    migrator(empty_database, tmp_path).migrate()
    assert fetch(empty_database, "select word from t order by id") == [
        "one\ttab",
        None,
        "three",
        "fo\nur",
        "fünf",
        "six",
    ]
    assert migrator(empty_database, tmp_path).rollback()
    assert fetch(empty_database, "select word from undone") == ["back"]


@pytest.mark.database
@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ("1\ta\nx\tb\n", 4, "invalid input syntax"),
        ("1\ta\n2\tb\tc\n", 4, "extra data"),
        ("1\ta\n1\tb\n", 4, "duplicate key"),
        ("1\n", 3, "missing data"),
    ],
)
def test_a_wrong_row_is_told_in_its_line(
    empty_database: str, tmp_path: Path, rows: str, line: int, message: str
) -> None:
    """And nothing remains of the migration."""
    write(tmp_path, ID, ROWS + rows + "\\.\nselect 1;\n")
    with pytest.raises(MigrationFailed, match=message) as caught:
        migrator(empty_database, tmp_path).migrate()
    place = caught.value.finding.place
    assert place and place.line == line and place.excerpt == rows.split("\n")[line - 3]
    assert tables(empty_database) == []


@pytest.mark.database
def test_an_error_behind_data_is_told_in_its_line(empty_database: str, tmp_path: Path) -> None:
    """The rows count among the lines of the file, those of other files do not."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "more.sql").write_text("select 1;\n\nselect 2/0")
    write(tmp_path, ID, ROWS + "1\ta\n2\tb\n\\.\n\\ir parts/more.sql\n")
    with pytest.raises(MigrationFailed) as caught:
        migrator(empty_database, tmp_path).migrate()
    place = caught.value.finding.place
    assert place and place.file.endswith("parts/more.sql") and place.line == 3
    (tmp_path / "parts" / "more.sql").write_text("select 1")
    write(tmp_path, ID, ROWS + "1\ta\n\\.\n\\ir parts/more.sql\nselect 3/0;\n")
    with pytest.raises(MigrationFailed) as caught:
        migrator(empty_database, tmp_path).migrate()
    place = caught.value.finding.place
    assert place and place.file.endswith(f"{ID}.sql") and place.line == 6


@pytest.mark.database
def test_what_a_file_names_counts_for_its_checksum(empty_database: str, tmp_path: Path) -> None:
    """So do its rows; line endings do not."""
    (tmp_path / "parts").mkdir()
    more = tmp_path / "parts" / "more.sql"
    more.write_text("create function f() returns int language sql return 1;\n")
    path = write(tmp_path, ID, ROWS + "1\ta\n\\.\n\\i parts/more.sql\n")
    migrator(empty_database, tmp_path).migrate()

    def state() -> str:
        (entry,) = migrator(empty_database, tmp_path).status().entries
        return str(entry.state)

    assert state() == "applied"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    more.write_bytes(more.read_bytes().replace(b"\n", b"\r\n"))
    assert state() == "applied"
    path.write_bytes(path.read_bytes().replace(b"1\ta", b"1\tb"))
    assert state() == "modified"
    path.write_bytes(path.read_bytes().replace(b"1\tb", b"1\ta"))
    more.write_text("create function f() returns int language sql return 2;\n")
    assert state() == "modified"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("\\ir ../outside.sql", "S105"),
        ("\\i /etc/passwd", "S105"),
        ("\\ir parts/link.sql", "S105"),
        ("\\ir linked/outside.sql", "S105"),
        ("\\ir none.sql", "S105"),
        (f"\\ir {ID}.sql", "S105"),
        ("\\ir parts/circle.sql", "S105"),
        ("copy t from stdin;\n1", "M123"),
        ("copy t to stdout;", "M123"),
        ("-- transactional: false\ncopy t from stdin;\n1\n\\.", "M123"),
        ("-- transactional: false\n-- allow: unknown-fate x\ncopy t from stdin;\n1\n\\.", "M123"),
        ("\\copy t from 'file'", "M122"),
        ("\\d t", "M122"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """Before a connection is made: no server is there."""
    folder = tmp_path / "migrations"
    write(folder, ID, text + "\n")
    (tmp_path / "outside.sql").write_text("select 1;")
    (folder / "parts").mkdir()
    (folder / "parts" / "link.sql").symlink_to(tmp_path / "outside.sql")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "parts" / "circle.sql").write_text(f"\\ir ../{ID}.sql\n")
    with pytest.raises(FindingsError) as caught:
        found = load(folder, tmp_path)
        from todo_sql.migrations.files.statements import check

        check(found)
    assert code in [one.code for one in caught.value.findings]


def test_a_file_beside_needs_no_version(tmp_path: Path) -> None:
    """If a migration names it; else it is a migration with a wrong name."""
    write(tmp_path, ID, "\\ir words.sql\n")
    (tmp_path / "words.sql").write_text("select 1;")
    assert [one.id for one in load(tmp_path)] == [ID]
    (tmp_path / "others.sql").write_text("select 1;")
    with pytest.raises(FindingsError) as caught:
        load(tmp_path)
    (finding,) = caught.value.findings
    assert finding.code == "M101" and finding.place and "others.sql" in finding.place.file


@pytest.mark.database
def test_the_commands_know_them(tmp_path: Path, server: Server, empty_database: str) -> None:
    """Lint, plan, verify, check, drift, dry run and a draft from a dump: places stay right."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    todo_sql = partial(run_todo_sql, cwd=tmp_path, DATABASE_URL=empty_database)
    todo_sql = partial(todo_sql, TODO_SQL_SCRATCH_URL=server.url())
    folder = tmp_path / "migrations"
    write(folder, ID, ROWS + "1\ta\n2\tb\n\\.\n\\ir rest.sql\n", "drop table t;\n")
    (folder / "rest.sql").write_text("\nalter table t alter column word type varchar(9);\n")
    said = todo_sql("lint", "--json").stdout
    places = [(one["file"], one["line"]) for one in json.loads(said)["findings"]]
    assert ("migrations/rest.sql", 2) in places
    assert {file for file, _ in places} <= {f"migrations/{ID}{end}" for end in ENDS} | {
        "migrations/rest.sql"
    }
    assert "copy t (id, word) from stdin" in todo_sql("plan").stdout
    for command in (["verify"], ["migrate", "--dry-run"], ["migrate"], ["drift"], ["check"]):
        run = todo_sql(*command)
        assert run.returncode == 0, (command, run.stdout, run.stderr)
    (tmp_path / "dump.sql").write_text("\\restrict a\n" + ROWS + "1\ta\n\\.\nselect 1;\n")
    run = todo_sql("new", "back", "--schema", "dump.sql")
    assert run.returncode == 0, run.stderr
    (made,) = folder.glob("*_back.sql")
    assert "text" in made.read_text()


def test_rows_that_change_on_the_way(tmp_path: Path) -> None:
    """What is streamed is what was read, or nothing."""
    path = write(tmp_path, ID, ROWS + "1\ta\n\\.\n")
    (rows,) = next(iter(load(tmp_path))).forward.data.values()
    assert b"".join(rows.chunks()) == b"1\ta\n"
    path.write_text(ROWS + "1\tb\n\\.\n")
    with pytest.raises(Exception, match="has changed"):
        list(rows.chunks())


_MEASURED = """
import resource, sys
from pathlib import Path
from todo_sql.migrations import migrate
migrate(sys.argv[1], Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.database
def test_memory_does_not_grow_with_the_data(empty_database: str, tmp_path: Path) -> None:
    """Eighty megabytes take no more than a few kilobytes do."""
    row = "1\t" + "x" * 1000 + "\n"
    used = []
    for number, rows in enumerate((10, 80_000), 1):
        folder = tmp_path / str(number)
        text = f"create table t{number} (id int, word text);\ncopy t{number} from stdin;\n"
        path = write(folder, f"2026010{number}000000_t", text)
        with path.open("a") as file:  # what this process holds counts for its children, too
            file.writelines(row for _ in range(rows))
            file.write("\\.\n")
        run = subprocess.run(
            [sys.executable, "-c", _MEASURED, empty_database, str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(int(run.stdout))
        assert fetch(empty_database, f"select count(*) from t{number}") == [rows]
        fetch(empty_database, "delete from _yoyo_migration returning 1")
        fetch(empty_database, "delete from _todo_sql_ledger returning 1")
    assert used[1] - used[0] < 25_000


@pytest.mark.database
def test_a_crowded_table_does_not_wait_for_rows(empty_database: str, tmp_path: Path) -> None:
    """A lock is let go in time also while rows are streamed; nothing remains."""
    write(tmp_path, ID, "create table t (id int, word text);")
    migrator(empty_database, tmp_path).migrate()
    slow = (
        "create function slow() returns trigger language plpgsql as "
        "$$ begin perform pg_sleep(0.2); return new; end $$;\n"
        "create trigger slow before insert on t for each row execute function slow();\n"
    )
    write(
        tmp_path,
        "20260102000000_rows",
        f"-- max-lock-hold: 1s\n{slow}alter table t add column n int;\n"
        "copy t (id) from stdin;\n" + "1\n" * 100 + "\\.\n",
    )
    with pytest.raises(MigrationFailed) as caught:
        migrator(empty_database, tmp_path).migrate()
    assert caught.value.finding.code == "M305"
    assert applied(empty_database) == [ID]
    assert fetch(empty_database, "select count(*) from t") == [0]


def test_a_scratch_database_is_made_anew_when_such_a_file_changed(tmp_path: Path) -> None:
    """The hash by which it is found again knows what a migration names."""
    write(tmp_path, ID, ROWS + "1\ta\n\\.\n\\ir words.sql\n")
    (tmp_path / "words.sql").write_text("select 1;")
    config = replace(packaged_config(), migrations=tmp_path)
    before = fingerprint(config, 18)
    assert fingerprint(config, 18) == before
    (tmp_path / "words.sql").write_text("select 2;")
    assert fingerprint(config, 18) != before
