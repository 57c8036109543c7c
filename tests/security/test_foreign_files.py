"""`import` of a hostile folder: nothing outside is read, nothing crashes, nothing grows endlessly.

A checkout may hold what looks like another tool's project, and names files, folders and
values as it likes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.importing import lay, run

SECRET = "hush_hush"
PLAN = "%syntax-version=1.0.0\n%project=x\n\na 2020-01-01T00:00:00Z x <x@x> # x\n"
CHANGELOG = "databaseChangeLog:\n  - include: {file: FILE, relativeToChangelogFile: true}\n"
ALL = "databaseChangeLog:\n  - includeAll: {path: FILE, relativeToChangelogFile: true}\n"
SQLC = 'version: "2"\nsql:\n  - {engine: postgresql, queries: "FILE"}\n'

# What lies outside of the project.
OUTSIDE = {
    "secret.sql": f"--liquibase formatted sql\n--changeset a:1\ncreate table {SECRET} (id int);\n",
    "secret.yaml": f"{SECRET}: [\n",
    "q.sql": f"-- name: Get :one\nselect '{SECRET}' as a;\n",
    "migration.sql": f"create table {SECRET} (id int);\n",
    "1_a.sql": f"create table {SECRET} (id int);\n",
    "1_a.up.sql": f"create table {SECRET} (id int);\n",
}
# The tool, the file that names another one, its text with FILE for the name, the other's name.
NAMING = {
    "sqitch: \\i": ("sqitch", "deploy/a.sql", "\\i FILE\n", "secret.sql"),
    "sqitch: \\ir": ("sqitch", "deploy/a.sql", "\\ir FILE\n", "secret.sql"),
    "sqitch: a name": ("sqitch", "sqitch.plan", PLAN + "FILE 2020-01-02T00:00:00Z\n", "secret"),
    "liquibase: SQL": ("liquibase", "changelog.yaml", CHANGELOG, "secret.sql"),
    "liquibase: YAML": ("liquibase", "changelog.yaml", CHANGELOG, "secret.yaml"),
    "liquibase: a folder": ("liquibase", "changelog.yaml", ALL, ""),
    "tern": ("tern", "001_a.sql", '{{ template "FILE" . }}\n', "secret.sql"),
    "sqlc: a file": ("sqlc", "sqlc.yaml", SQLC, "q.sql"),
    "sqlc: a folder": ("sqlc", "sqlc.yaml", SQLC, ""),
    "sqlc: a pattern": ("sqlc", "sqlc.yaml", SQLC, "*.sql"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of its own, and files beside it that are none of its business."""
    root = tmp_path / "project"
    lay(root, {"todo-sql.toml": "", "sqitch.plan": PLAN, "deploy/a.sql": "select 1;\n"})
    lay(tmp_path / "outside", OUTSIDE)
    (root / "aside").symlink_to("../outside")
    (root / "deploy" / "aside").symlink_to("../../outside")
    return root


def nothing_came(project: Path, *words: str) -> None:
    """Run an import, which has to refuse, and show and write nothing of what lies outside."""
    before = {path: path.stat().st_mtime_ns for path in project.parent.rglob("*")}
    code, document = run(project, *words)
    assert code in (1, 2), document
    assert SECRET not in str(document)
    assert {path: path.stat().st_mtime_ns for path in project.parent.rglob("*")} == before


@pytest.mark.parametrize("way", ["absolute", "up", "link"])
@pytest.mark.parametrize("case", NAMING)
def test_no_file_names_one_outside(case: str, way: str, project: Path) -> None:
    """By its path from the root, by ``..``, or through a link of a folder."""
    tool, file, text, name = NAMING[case]
    outside = project.parent / "outside"
    up = os.path.relpath(outside, (project / file).parent)
    if case in ("sqitch: \\i", "sqitch: a name"):
        up = "../outside" if case == "sqitch: \\i" else "../../outside"
    begin = {"absolute": str(outside), "up": up, "link": "aside"}[way]
    if case == "sqitch: a name" and way == "link":
        begin = "aside"
    lay(project, {file: text.replace("FILE", f"{begin}/{name}".rstrip("/"))})
    nothing_came(project, tool, ".")


