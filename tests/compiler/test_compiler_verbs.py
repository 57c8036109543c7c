"""`describe`, `check`, `generate` and `query` as commands: exit codes, JSON, watching."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import called, todo_sql
from support.database import Owner, Server

from todo_sql.compiler.describe import Analysis
from todo_sql.compiler.scratch_role import ROLE
from todo_sql.compiler.watching import watch_folder
from todo_sql.config import load_config

MIGRATION = """\
create table notes (
    id int primary key,
    title text not null,
    body text
);
"""
QUERIES = """\
-- name: list_notes :many -> Note
-- The notes, oldest first.
select id, title, body from notes
where true
    and title = :title -- if: title
order by id;

-- name: add_note :execrows
insert into notes (id, title, body) values (:id, :title, :body);
"""
WRONG = "-- name: broken :many\nselect nope from notes;\n"


@dataclass(frozen=True)
class Project:
    """A small project and the database that it is for."""

    root: Path
    environment: dict[str, str]

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command here, expect an exit code, return what it wrote to stdout."""
        returned, out, err = called(words, self.root, self.environment)
        assert returned == code, out + err
        return out

    def document(self, *words: str, code: int = 0) -> Any:
        """Return the one JSON document of a command."""
        return json.loads(self.run(*words, "--json", code=code))


