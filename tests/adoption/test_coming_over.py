"""`import`: every tool's history comes over, the catalog is the same, and so is its ledger."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import todo_sql
from support.database import Server
from support.importing import lay, run
from support.migrations import fetch
from support.other_tools import COLUMN, HISTORIES, INDEX, NO_TABLE, TABLE, OtherHistory
from support.plain_yoyo import yoyo

from todo_sql.adoption.tools import NAMES, QUERY_TOOLS, tool_of
from todo_sql.migrations.files.directives import Directives
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.files.statements import wrong_statements

TOOLS = sorted(HISTORIES)


def execute(url: str, sql: str) -> None:
    """Run statements."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose migrations are in `ours`."""
    (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\nmigrations = "ours"\n')
    return tmp_path


def brought(folder: Path, tool: str, *more: str, **variables: str) -> Any:
    """Import a tool's small history; return the document."""
    history = HISTORIES[tool]
    lay(folder, dict(history.files))
    code, document = run(folder, tool, history.folder, *history.asked, *more, **variables)
    assert code == 0, document
    return document


def test_every_tool_has_a_history() -> None:
    """Each reader of plain files is tried below."""
    assert set(HISTORIES) == set(NAMES) - {"alembic", "django"}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_files_come_over(tool: str, project: Path) -> None:
    """Ids keep the order, ways back and transactions come along, and a second time adds none."""
    history = HISTORIES[tool]
    document = brought(project, tool)
    names = [Path(one["to"]).stem for one in document["files"]]
    assert names == list(history.ids)
    assert sum(one["rollback"] is not None for one in document["files"]) == history.back
    assert [one["key"] for one in document["files"]] == list(history.keys)
    last = (project / "ours" / f"{history.ids[2]}.sql").read_text()
    assert ("-- transactional: false" in last) == ("concurrently" in last)
    code, again = run(project, tool, history.folder, *history.asked)
    assert code == 0 and again["files"] == [] and again["kept"] == 3


@pytest.mark.database
@pytest.mark.parametrize("tool", TOOLS)
def test_the_catalog_is_the_same(tool: str, project: Path, server: Server) -> None:
    """A database that the old files make, and one that the new ones make, do not differ."""
    variables = {"TODO_SQL_SCRATCH_URL": server.url(), "TODO_SQL_REPLAY": "superuser"}
    assert brought(project, tool, "--prove", **variables)["proof"] == "equal"


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_is_recognised(tool: str, tmp_path: Path) -> None:
    """`import` alone names the tool and its folder, and no other as surely."""
    history = HISTORIES[tool]
    lay(tmp_path, dict(history.files))
    code, document = run(tmp_path)
    assert code == 0
    found = {(one["tool"], one["folder"]) for one in document["recognised"]}
    assert (tool, history.folder) in found
    sure = {one["tool"] for one in document["recognised"] if one["sure"]}
    assert sure <= {tool}


def old_database(url: str, tool: str, applied: int) -> None:
    """Make a tool's ledger with so many of its history applied."""
    history = HISTORIES[tool]
    ledger = tool_of(tool).ledger
    assert ledger is not None
    if ledger.ddl:
        execute(url, ledger.ddl)
    for number in range(1, applied + 1):
        execute(url, recorded(history, number))


def recorded(history: OtherHistory, number: int, *, statement: str | None = None) -> str:
    """Return the statement that records one of a history."""
    checksum = history.checksums[number - 1] if history.checksums else ""
    filled = (statement or history.rows).replace("{key}", history.keys[number - 1])
    return filled.replace("{n}", str(number)).replace("{checksum}", checksum)


FILES_ONLY = [tool for tool in TOOLS if tool != "yoyo"]


@pytest.mark.database
@pytest.mark.parametrize("applied", [3, 2, 0])
@pytest.mark.parametrize("tool", FILES_ONLY)
def test_the_ledger_comes_over(tool: str, applied: int, project: Path, empty_database: str) -> None:
    """What the tool applied is applied, the rest stays pending; the old table is not touched."""
    history = HISTORIES[tool]
    brought(project, tool)
    old_database(empty_database, tool, applied)
    shown = ("--ledger", *history.asked[:2])
    code, document = run(project, tool, *shown, "--dry-run", DATABASE_URL=empty_database)
    assert code == 0, document
    assert document["ledger"]["applied"] == list(history.ids[:applied])
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]
    code, document = run(project, tool, *shown, "--yes", DATABASE_URL=empty_database)
    assert code == 0, document
    assert document["ledger"]["pending"] == list(history.ids[applied:])
    done = fetch(empty_database, "select migration_id from _yoyo_migration order by 1")
    assert done == list(history.ids[:applied])
    code, document = run(project, tool, *shown, "--yes", DATABASE_URL=empty_database)
    assert code == 0 and document["ledger"]["applied"] == []