@pytest.mark.parametrize("kind", ["file", "folder", "folder that was named"])
@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("prisma", "m/2020_a/migration.sql"),
        ("sqlx", "m/1_a.sql"),
        ("golang-migrate", "m/1_a.up.sql"),
        ("dbmate", "m/1_a.sql"),
        ("sqlc", "m/q.sql"),
        ("aiosql", "m/q.sql"),
        ("pugsql", "m/q.sql"),
    ],
)
def test_no_link_leads_outside(tool: str, name: str, kind: str, project: Path) -> None:
    """Neither one in the place of a file, nor one in the place of a folder."""
    path, outside = project / name, project.parent / "outside"
    if kind == "file":
        path.parent.mkdir(parents=True)
        path.symlink_to(outside / path.name)
    elif kind == "folder":
        if path.parent.name == "m":
            pytest.skip("its files lie in the folder itself")
        path.parent.parent.mkdir()
        path.parent.symlink_to(outside)
    else:
        (project / "m").symlink_to(outside)
        if tool == "prisma":
            (outside / "2020_a").mkdir()
            (outside / "migration.sql").rename(outside / "2020_a" / "migration.sql")
    nothing_came(project, tool, "m")


def test_a_link_within_the_project_is_followed(project: Path) -> None:
    """What lies in the project may be reached by more than one way."""
    lay(project, {"own/b.sql": "create table b (id int);\n", "deploy/a.sql": "\\i mine/b.sql\n"})
    (project / "mine").symlink_to("own")
    assert run(project, "sqitch", ".")[0] == 0
    (written,) = (project / "migrations").glob("*.sql")
    assert "create table b" in written.read_text()