@pytest.fixture
def project(tmp_path: Path, server: Server, owner: Owner, empty_database: str) -> Project:
    """One table, two queries, scratch databases on the server of the run."""
    (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\ngenerate = "package"\n')
    for folder, name, text in [
        ("migrations", "20260101000000_create_notes.sql", MIGRATION),
        ("migrations", "20260101000000_create_notes.rollback.sql", "drop table notes;\n"),
        ("queries", "notes.sql", QUERIES),
    ]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    scratch = server.url(user=owner.name)
    environment = {"DATABASE_URL": empty_database, "TODO_SQL_SCRATCH_URL": scratch}
    return Project(tmp_path, environment)


def test_describe(project: Project) -> None:
    """Types and nullability, as text and as JSON."""
    text = project.run("describe")
    assert "list_notes :many -> list[Note]" in text
    first, second = project.document("describe")["queries"]
    assert {"name", "file", "line", "cardinality", "parameters", "columns"} <= set(first)
    assert first["columns"][2] == {
        "name": "body",
        "pg_type": "text",
        "python_type": "str | None",
        "nullable": True,
    }
    assert (first["variants"], first["read_only"]) == (2, True)
    assert [one["nullable"] for one in second["parameters"]] == [False, False, True]


NEW_TYPES = """
create type mood as enum ('sad', 'glad');
create type point3 as (x int, y int, tag text);
alter table notes add column feeling mood, add column spot point3, add column parent int
    references notes (id);
"""
NEW_WORDS = """
-- name: nested :many
-- model: parent -> Note
select n.id, p.id as "parent.id", p.title as "parent.title", p.body as "parent.body"
from notes as n left join notes as p on p.id = n.parent order by n.id;

-- name: chosen :many
-- one of: id, title
-- param: most = 5
select id from notes where true
    and id = :id -- if: id
    and title = :title -- if: title
    and exists ( -- if: feeling
        select 1 where feeling = :feeling
    )
order by id limit :most;

-- name: typed :many
select feeling, spot, array_agg(feeling) as feelings from notes
where spot = :spot::point3 or spot = any(:spots::point3[]) group by feeling, spot;
"""
# By `enums`, what is said of an enum; the shape of the document is the same.
ENUMS = {"literal": 'Literal["sad", "glad"]', "enum": "Mood"}


@pytest.mark.parametrize("enums", ENUMS)
def test_describe_of_every_word(project: Project, enums: str) -> None:
    """Nested columns keep their dots; what may be left out, and each type, in one shape."""
    section = f'[tool.todo-sql]\nenums = "{enums}"\ntypes = {{ point3 = "json.JSONDecoder" }}\n'
    (project.root / "pyproject.toml").write_text(section)
    folder = project.root / "migrations"
    (folder / "20260102000000_types.sql").write_text("-- irreversible: a test\n" + NEW_TYPES)
    (project.root / "queries" / "more.sql").write_text(NEW_WORDS)
    document = project.document("describe", "nested", "chosen", "typed")
    assert document["findings"] == []
    nested, chosen, typed = document["queries"]
    keys = {"name", "file", "line", "cardinality", "parameters", "columns", "variants", "read_only"}
    assert all(set(one) >= keys for one in (nested, chosen, typed))
    parameters = [one for query in document["queries"] for one in query["parameters"]]
    columns = [one for query in document["queries"] for one in query["columns"]]
    shape = {"name", "pg_type", "python_type", "nullable"}
    assert all(set(one) == shape for one in columns)
    assert all(set(one) == shape | {"default"} for one in parameters)

    def types(some: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
        return {one["name"]: (one["pg_type"], one["python_type"]) for one in some}

    assert types(nested["columns"]) == {
        "id": ("integer", "int"),
        "parent.id": ("integer", "int | None"),
        "parent.title": ("text", "str | None"),
        "parent.body": ("text", "str | None"),
    }
    enum = ENUMS[enums]
    assert types(chosen["parameters"]) == {
        "id": ("integer", "int"),
        "title": ("text", "str"),
        "feeling": ("mood", enum),
        "most": ("bigint", "int"),
    }
    assert [one["default"] for one in chosen["parameters"]] == [None, None, None, "5"]
    assert chosen["variants"] == 4
    assert types(typed["columns"])["feeling"] == ("mood", f"{enum} | None")
    assert types(typed["columns"])["feelings"] == ("mood[]", f"list[{enum} | None]")
    assert types(typed["columns"])["spot"] == ("point3", "JSONDecoder")
    assert types(typed["parameters"]) == {
        "spot": ("point3", "JSONDecoder"),
        "spots": ("point3[]", "list[JSONDecoder]"),
    }
    text = project.run("describe", "chosen")
    assert ":title" in text and "(optional)" in text and "= 5" in text


def test_describe_some(project: Project) -> None:
    """Queries by name, each with its own findings; an unknown one is a mistake of the user."""
    (project.root / "queries" / "more.sql").write_text(WRONG)
    assert [one["name"] for one in project.document("describe", code=1)["queries"]] == [
        "list_notes",
        "add_note",
    ]
    only = project.document("describe", "add_note")
    assert ([one["name"] for one in only["queries"]], only["findings"]) == (["add_note"], [])
    wrong = project.document("describe", "broken", "list_notes", code=1)
    assert ([one["name"] for one in wrong["queries"]], len(wrong["findings"])) == (
        ["list_notes"],
        1,
    )
    error = project.document("describe", "add_notes", code=2)["error"]
    assert "did you mean `add_note`?" in error["fix"]


def test_check(project: Project) -> None:
    """Clean is 0; an error is 1, with its place in text, JSON and GitHub's form."""
    assert project.document("check")["findings"] == []
    (project.root / "queries" / "more.sql").write_text(WRONG)
    (finding,) = project.document("check", code=1)["findings"]
    assert {"severity", "message", "cause", "fix"} <= set(finding)
    place = (finding["file"], finding["line"], finding["column"])
    assert (finding["code"], place) == ("C101", ("queries/more.sql", 2, 8))
    assert "error[C101] queries/more.sql:2:8" in project.run("check", code=1)
    annotation = project.run("check", "--format", "github", code=1)
    assert annotation.startswith("::error file=queries/more.sql,line=2,col=8")
    project.run("describe", code=1)
    project.run("check", "--format", "xml", code=2)


@pytest.mark.parametrize(
    ("section", "left", "code"),
    [
        ("", {"C112": "warning", "C115": "warning"}, 1),
        ("disable = ['C112']", {"C115": "warning"}, 1),
        ("disable = ['c112', 'C115']", {}, 0),
        ("severity = { C112 = 'info', C115 = 'info' }", {"C112": "info", "C115": "info"}, 0),
        ("paths = { 'queries/m*' = ['C112', 'C115'] }", {}, 0),
        ("paths = { 'queries/n*' = ['C112', 'C115'] }", {"C112": "warning", "C115": "warning"}, 1),
    ],
)
def test_check_honours_the_projects_choice(
    project: Project, section: str, left: dict[str, str], code: int
) -> None:
    """What `lint` leaves out or weighs for a project, `check` does."""
    (project.root / "queries" / "more.sql").write_text(
        "-- name: some :many\nselect * from notes limit 5;\n"
    )
    (project.root / "pyproject.toml").write_text(f"[tool.todo-sql.lint]\n{section}\n")
    found = project.document("check", code=code)["findings"]
    assert {one["code"]: one["severity"] for one in found} == left


def test_check_cannot_leave_out_what_generate_would_refuse(project: Project) -> None:
    """Nor a rule that nobody has."""
    for word in ("C101", "C999", "no-such-rule"):
        (project.root / "pyproject.toml").write_text(
            f"[tool.todo-sql.lint]\ndisable = ['{word}']\n"
        )
        assert project.document("check", code=2)["error"]["code"] == "R005"


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one processor"
)
def test_check_says_the_same_on_several_processors(project: Project) -> None:
    """Types, shared models, and the place of a mistake in what another process checked."""
    query = """\
-- name: notes_{n} :many -> Note
select id, title, body from notes
where id > {n}
    and title = :title -- if: title
    and body = :body -- if: body
order by id -- case sort: id
-- order by title, id -- case sort: title
;
"""
    many = "\n".join(query.format(n=n) for n in range(300))
    (project.root / "queries" / "many.sql").write_text(many + "\n" + WRONG)

    def check() -> str:
        run = todo_sql("check", "--json", cwd=project.root, **project.environment)
        assert run.returncode == 1, run.stderr
        return run.stdout

    processors = os.sched_getaffinity(0)
    shared = check()
    os.sched_setaffinity(0, {min(processors)})
    try:
        assert check() == shared
    finally:
        os.sched_setaffinity(0, processors)
    found = json.loads(shared)
    assert [one["code"] for one in found["findings"]] == ["C101"]
    assert sum(one["variants"] for one in found["queries"]) == 300 * 8 + 3


def test_a_type_of_the_configuration_that_matches_nothing(project: Project) -> None:
    """A slip would leave the type of PostgreSQL, in silence."""
    config = project.root / "pyproject.toml"
    types = {
        "notes.body": "str",
        "list_notes.title": "str",
        "Note.id": "int",
        "text": "str",
        "broken.anything": "str",  # a query that is wrong: what it has can't be told
        "Note.tilte": "str",
        "note.body": "str",
        "txet": "str",
        "int8": "int",
    }
    lines = [f'"{key}" = "{value}"' for key, value in types.items()]
    config.write_text("\n".join([config.read_text(), "[tool.todo-sql.types]", *lines]))
    (project.root / "queries" / "more.sql").write_text(WRONG)
    found = project.document("check", code=1)["findings"]
    slips = [one for one in found if one["code"] == "C118"]
    assert [(one["file"], one["line"]) for one in slips] == [
        ("pyproject.toml", n) for n in (10, 11, 12, 13)
    ]
    assert [one["fix"] for one in slips] == [
        "did you mean `Note.title`?",
        "did you mean `notes.body`?",
        "correct the name, or remove the line",
        "write `bigint`",
    ]


def test_generate(project: Project) -> None:
    """Written once; `--check` is 1 when the queries changed, and a wrong query writes nothing."""
    project.run("generate", "--check", code=1)
    assert "package/models.py" in project.document("generate")["written"]
    assert project.document("generate", "--check") == {"stale": [], "files": 5}
    queries = project.root / "queries" / "notes.sql"
    queries.write_text(QUERIES.replace("oldest first", "in their order"))
    stale = project.document("generate", "--check", code=1)["stale"]
    assert stale == ["package/notes.py", "package/notes.sql"]
    queries.write_text(QUERIES + WRONG)
    before = (project.root / "package" / "notes.sql").read_text()
    project.run("generate", code=1)
    assert (project.root / "package" / "notes.sql").read_text() == before


def test_query(project: Project) -> None:
    """A query runs on the project's database; a wrong name or value is the user's mistake."""
    with psycopg.connect(project.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(MIGRATION)
    added = project.document("query", "add_note", "id=1", "title=a", "body=null")
    assert added == {"query": "add_note", "affected": 1}
    rows = project.document("query", "list_notes")["rows"]
    assert rows == [{"id": 1, "title": "a", "body": None}]
    assert project.document("query", "list_notes", "title=b")["rows"] == []
    for words in (
        ["list_note"],
        ["list_notes", "titel=b"],
        ["list_notes", "title"],
        ["add_note", "id=1"],
        ["add_note", "id=x", "title=a", "body=b"],
        ["add_note", "id=1", "id=2", "title=a", "body=b"],
    ):
        assert "error" in project.document("query", *words, code=2)
    project.run("query", "add_note", "id=1", "title=a", "body=null", code=3)


def test_watch(project: Project) -> None:
    """A saved file is checked again, by itself."""
    config = load_config(project.root, environment=project.environment)
    more = project.root / "queries" / "more.sql"
    passes = watch_folder(config)
    with contextlib.closing(passes):
        analysis, _ = next(passes)
        assert [entry.query.name for entry in analysis.described] == ["list_notes", "add_note"]
        more.write_text(WRONG)
        analysis, _ = next(passes)
        assert [finding.code for finding in analysis.findings] == ["C101"]
        more.write_text(WRONG.replace("nope", "title"))
        analysis, _ = next(passes)
        assert not analysis.findings
        assert names(analysis) == ["broken", "list_notes", "add_note"]
        notes = project.root / "queries" / "notes.sql"
        notes.write_text("-- A line above.\n" + QUERIES.replace(":body)", ":nothing, 1)"))
        analysis, _ = next(passes)
        assert names(analysis) == ["broken", "list_notes"]
        (finding,) = analysis.findings
        assert finding.place and finding.place.line == 10
        notes.write_text("-- A line above.\n" + QUERIES)
        analysis, _ = next(passes)
        assert [entry.query.place().line for entry in analysis.described] == [1, 2, 9]
        assert not analysis.findings


def names(analysis: Analysis) -> list[str]:
    """Return the queries that could be described."""
    return [entry.query.name for entry in analysis.described]


def test_watch_sees_all_files_and_the_migrations(project: Project) -> None:
    """What two files share is compared, and nothing that is saved ends the watch."""
    config = load_config(project.root, environment=project.environment)
    more = project.root / "queries" / "more.sql"
    table = project.root / "migrations" / "20260102000000_create_lists.sql"

    def found() -> list[str]:
        analysis, _ = next(passes)
        return [finding.code for finding in analysis.findings]

    passes = watch_folder(config)
    with contextlib.closing(passes):
        assert found() == []
        more.write_text("-- name: add_note :many\nselect 1 as id\n")
        assert found() == ["Q106"]
        more.write_text("-- name: one_note :many -> Note\nselect 1 as id\n")
        assert found() == ["C107"]
        more.write_bytes(b"-- \xff\n")
        assert found() == ["S101"]
        more.write_text("-- name: list_lists :many\nselect id from lists\n")
        assert found() == ["C101"]
        table.write_text("-- irreversible: a test\ncreate tabel lists (id int primary key);\n")
        assert found() == ["M121"]
        table.write_text("-- irreversible: a test\ncreate table lists (id int primary key);\n")
        assert found() == []
        more.unlink()
        assert found() == []


def test_offline(project: Project) -> None:
    """What `check --cache` wrote is enough to check and generate; what is stale is refused."""
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    offline = Project(project.root, {"DATABASE_URL": nowhere, "TODO_SQL_SCRATCH_URL": nowhere})
    (finding, _) = offline.document("check", "--offline", code=1)["findings"]
    assert (finding["code"], finding["line"]) == ("C120", 1)
    assert "todo-sql check --cache" in finding["fix"]

    notes = project.root / "queries" / "notes.sql"
    notes.write_text(QUERIES + "\n-- name: every_note :many -> Every\nselect * from notes;\n")
    online = project.document("check", "--cache", code=1)
    assert [finding["code"] for finding in online["findings"]] == ["C112"]
    assert offline.document("check", "--offline", code=1) == online
    assert offline.document("describe", "--offline")["queries"] == online["queries"]
    project.run("generate")
    assert offline.document("generate", "--check", "--offline")["stale"] == []

    notes.write_text("-- A line above.\n\n" + notes.read_text().replace("select id,", "select"))
    first, moved = offline.document("check", "--offline", code=1)["findings"]
    assert (first["code"], first["line"]) == ("C120", 3)
    assert "the query changed" in first["cause"]
    assert (moved["code"], moved["line"]) == ("C112", online["findings"][0]["line"] + 2)
    offline.run("generate", "--offline", code=1)

    notes.write_text(QUERIES)
    project.document("check")  # a cache that there is follows
    cached = sorted(path.name for path in (project.root / "queries" / ".cache").iterdir())
    assert cached == ["add_note.json", "list_notes.json"]
    assert offline.document("check", "--offline")["findings"] == []
    added = project.root / "migrations" / "20260101000001_add_mood.sql"
    added.write_text("alter table notes add column mood text;\n")
    causes = {one["cause"] for one in offline.document("check", "--offline", code=1)["findings"]}
    assert causes == {"since it was written, the migrations changed"}
    added.unlink()
    entry = project.root / "queries" / ".cache" / "add_note.json"
    whole = entry.read_text()
    for damaged in (
        "",
        "null",
        "{}",
        whole.replace('"parameters": [', '"parameter": [', 1),
        whole.replace('"nullable": ', '"nullable": 7, "was": ', 1),
        whole.replace('"findings": []', '"findings": [1]', 1),
    ):
        entry.write_text(damaged)
        (finding,) = offline.document("check", "--offline", code=1)["findings"]
        assert "can't be read" in finding["message"], damaged
    offline.run("check", "--offline", "--watch", code=2)


@pytest.mark.database
def test_plans(project: Project, owner: Owner) -> None:
    """Variants that load-test data shows to be badly served; what an index serves is not named."""
    project.run("check", "--plans", "5000", code=2)  # there is no scale.sql
    role = ROLE if owner.kind == "superuser" else owner.name
    (project.root / "pyproject.toml").write_text(
        "[tool.todo-sql]\n"
        f'tenant = {{ parameter = "user_id", setting = "app.user", role = "{role}" }}\n'
    )
    (project.root / "migrations" / "20260101000001_create_items.sql").write_text(
        "-- irreversible: a test\n"
        "create table items (id int primary key, user_id text not null, title text not null);\n"
        "create table links (user_id text, id int, title text not null, primary key (user_id, id));"
        "\nalter table items enable row level security;\n"
        "alter table links enable row level security;\n"
    )
    (project.root / "seeds").mkdir()
    rows = "from generate_series(1, current_setting('seed.scale')::int) as n;\n"
    (project.root / "seeds" / "scale.sql").write_text(
        f"insert into notes (id, title, body) select n, 'title ' || n, 'body' {rows}"
        f"insert into items select n, 'user ' || n % 20, 'title ' || n {rows}"
        f"insert into links select 'user ' || n % 20, n, 'title ' || n {rows}"
    )
    (project.root / "queries" / "notes.sql").write_text(
        "-- name: find_note :many\nselect id, body from notes\nwhere true\n"
        "    and title = :title -- if: title\n    and id = :id -- if: id\norder by id;\n"
        "-- name: first_notes :many -> T\n"
        "select id, title from notes order by title, id limit :limit;\n"
        "-- name: last_note :many\nselect id from notes order by id desc limit 1;\n"
        "-- name: list_items :many -> T\nselect id, title from items where user_id = :user_id;\n"
        "-- name: list_links :page -> T\nselect id, title from links\nwhere user_id = :user_id\n"
        "order by id -- case sort: id\n-- order by title, id -- case sort: title\nlimit :limit;\n"
        "-- name: any_note :many\n-- allow: C122 rare\nselect id from notes where title = :title;\n"
    )
    assert project.document("check")["findings"] == []
    found = project.document("check", "--plans", "5000", code=1)["findings"]
    assert [(one["code"], one["line"]) for one in found] == [
        ("C122", 4), ("C123", 7), ("C121", 11), ("C122", 12), ("C123", 13),
    ]  # fmt: skip
    assert found[0]["cause"] == "with title: PostgreSQL filters by (title = $1)"
    assert "sort title" in found[-1]["cause"]
    # The database of the project was asked whether Citus is there; one that is away need not be
    # asked, unless the project is for Citus.
    away = ("--database", "postgresql://127.0.0.1:1/none")
    assert project.document(*away, "check", "--plans", "5000", code=1)["findings"] == found
    with (project.root / "pyproject.toml").open("a") as settings:
        settings.write('[tool.todo-sql.lint]\nprofile = "citus"\n')
    assert project.document("check", "--plans", "5000", code=1)["findings"] == found
    project.run(*away, "check", "--plans", "5000", code=3)
