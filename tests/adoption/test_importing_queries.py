"""`import sqlc|aiosql|pugsql`: queries come over as ours, and what does not is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.importing import lay, run

from todo_sql.adoption.query_edits import snake_case

SCHEMA = """
create table authors (id bigint generated always as identity primary key, name text not null,
    bio text, "class" text);
create table books (id bigint generated always as identity primary key,
    author_id bigint not null references authors, title text not null, tags text[] not null);
"""
CONFIGURATION = """
version: "2"
sql:
  - engine: postgresql
    queries: [db/authors.sql, "db/more"]
    schema: db/schema.sql
    gen:
      go:
        overrides:
          - {db_type: uuid, go_type: github.com/google/uuid.UUID}
          - column: books.tags
            go_type: {import: example.com/app, type: TagList}
  - engine: mysql
    queries: other
"""

# What stands below a header there, and what it is here.
SQLC = {
    "a number after `=`": (
        "GetAuthor :one",
        "select id, name from authors where id = $1",
        "get_author :one",
        "select id, name from authors where id = :id",
    ),
    "numbers of an insert, and of an update": (
        "CreateBook :exec",
        "insert into books (author_id, title, tags) values ($1, lower($2), $3)",
        "create_book :exec",
        "insert into books (author_id, title, tags) values (:author_id, lower(:title), :tags)",
    ),
    "a number twice, two of one column, a limit": (
        "Span :many",
        "select id from books where id >= $1 and id < $2 or $1 = id order by id limit $3",
        "span :many",
        "select id from books where id >= :id and id < :id_2 or :id = id order by id limit :limit",
    ),
    "a number that meets no column": (
        "Sum :one",
        "select $1::int + 1 as sum",
        "sum :one",
        "select :p1::int + 1 as sum",
    ),
    "names": (
        "ByName :many",
        "select id from authors where name = @authorName and bio = sqlc.arg('bio')",
        "by_name :many",
        "select id from authors where name = :author_name and bio = :bio",
    ),
    "in a subscript": (
        "Last :many",
        "select tags[2 - @from_tag:] as x, tags[1:$1] as y, array[@one::text, (tags)[$2]] as a, "
        "(tags[@least::int:sqlc.arg(most)::int])[1] as b from books where id = $3",
        "last :many",
        "select tags[2 - (:from_tag):] as x, tags[1:(:p1)] as y, "
        "array[:one::text, (tags)[(:p2)]] as a, "
        "(tags[(:least)::int:(:most)::int])[1] as b from books where id = :id",
    ),
    "@ as an operator stays": (
        "Tagged :many",
        "select id from books where tags @> @tags::text[] and @ id = 1",
        "tagged :many",
        "select id from books where tags @> :tags::text[] and @ id = 1",
    ),
    "narg": (
        "Rename :execrows",
        "update authors set name = coalesce(sqlc.narg(name), name) where id = @id",
        "rename :execrows\n-- param: name?",
        "update authors set name = coalesce(:name, name) where id = :id",
    ),
    "slice": (
        "Some :many",
        "select id from books where id in (sqlc.slice('ids')) and title not in (sqlc.slice(bad))",
        "some :many",
        "select id from books where id = any(:ids) and title <> all(:bad)",
    ),
    "a slice that is an array already": (
        "Few :many",
        "select id from books where id = any(sqlc.slice(ids)::bigint[])",
        "few :many",
        "select id from books where id = any(:ids::bigint[])",
    ),
    "embed": (
        "Both :many",
        "select sqlc.embed(a), b.title from authors as a join books b on b.author_id = a.id",
        "both :many",
        'select a.id as "a.id",\n    a.name as "a.name",\n    a.bio as "a.bio",\n'
        '    a.class as "a.class_", b.title from authors as a join books b on b.author_id = a.id',
    ),
    "stars": (
        "All :many",
        "select * from authors",
        "all :many",
        "select id, name, bio, class as class_ from authors",
    ),
    "the star of one of two": (
        "Mine :many",
        "select b.*, a.name from books b join authors a on a.id = b.author_id",
        "mine :many",
        "select b.id, b.author_id, b.title, b.tags, a.name from books b join authors a on"
        " a.id = b.author_id",
    ),
    "returning, and no star of count": (
        "Drop :one",
        "delete from books where id = $1 returning *",
        "drop :one",
        "delete from books where id = :id returning id, author_id, title, tags",
    ),
    "batches": (
        "PutBooks :batchexec",
        "update books set title = $1 where id = $2",
        "put_books :batch",
        "update books set title = :title where id = :id",
    ),
    "execresult": (
        "Clean :execresult",
        "delete from books where title = 'a $1 @b'",
        "clean :execrows",
        "delete from books where title = 'a $1 @b'",
    ),
    "comments like ours": (
        "Odd :many",
        "-- if: this\n-- @sqlc-vet-disable\nselect id -- param: x\nfrom books",
        "odd :many",
        "-- # if: this\n\nselect id -- # param: x\nfrom books",
    ),
    "between": (
        "Years :many",
        "select id from books where id between $1 and $2",
        "years :many",
        "select id from books where id between :id_from and :p2",
    ),
}
AIOSQL = {
    "many": ("all-books()", "select id from books", "all_books :many", "select id from books"),
    "numbers, as Go's tools for such files have them": (
        "get-book",
        "select id from books where id = $1 and title = $2 and tags = tags[:$3]",
        "get_book :many",
        "select id from books where id = :id and title = :title and tags = tags[:(:p3)]",
    ),
    "first row": (
        "get(id)^",
        "select id, title from books where id = :id",
        "get :optional",
        "select id, title from books where id = :id",
    ),
    "scalar, a cast": (
        "title(id)$",
        "select title::text from books where id = :id::bigint",
        "title :optional",
        "select title::text from books where id = :id::bigint",
    ),
    "affected, dots": (
        "put(book)!",
        "update books set title = :book.title where id = :book.id",
        "put :execrows",
        "update books set title = :book_title where id = :book_id",
    ),
    "returning": (
        "add(name)<!",
        "insert into authors (name) values (:name) returning id",
        "add :one",
        "insert into authors (name) values (:name) returning id",
    ),
    "many sets": (
        "rename(id, name)*!",
        "update authors set name = :name where id = :id",
        "rename :batch",
        "update authors set name = :name where id = :id",
    ),
    "a class, and documentation": (
        "one(id)^\n-- record_class: Book",
        "-- One book.\nselect id, title from books where id = :id",
        "one :optional -> Book",
        "-- One book.\nselect id, title from books where id = :id",
    ),
    "slices": (
        "tags(n, m)",
        "select tags[1:n] as a, tags[:m] as b from books",
        "tags :many",
        "select tags[1:(:n)] as a, tags[(:m)] as b from books",
    ),
    "without a list": ("old^", "select 1 as a", "old :optional", "select 1 as a"),
}
PUGSQL = {
    "one": (
        "--- :name get :one",
        "select id, title from books where id = :id",
        "get :optional",
        "select id, title from books where id = :id",
    ),
    "many, a list": (
        "-- :name some :many",
        "select id from books where id in :ids and title not in :bad",
        "some :many",
        "select id from books where id = any(:ids) and title <> all(:bad)",
    ),
    "affected, escapes": (
        "-- :name put :affected",
        "update books set title = '\\:x' where id = :id\\:\\:bigint",
        "put :execrows",
        "update books set title = ':x' where id = :id::bigint",
    ),
    "result below, documentation": (
        "-- :name count\n-- :result :scalar\n-- :doc How many.",
        "select count(*) as n from books",
        "count :optional\n-- How many.",
        "select count(*) as n from books",
    ),
    "insert with returning": (
        "-- :name add :insert",
        "insert into authors (name) values (:name) returning id",
        "add :one",
        "insert into authors (name) values (:name) returning id",
    ),
    "raw": ("-- :name any", "select 1 as a", "any :many", "select 1 as a"),
}
TOOLS = {
    "sqlc": (SQLC, "-- name: {}\n{};\n"),
    "aiosql": (AIOSQL, "-- name: {}\n{};\n"),
    "pugsql": (PUGSQL, "{}\n{};\n"),
}
CASES = [(tool, name) for tool, (cases, _) in TOOLS.items() for name in cases]


@pytest.fixture
def project(tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a schema, and no queries yet."""
    lay(
        tmp_path,
        {
            "pyproject.toml": "[tool.todo-sql]\n",
            "migrations/20260101090000_books.sql": f"-- irreversible: a test\n{SCHEMA}",
        },
    )
    return tmp_path