V1 = {"sql/V1__a.sql": "create table a (id int, b text default '${b}');\n"}
TEN = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)]
BOMB = "a0: &a0 [x]\n" + "".join(TEN)
MERGES = [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)]
MERGED = "a0: &a0 {x: 1}\n" + "".join(MERGES)
OPTIONS = "sql: [{queries: q, gen: {go: {overrides: [{column: *a11, go_type: *a11}]}}}]\n"
# The tool, its folder, its files.
ODD = {
    **{
        f"sqlc: {text[:30]!r}": ("sqlc", ".", {"sqlc.yaml": text})
        for text in (
            "5", "x", "- 1", "sql: 5", "sql: abc", "sql: {a: 1}", "sql: [{queries: 5}]",
            "sql: [{queries: {a: b}}]", "sql: [{queries: [null, 1]}]", "sql: [{queries: a**b}]",
            'sql: [{queries: "\\0"}]', "sql: [{queries: q, gen: 5}]", "sql: &a [{queries: *a}]",
            "sql: [{queries: q, gen: {go: {overrides: 5}}}]", "sql: 2020-99-99", "a: " + "[" * 5000,
            "sql: [{queries: q, gen: {go: {overrides: [{go_type: {type: {}}, column: []}]}}}]",
            "sql: " + "9" * 6000, "!!python/object/apply:os.abort []", "sql: [{engine: [x]}]",
            BOMB + "sql: [{queries: *a11}]", BOMB + OPTIONS, MERGED + "sql: [{queries: q}]",
        )
    },
    **{
        f"sqlc: json {text[:30]!r}": ("sqlc", ".", {"sqlc.json": text})
        for text in ("[" * 100_000, "5", '{"sql": [{"queries": "a\\u0000\\ud800"}]}')
    },
    **{
        f"flyway: {line!r}": ("flyway", "sql", {**V1, "flyway.conf": f"flyway.{line}\n"})
        for line in (
            "placeholderSuffix=", "placeholderPrefix=", "placeholderSuffix=]", "encoding=rot13",
            "placeholderSuffix=^", "placeholderSuffix=\\", "encoding=undefined", "encoding=a\tb",
            "sqlMigrationSeparator=", "sqlMigrationSuffixes=", "sqlMigrationPrefix=",
        )
    },
    "flyway: deep": ("flyway", "sql", {**V1, "flyway.toml": "[flyway]\na=" + "[" * 5000}),
    **{
        f"liquibase: {text[:40]!r}": ("liquibase", ".", {"changelog.yaml": text})
        for text in (
            "5", "databaseChangeLog: 5", "databaseChangeLog: [5]", "databaseChangeLog: [{a: 5}]",
            "databaseChangeLog: [{include: {file: [a]}}]", "databaseChangeLog: " + "[" * 5000,
            'databaseChangeLog: [{include: {file: "a\\0b"}}]', "databaseChangeLog: [{include: 5}]",
            f"databaseChangeLog: [{{include: {{file: {'a' * 5000}}}}}]",
            BOMB + "databaseChangeLog: [{changeSet: {id: *a11}}, {include: {file: *a11}}]",
        )
    },
    "graphile: numbers": (
        "graphile-migrate", ".",
        {"committed/1-a.sql": "--! Previous: -\nselect 1;\n", ".gmrc": '{"placeholders": 5}'},
    ),
    "graphile: deep": (
        "graphile-migrate", ".",
        {"committed/000001-a.sql": "--! Previous: -\n\nselect 1;\n", ".gmrc": "[" * 100_000},
    ),
    "yoyo: deep": ("yoyo", "m", {"m/1_a.py": f"from yoyo import step\nx = [{'-' * 100_000}1]\n"}),
    "yoyo: mixed": (
        "yoyo", "m", {"m/1_a.py": "from yoyo import step\n__depends__ = {1, ('a',)}\nstep('')\n"},
    ),
    "sqitch: a long name": ("sqitch", ".", {"deploy/a.sql": f"\\ir {'b' * 5000}\n"}),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_no_document_crashes_the_command(case: str, project: Path) -> None:
    """Of whatever shape a configuration is, there is an answer, and it is no internal error."""
    tool, folder, files = ODD[case]
    lay(project, {**files, "q/a.sql": "-- name: GetIt :one\nselect 1 as a;\n"})
    code, document = run(project, tool, folder, "--dry-run")
    assert code in (0, 1, 2), document


GROWING = {
    "sqitch: a file that includes itself": (
        "sqitch", ".", {"deploy/a.sql": "\\ir a.sql\n" * 5 + "select 1;\n"},
    ),
    "tern: a template that holds itself": (
        "tern", ".",
        {"001_a.sql": '{{ template "b.sql" . }}', "b.sql": '{{ template "b.sql" . }}\n' * 20},
    ),
    "flyway: a long value in many places": (
        "flyway", "sql",
        {"sql/V1__a.sql": "${a}\n" * 20_000,
         "flyway.conf": "flyway.placeholders.a=" + "x" * 100_000},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GROWING)
def test_small_files_do_not_become_endless(case: str, project: Path) -> None:
    """What files and values put into each other has an end, and is told."""
    tool, folder, files = GROWING[case]
    lay(project, files)
    code, document = run(project, tool, folder, "--dry-run")
    assert (code, document["error"]["code"]) == (2, "A111")


def test_changelogs_are_read_once(project: Path) -> None:
    """Forty that include the next one twice are forty; one that leads back is told."""
    twice = "".join(CHANGELOG.splitlines(keepends=True)[1:] * 2)
    files = {
        f"c/{n}.yaml": "databaseChangeLog:\n" + twice.replace("FILE", f"../c/{n + 1}.yaml")
        for n in range(40)
    }
    files["c/40.yaml"] = CHANGELOG.replace("FILE", "last.sql")
    files["c/last.sql"] = "--liquibase formatted sql\n--changeset a:1\nselect 1;\n"
    lay(project, {**files, "changelog.yaml": CHANGELOG.replace("FILE", "c/0.yaml")})
    code, document = run(project, "liquibase", ".", "--dry-run")
    assert (code, [one["key"] for one in document["files"]]) == (0, ["a:1:last.sql"])
    lay(project, {"c/40.yaml": CHANGELOG.replace("FILE", "../c/../c/3.yaml")})
    code, document = run(project, "liquibase", ".", "--dry-run")
    assert (code, [one["code"] for one in document["refused"]]) == (1, ["A114"])


@pytest.mark.parametrize("kind", ["pipe", "folder", "bytes", "link"])
def test_what_is_in_the_way_is_not_opened(kind: str, project: Path) -> None:
    """A pipe, a folder or a link in the place of a new file ends the command, and is told."""
    lay(project, {"m/q.sql": "-- name: get^\nselect 1 as a;\n"})
    place = project / "queries" / "q.sql"
    place.parent.mkdir()
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "bytes":
            place.write_bytes(b"\xff")
        case "link":
            place.symlink_to(project.parent / "outside" / "secret.yaml")
    nothing_came(project, "aiosql", "m")