@pytest.mark.database
@pytest.mark.parametrize("tool", [tool for tool in FILES_ONLY if HISTORIES[tool].failed])
def test_what_was_left_half_done_is_refused(tool: str, project: Path, empty_database: str) -> None:
    """One such row, and nothing at all is recorded."""
    history = HISTORIES[tool]
    brought(project, tool)
    old_database(empty_database, tool, 1)
    execute(empty_database, recorded(history, 2, statement=history.failed))
    words = (tool, "--ledger", *history.asked[:2], "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == 1
    assert "A120" in json.dumps(document)
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


@pytest.mark.database
@pytest.mark.parametrize("tool", [tool for tool in FILES_ONLY if not HISTORIES[tool].one_row])
def test_a_row_without_a_file_is_refused(tool: str, project: Path, empty_database: str) -> None:
    """It is named, and passed over only when asked."""
    history = HISTORIES[tool]
    brought(project, tool)
    old_database(empty_database, tool, 2)
    for path in (project / "ours").glob(f"{history.ids[1]}.*"):
        path.unlink()
    words = (tool, "--ledger", *history.asked[:2], "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == 1 and "A121" in json.dumps(document)
    code, document = run(project, *words, "--ignore-missing", DATABASE_URL=empty_database)
    assert code == 0 and document["ledger"]["applied"] == [history.ids[0]]


@pytest.mark.database
@pytest.mark.parametrize("tool", [tool for tool in TOOLS if HISTORIES[tool].checksums])
def test_an_edited_file_is_told(tool: str, project: Path, empty_database: str) -> None:
    """The database ran another text: a warning, and it counts as applied."""
    history = HISTORIES[tool]
    brought(project, tool)
    old_database(empty_database, tool, 0)
    execute(empty_database, recorded(history, 1).replace(history.checksums[0], "0badc0de"))
    words = (tool, "--ledger", *history.asked[:2], "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == 0 and [one["code"] for one in document["warnings"]] == ["A122"]
    assert document["ledger"]["applied"] == [history.ids[0]]


@pytest.mark.database
def test_yoyo_itself_hands_over(project: Path, empty_database: str) -> None:
    """Both tools keep their rows in one table: the old ids go, the new ones come."""
    history = HISTORIES["yoyo"]
    brought(project, "yoyo")
    yoyo(empty_database, project / "migrations", "apply")
    words = ("yoyo", "--ledger", "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == 0, document
    assert document["ledger"]["applied"] == list(history.ids)
    rows = fetch(empty_database, "select migration_id from _yoyo_migration order by 1")
    assert rows == list(history.ids)


@pytest.mark.parametrize(
    "comment",
    ["-- reverse: all of it", "-- depends: nothing", "-- transactional: false", "-- note: x"],
)
@pytest.mark.parametrize("where", ["up", "down", "last"])
def test_a_comment_is_no_directive_of_ours(comment: str, where: str, project: Path) -> None:
    """What reads like one in the old file means nothing in the new one."""
    above = {name: f"{comment}\n" if name == where else "" for name in ("up", "down", "last")}
    text = (
        f"-- migrate:up\n{above['up']}{TABLE}\n{above['last']}"
        f"-- migrate:down\n{above['down']}{NO_TABLE}\n"
    )
    lay(project, {"db/migrations/1_notes.sql": text})
    code, document = run(project, "dbmate", "db/migrations")
    assert code == 0, document
    (made,) = load(project / "ours", project)
    assert made.rollback and all(one.directives == Directives() for one in made.scripts)
    assert not list(wrong_statements(made.forward)) and comment[3:] in made.forward.source.text + (
        made.rollback.source.text
    )


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("begin;\nselect 1;\ncommit;\nvacuum;", 2, "A112"),
        ("select 1;\nrollback;", 3, "A112"),
        ("\n\nselec 1;", 4, "M121"),
        ("\\echo hi\nselect 1;", 2, "M122"),
    ],
)
def test_what_cannot_come_over_is_refused_at_its_place(
    text: str, line: int, code: str, project: Path
) -> None:
    """The old file's line is told, nothing is written; `--leave` makes a placeholder."""
    lay(project, {"db/migrations/1_notes.sql": f"-- migrate:up\n{text}\n-- migrate:down\n"})
    exit_code, document = run(project, "dbmate", "db/migrations")
    assert exit_code == 1 and not (project / "ours").exists()
    found = {(one["code"], one["file"], one["line"]) for one in document["refused"]}
    assert (code, "db/migrations/1_notes.sql", line) in found
    exit_code, document = run(project, "dbmate", "db/migrations", "--leave", "1")
    assert exit_code == 0 and len(list((project / "ours").iterdir())) == 1


PAGE = Path(__file__).parents[2] / "docs" / "coming-over.md"
SHOWN = re.findall(r"^\$ (todo-sql [^#\n]+?)(?: +#.*)?$", PAGE.read_text(), re.MULTILINE)
COMMANDS = [  # the others: test_live.py, test_importing_queries.py
    one
    for one in SHOWN
    if one.split()[1] in ("import", "status") and not QUERY_TOOLS.keys() & set(one.split())
]


def test_the_page_shows_every_tool() -> None:
    """Each tool has a section with a command of its own."""
    shown = {words.split()[2] for words in COMMANDS if len(words.split()) > 2}
    assert shown == set(NAMES)  # those that are run: see test_running.py


@pytest.mark.parametrize(
    "words", [one for one in COMMANDS if len(one.split()) > 3 and one.split()[2] in HISTORIES]
)
def test_a_command_of_the_page(words: str, tmp_path: Path) -> None:
    """It brings the small history over as the page types it, in a folder without a project."""
    _, _, tool, *rest = words.split()
    history = HISTORIES[tool]
    lay(tmp_path, dict(history.files))
    values = [word for word in history.asked if word.startswith(("--set", "COLUMN="))]
    if rest[0].startswith("-"):
        return  # the walk below types it
    code, document = run(tmp_path, tool, *rest, *values)
    assert code == 0, document
    assert [one["key"] for one in document["files"]] == list(history.keys)


@pytest.mark.database
def test_the_walk_of_the_page(tmp_path: Path, server: Server, empty_database: str) -> None:
    """What stands on top, in its order, on a database that dbmate made."""
    lay(tmp_path, {**HISTORIES["dbmate"].files, "pyproject.toml": "[tool.todo-sql]\n"})
    old_database(empty_database, "dbmate", 3)
    for sql in (TABLE, COLUMN, INDEX):
        execute(empty_database, sql)
    variables = {"DATABASE_URL": empty_database, "TODO_SQL_SCRATCH_URL": server.url()}
    for words in COMMANDS[:6]:
        done = todo_sql(
            *words.split()[1:],
            *(["--yes"] if words.endswith("--ledger") else []),
            cwd=tmp_path,
            TODO_SQL_REPLAY="superuser",
            **variables,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    assert "applied" in done.stdout and "pending" not in done.stdout


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("begin;\nselect 1;\ncommit;\nselect 2;", True),  # as Prisma changes an enum
        ("select 1;\nbegin;\nselect 2;\nend;\nstart transaction;\nselect 3;\ncommit;", True),
        ("begin;\nselect 1;\ncommit;\nvacuum;", False),
        ("begin;\nalter type a add value 'b';\ncommit;\nselect 'b'::a;", False),
        ("begin;\nselect 1;\nbegin;\nselect 2;\ncommit;\ncommit;", False),
        ("begin;\nselect 1;\nrollback;\nselect 2;", False),
        ("begin;\nselect 1;\ncommit;\nbegin;\nselect 2;", False),
        ("commit;\nselect 1;\nbegin;", False),
    ],
)
def test_parts_of_a_file(text: str, comes: bool, project: Path) -> None:
    """Pairs of BEGIN and COMMIT go where all of a file can be one transaction."""
    lay(project, {"prisma/migrations/20240102030405_a/migration.sql": text})
    code, document = run(project, "prisma", "prisma/migrations")
    assert code == (not comes) and {one["code"] for one in document["refused"]} <= {"A112"}
    if comes:
        (made,) = load(project / "ours", project)
        assert not list(wrong_statements(made.forward))
        assert made.forward.source.text.count("select") == text.count("select")
        assert "taken out" in document["files"][0]["notes"][0]


@pytest.mark.parametrize(
    ("tool", "folder", "files"),
    [
        ("dbmate", "m", {"m/1_a.sql": "-- migrate:up\n", "m/1_b.sql": "-- migrate:up\n"}),
        ("supabase", "m", {"m/1_a.sql": "", "m/1_b.sql": ""}),
        ("tern", "m", {"m/1_a.sql": "", "m/01_b.sql": ""}),
        ("refinery", "m", {"m/V1__a.sql": "", "m/U1__b.sql": ""}),
        ("diesel", "m", {"m/2024-01-01-0_a/up.sql": "", "m/202401010_b/up.sql": ""}),
        ("atlas", "m", {"m/1_a.sql": "", "m/1_b.sql": ""}),
        ("goose", "m", {"m/1_a.sql": "-- +goose Up\n", "m/01_b.sql": "-- +goose Up\n"}),
        ("node-pg-migrate", "m", {"m/1_a.sql": "", "m/1_a.js": ""}),
        ("yoyo", "m", {"m/a.sql": "", "m/a.py": ""}),
        ("sqlx", "m", {"m/1_a.sql": "", "m/01_b.sql": ""}),
        ("flyway", "m", {"m/V1__a.sql": "", "m/V1.0__b.sql": ""}),
        (
            "liquibase",
            "m",
            {"m/a.sql": "--liquibase formatted sql\n--changeset a:1\n--changeset a:1\n"},
        ),
    ],
)
def test_what_stands_twice_is_refused(
    tool: str, folder: str, files: dict[str, str], project: Path
) -> None:
    """Two migrations of one key are not told apart by the other tool: none of them is lost."""
    lay(project, files)
    code, document = run(project, tool, folder)
    assert (code, [one["code"] for one in document["refused"]]) == (1, ["A114"])
    assert not (project / "ours").exists()


@pytest.mark.parametrize(
    ("tool", "names", "told", "key", "id", "undone"),
    [
        ("sqlx", "7_b.up 7_a.down 7_b.down", "A116 7_a.down", "7", "7_b", "7_b.down"),
        ("sqlx", "7_b.up 7_b.down 7_c.down", "A116 7_c.down", "7", "7_b", "7_b.down"),
        ("sqlx", "7_b 7_c.down 07_d.down", "A116 07_d.down", "7", "7_b", "7_c.down"),
        ("sqlx", "7_b.up 07_c.up", "A114 7_b.up", "", "", ""),
        ("sqlx", "7_b.down 7_c.down", "A114 7_b.down A114 7_c.down", "", "", ""),
        ("golang-migrate", "7_b.up 07_a.down", "", "7", "7_b", "07_a.down"),
        ("golang-migrate", "7_b.up 7_b.down 7_c.down", "A114 7_c.down", "", "", ""),
    ],
)
def test_the_files_of_a_number(
    tool: str, names: str, told: str, key: str, id: str, undone: str, project: Path
) -> None:
    """A migration is called like its up file; of several ways back that of its name counts."""
    lay(project, {f"m/{name}.sql": f"select '{name}'" for name in names.split()})
    code, document = run(project, tool, "m")
    findings = [*document["refused"], *document["warnings"]]
    assert " ".join(f"{one['code']} {Path(one['file']).stem}" for one in findings) == told
    assert code == ("A114" in told)
    if code == 0:
        (made,) = document["files"]
        assert (made["key"], Path(made["to"]).stem.lstrip("0")) == (key, id)
        assert f"select '{undone}'" in (project / made["rollback"]).read_text()


@pytest.mark.parametrize(
    ("tool", "files", "place"),
    [
        ("diesel", {"m/1_a/up.sql": ""}, "m/1_a/down.sql"),
        ("diesel", {"m/1_a/down.sql": ""}, "m/1_a/up.sql"),
        ("diesel", {"m/1_a/up.sql": ""}, "m/1_a/metadata.toml"),
        ("prisma", {"m/1_a/migration.sql": ""}, "m/1_a/down.sql"),
        ("prisma", {"m/1_a/down.sql": ""}, "m/1_a/migration.sql"),
        ("yoyo", {"m/1_a.sql": ""}, "m/1_a.rollback.sql"),
        ("sqlx", {"m/1_a.up.sql": ""}, "m/1_a.down.sql"),
        ("flyway", {"m/V1__a.sql": ""}, "m/V1__a.sql.conf"),
        ("sqitch", {"sqitch.plan": "a 2024-01-02T03:04:05Z", "deploy/a.sql": ""}, "revert/a.sql"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "link to nothing"])
def test_what_lies_in_the_place_of_a_file(
    tool: str, files: dict[str, str], place: str, kind: str, project: Path
) -> None:
    """A folder, or a link that leads nowhere, is told and not passed over."""
    lay(project, files)
    (project / place).parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        (project / place).mkdir()
    else:
        (project / place).symlink_to("nothing")
    code, document = run(project, tool, "deploy" if tool == "sqitch" else "m")
    assert (code, document["error"]["code"]) == (2, "S103" if kind == "folder" else "U301")
    assert Path(place).name in document["error"]["message"]
    assert not (project / "ours").exists()


def test_repeatable_files_of_like_names(project: Path) -> None:
    """Names that differ in signs alone are two files; the ledger's words name the right one."""
    lay(project, {f"sql/R__{name}.sql": f"select '{name}'" for name in ("a_b", "a-b", "A b")})
    code, document = run(project, "flyway", "sql")
    assert code == 0
    made = {one["key"]: (project / one["to"]).read_text() for one in document["files"]}
    assert {key: text.splitlines()[-1] for key, text in made.items()} == {
        f"R__{name}": f"select '{name}'" for name in ("a_b", "a-b", "A b")
    }
    ledger = tool_of("flyway").ledger
    assert ledger
    keys = list(made)
    assert [ledger.key(f"R:{words}", keys) for words in ("a b", "a-b", "A b")] == [
        "R__a_b",
        "R__a-b",
        "R__A b",
    ]


@pytest.mark.database
@pytest.mark.parametrize(
    "where",
    ["db/changelog/", "classpath:db/changelog/", "C:\\work\\db\\changelog\\", "changelog/", ""],
)
def test_changelogs_of_one_name(where: str, project: Path, empty_database: str) -> None:
    """The end of its path tells a row's file, wherever Liquibase was started."""
    head = "--liquibase formatted sql\n--changeset ada:1\n"
    lay(
        project,
        {
            "db/changelog/users/changes.sql": f"{head}create table users (id int);",
            "db/changelog/orders/changes.sql": f"{head}create table orders (id int);",
            "db/changelog/own.sql": "--liquibase formatted sql logicalFilePath:old/place.sql\n"
            "--changeset ada:1\nselect 1;\n",
        },
    )
    code, document = run(project, "liquibase", "db/changelog")
    assert code == 0 and len(document["files"]) == 3
    ledger = tool_of("liquibase").ledger
    assert ledger
    execute(empty_database, ledger.ddl)
    slash = "\\" if "\\" in where else "/"
    for name in (f"{where}users{slash}changes.sql", "old/place.sql"):
        execute(
            empty_database,
            f"insert into databasechangelog select '1', 'ada', '{name}', now(), 1, 'EXECUTED'",
        )
    words = ("liquibase", "--ledger", "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert code == 0, document
    applied = [
        (project / "ours" / f"{one}.sql").read_text() for one in document["ledger"]["applied"]
    ]
    assert [("create table users" in text, "select 1" in text) for text in applied] == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("down", ["begin;\nselect 1;", "selec 1;", "select 1;\nrollback;"])
def test_a_way_back_that_cannot_come_over(down: str, project: Path) -> None:
    """The migration comes without it, which is told at its place."""
    lay(project, {"m/1_a.up.sql": "select 1;", "m/1_a.down.sql": down})
    code, document = run(project, "golang-migrate", "m")
    assert code == 0 and document["files"][0]["rollback"] is None
    assert {one["file"] for one in document["warnings"]} == {"m/1_a.down.sql"}
    assert "-- irreversible: its way back" in (project / document["files"][0]["to"]).read_text()


TERN = {"m/1_a.sql": "create table a (id int);\n", "m/2_b.sql": "create table b (id int);\n"}


@pytest.mark.database
@pytest.mark.parametrize(
    ("ledger", "named", "code"),
    [
        ("create table schema_version (version int4 not null)", (), None),
        ("create schema ops; create table ops.schema_version (version int4)", (), None),
        ("create table schema_version (version int4, at timestamptz default now())", (), None),
        ("create table done (version int4)", ("--table", "done"), None),
        ("create schema ops; create table ops.done (version int4)", ("--table", "ops.done"), None),
        ('create schema "O.p"; create table "O.p"."Do.ne" (version int4)', '"O.p"."Do.ne"', None),
        ('create table "a""b" (version int4)', '"a""b"', None),
        ("create table done (version int4)", (), "A123"),
        ("create table schema_version (number int4)", (), "A123"),
        ("create view schema_version as select 1 as version", (), "A123"),
        ("create domain n as int4; create table schema_version (version n)", (), "A123"),
        (
            "create schema ops; create table ops.schema_version (version int4); "
            "create table schema_version (version int4)",
            (),
            "A123",
        ),
    ],
)
def test_where_the_old_ledger_is(
    ledger: str, named: str | tuple[str, ...], code: str | None, project: Path, empty_database: str
) -> None:
    """It is found in any schema, or under the name that is given; what is none is refused."""
    lay(project, TERN)
    assert run(project, "tern", "m")[0] == 0
    execute(empty_database, ledger)
    words = ("--table", named) if isinstance(named, str) else named
    if code is None:
        name = words[1] if words else "schema_version"
        name = f"ops.{name}" if "ops" in ledger and "." not in name else name
        execute(empty_database, f"insert into {name} (version) values (1)")
    done, document = run(project, "tern", "--ledger", *words, "--yes", DATABASE_URL=empty_database)
    if code is None:
        assert done == 0 and document["ledger"]["applied"] == ["00000000000001_a"], document
    else:
        assert done == 2 and document["error"]["code"] == code, document
        assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (
            b"-- migrate:up\r\ncreate table a (id int);\r\n-- migrate:down\r\ndrop table a;\r\n",
            None,
        ),
        (b"\xef\xbb\xbf-- migrate:up\nselect 1;\n", None),
        (b"-- migrate:up\n-- nothing\n", None),
        (b"-- migrate:up\nselect 'caf\xe9';\n", "S101"),
        (b"-- migrate:up\nselect '\x00';\n", "S102"),
        ("-- migrate:up\n".encode("utf-16"), "S101"),
        (b"", "A114"),
        (b"-- migrate:down\nselect 1;\n", "A114"),
    ],
)
def test_what_is_in_a_file(data: bytes, code: str | None, project: Path) -> None:
    """Line ends and marks of encodings go, and what is no text is told with its place."""
    (project / "m").mkdir()
    (project / "m" / "1_a.sql").write_bytes(data)
    exit_code, document = run(project, "dbmate", "m")
    if code is None:
        assert exit_code == 0, document
        for path in (project / "ours").iterdir():
            assert b"\r" not in path.read_bytes() and b"\xef\xbb\xbf" not in path.read_bytes()
        assert len(load(project / "ours", project).migrations) == 1
    else:
        found = [document["error"]] if "error" in document else document["refused"]
        assert exit_code in (1, 2) and (found[0]["code"], found[0]["file"]) == (code, "m/1_a.sql")
        assert not (project / "ours").exists()


def test_a_history_that_begins_at_nought(project: Path) -> None:
    """The file that makes the old ledger still comes first."""
    lay(
        project,
        {
            "m/00000000000000_setup/up.sql": "create table a (id int);",
            "m/2024-01-01-000000_b/up.sql": "create index on __diesel_schema_migrations (run_on);",
        },
    )
    code, document = run(project, "diesel", "m")
    assert code == 0
    assert [Path(one["to"]).stem for one in document["files"]] == [
        "00000000000000_ledger_of_diesel",
        "00000000000001_setup",
        "20240101000000_b",
    ]


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("0001_a.sql", ["sqlx"]),
        ("0001-a_b.sql", []),
        ("1_a.up.sql", ["golang-migrate", "sqlx"]),
        ("a_b.up.sql", []),
        ("1-a_b.up.sql", []),
        ("V1_a.sql", []),
    ],
)
def test_whose_names_these_may_be(name: str, tools: list[str], tmp_path: Path) -> None:
    """A tool is proposed for names that its reader takes."""
    lay(tmp_path, {f"db/{name}": "select 1;"})
    code, document = run(tmp_path)
    found = document["recognised"]
    assert [one["tool"] for one in found if not one["sure"]] == tools
    assert code == (0 if tools else 1)
    for tool in tools:
        assert run(tmp_path, tool, "db", "--to", tool)[0] == 0