def brought(project: Path, tool: str, database: str, *words: str) -> tuple[int, Any]:
    """Import queries, checked on a scratch database beside a test's."""
    return run(project, tool, *words, TODO_SQL_SCRATCH_URL=database)


@pytest.mark.database
@pytest.mark.parametrize("tool", TOOLS)
def test_queries_come_over(tool: str, project: Path, empty_database: str) -> None:
    """Headers, parameters and macros are ours; `check` has nothing against them."""
    cases, template = TOOLS[tool]
    files = {
        f"old/q{number}.sql": template.format(head, body)
        for number, (head, body, _, _) in enumerate(cases.values())
    }
    lay(project, files)
    code, document = brought(project, tool, empty_database, "old")
    assert document["refused"] == []
    written = {
        name: (project / "queries" / f"q{number}.sql").read_text()
        for number, name in enumerate(cases)
    }
    assert written == {
        name: f"-- name: {head}\n{body};\n" for name, (_, _, head, body) in cases.items()
    }
    serious = [one for one in document["check"]["findings"] if one["severity"] == "error"]
    assert [one["message"] for one in serious] == [], serious
    assert document["check"]["queries"] == len(cases)
    assert code in (0, 1)
    again = brought(project, tool, empty_database, "old")
    assert again == (code, document)