def test_what_came_over_is_no_folder_of_another_tool(tmp_path: Path) -> None:
    """Only the old folder is named once more."""
    module = "module a\nrequire github.com/golang-migrate/migrate/v4 v4.17.0\n"
    lay(tmp_path, {"go.mod": module, "db/migrations/1_a.up.sql": "select 1;"})
    assert run(tmp_path, "golang-migrate", "--to", "migrations")[0] == 0
    code, document = run(tmp_path)
    assert code == 0 and [(one["folder"], one["sure"]) for one in document["recognised"]] == [
        ("db/migrations", True)
    ]


@pytest.mark.database
def test_repeatable_files_are_in_the_proof(project: Path, server: Server) -> None:
    """A view that Flyway makes again and again is made by both ways."""
    lay(
        project,
        {
            "sql/V1__a.sql": "create table a (id int);",
            "sql/R__v.sql": "create or replace view v as select id from a;",
        },
    )
    variables = {"TODO_SQL_SCRATCH_URL": server.url(), "TODO_SQL_REPLAY": "superuser"}
    code, document = run(project, "flyway", "sql", "--prove", **variables)
    assert (code, document["proof"]) == (0, "equal"), document


SUPABASE = {
    "supabase/config.toml": 'project_id = "a"\n',
    "supabase/migrations/20240102030405_a.sql": "create table notes (id int, owner uuid "
    "references auth.users);\nalter table notes enable row level security;\ncreate policy own on "
    "notes for all to authenticated using (auth.uid() = owner);\n",
    "supabase/migrations/20240102030406_b.sql": "insert into storage.buckets (id, name, public) "
    "values ('a', 'a', true);\ncreate policy look on storage.objects for select to anon using "
    "((storage.foldername(name))[1] = auth.uid()::text and storage.extension(name) = 'png');\n"
    "alter publication supabase_realtime add table notes;\ngrant select on notes to service_role;",
}


@pytest.mark.database
def test_what_supabase_makes_itself(project: Path, server: Server, empty_database: str) -> None:
    """A first file makes it on scratch servers; where Supabase is, it counts as applied."""
    lay(project, SUPABASE)
    variables = {"TODO_SQL_SCRATCH_URL": server.url(), "TODO_SQL_REPLAY": "superuser"}
    code, document = run(project, "supabase", "--prove", **variables)
    assert (code, document["proof"]) == (0, "equal"), document
    first, *others = (Path(one["to"]).stem for one in document["files"])
    assert first == "00000000000001_what_supabase_has" and len(others) == 2
    ledger = tool_of("supabase").ledger
    assert ledger
    execute(empty_database, ledger.ddl)
    execute(
        empty_database,
        "insert into supabase_migrations.schema_migrations (version) values ('20240102030405')",
    )
    words = ("supabase", "--ledger", "--yes")
    code, document = run(project, *words, DATABASE_URL=empty_database)
    assert (code, document["ledger"]["applied"]) == (0, [first, others[0]])
    lay(project, {"supabase/migrations/20240102030407_c.sql": "select auth.uid();"})
    code, document = run(project, "supabase")
    assert (code, len(document["files"])) == (0, 1)