@pytest.mark.database
def test_a_configuration_of_sqlc(project: Path, empty_database: str) -> None:
    """Its query files are read, and its overrides and other engines are told."""
    query = "-- name: {} :one\nselect 1 as a;\n"
    lay(
        project,
        {
            "sqlc.yaml": CONFIGURATION,
            "db/authors.sql": query.format("GetOne"),
            "db/more/pay-load.sql": query.format("GetTwo"),
            "db/more/models.sql": query.format("GetOne"),
            "other/x.sql": query.format("Never"),
        },
    )
    code, document = brought(project, "sqlc", empty_database)
    assert code == 0
    assert {one["to"] for one in document["files"]} == {
        "queries/authors.sql",
        "queries/more/pay_load.sql",
        "queries/more/models.sql",
    }
    names = [query["name"] for one in document["files"] for query in one["queries"]]
    assert sorted(names) == ["get_one", "get_two", "models_get_one"]
    told = [(one["code"], one["line"], one["message"]) for one in document["warnings"]]
    assert [one[0] for one in told] == ["A151", "A151"]
    assert {one[1] for one in told} >= {11}
    assert "books.tags" in json.dumps(told) and "mysql" in json.dumps(told)


LEFT = {
    "execlastid": ("sqlc", "-- name: Add :execlastid\ninsert into books default values;\n", 1),
    "a script": ("aiosql", "-- name: make()#\ncreate table a (b int);\ncreate table c ();\n", 1),
    "an unknown result": ("pugsql", "-- :name x :two\nselect 1;\n", 1),
    "a text that does not end": ("sqlc", "-- name: Odd :one\nselect 'a;\n", 1),
}


@pytest.mark.parametrize(("tool", "text", "line"), LEFT.values(), ids=LEFT)
def test_what_cannot_come_over(tool: str, text: str, line: int, tmp_path: Path) -> None:
    """It is told at its place, and stands in the new file as a comment; the rest comes over."""
    good = {
        "sqlc": "-- name: A :one\nselect 1;\n",
        "aiosql": "-- name: a()$\nselect 1;\n",
        "pugsql": "-- :name a :one\nselect 1;\n",
    }[tool]
    lay(tmp_path, {"pyproject.toml": "[tool.todo-sql]\n", "old/q.sql": text, "old/a.sql": good})
    code, document = run(tmp_path, tool, "old")
    assert code == 1 and document["check"] is None
    (refused,) = document["refused"]
    assert (refused["code"], refused["file"], refused["line"]) == ("A150", "old/q.sql", line)
    kept = (tmp_path / "queries" / "q.sql").read_text()
    assert kept == "".join(f"-- # {one}\n" for one in text.rstrip("\n").split("\n"))
    assert (tmp_path / "queries" / "a.sql").is_file()


@pytest.mark.parametrize("above", ["create table a (\n    b int\n);\n\n", "select 'a\n", "-- all"])
@pytest.mark.parametrize("tool", TOOLS)
def test_what_stands_above_the_queries(tool: str, above: str, tmp_path: Path) -> None:
    """Comments stay; SQL, which is no query for any tool, becomes a comment, and is told."""
    query = "-- :name a :one\nselect 1;\n" if tool == "pugsql" else "-- name: a :one\nselect 1;\n"
    lay(tmp_path, {"pyproject.toml": "[tool.todo-sql]\n", "old/q.sql": f"{above}\n{query}"})
    code, document = run(tmp_path, tool, "old")
    assert code == 0 and document["refused"] == []
    assert [one["code"] for one in document["warnings"]] == ["A151"] * (above != "-- all")
    head, _, _ = (tmp_path / "queries" / "q.sql").read_text().partition("-- name: a")
    kept = head.replace("-- # ", "").replace("-- #", "") if above != "-- all" else head
    assert kept.strip() == above.strip()


@pytest.mark.parametrize(
    ("tool", "head"),
    [("sqlc", "Get :one"), ("aiosql", "get()<!"), ("pugsql", "")],
)
def test_one_file_of_a_folder(tool: str, head: str, tmp_path: Path) -> None:
    """It is named itself, and the others stay where they are."""
    line = f"-- name: {head}\n" if head else "--- :name get :one\n"
    lay(tmp_path, {"pyproject.toml": "[tool.todo-sql]\n"})
    lay(tmp_path, {f"sql/{name}.sql": f"{line}select 1 as a;\n" for name in ("one", "two")})
    code, document = run(tmp_path, tool, "sql/one.sql")
    assert code == 0, document
    assert [one["to"] for one in document["files"]] == ["queries/one.sql"]


def test_without_a_schema(tmp_path: Path) -> None:
    """Embedded tables stay to be written, and nothing is checked."""
    text = "-- name: A :many\nselect sqlc.embed(books) from books;\n"
    lay(tmp_path, {"pyproject.toml": "[tool.todo-sql]\n", "old/q.sql": text})
    code, document = run(tmp_path, "sqlc", "old")
    assert (code, document["check"]) == (0, None)
    assert [one["code"] for one in document["warnings"]] == ["A151"]


def test_what_is_in_the_way(tmp_path: Path) -> None:
    """A file that was changed here is not written over; a dry run writes none."""
    lay(
        tmp_path,
        {"pyproject.toml": "[tool.todo-sql]\n", "old/q.sql": "-- name: a()$\nselect 1;\n"},
    )
    assert run(tmp_path, "aiosql", "old", "--dry-run")[0] == 0
    assert not (tmp_path / "queries").exists()
    lay(tmp_path, {"queries/q.sql": "-- mine\n"})
    code, document = run(tmp_path, "aiosql", "old")
    assert code == 1 and document["findings"][0]["code"] == "A152"
    assert (tmp_path / "queries" / "q.sql").read_text() == "-- mine\n"
    assert run(tmp_path, "aiosql", "old", "--to", "new")[0] == 0
    assert run(tmp_path, "aiosql", "old", "--ledger")[0] == 2
    assert run(tmp_path, "aiosql", "queries")[0] == 2


PAGE = Path(__file__).parents[2] / "docs" / "coming-over.md"


@pytest.mark.parametrize("tool", TOOLS)
def test_a_command_of_the_page(tool: str, tmp_path: Path) -> None:
    """It brings a small folder over as the page types it."""
    (words,) = re.findall(rf"^\$ todo-sql import ({tool} .+)$", PAGE.read_text(), re.MULTILINE)
    cases, template = TOOLS[tool]
    head, body, _, _ = next(iter(cases.values()))
    folder = words.split()[1]
    lay(
        tmp_path,
        {"pyproject.toml": "[tool.todo-sql]\n", f"{folder}/a.sql": template.format(head, body)},
    )
    code, document = run(tmp_path, *words.split())
    assert code == 0 and len(document["files"]) == 1


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        ({"sqlc.yaml": 'version: "2"\n'}, "sqlc"),
        ({"q/a.sql": "-- name: a()^\nselect 1\n"}, "aiosql"),
        ({"q/a.sql": "-- :name a :one\nselect 1\n"}, "pugsql"),
    ],
)
def test_what_is_recognised(files: dict[str, str], tool: str, tmp_path: Path) -> None:
    """`import` alone says whose queries lie here; ours are nobody else's."""
    lay(tmp_path, {**files, "queries/a.sql": "-- name: b :one\nselect 1;\n"})
    code, document = run(tmp_path)
    assert (code, [one["tool"] for one in document["recognised"]]) == (0, [tool])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("GetURLByID", "get_url_by_id"),
        ("CreateDAGs", "create_dags"),
        ("listV1Tasks", "list_v1_tasks"),
        ("snake_case", "snake_case"),
    ],
)
def test_names(name: str, ours: str) -> None:
    """Capitals become words."""
    assert snake_case(name) == ours
