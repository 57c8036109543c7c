"""Waivers, the choice of files, what is mended, and how squawk and sqlfluff come in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from todo_sql.cli.app import main
from todo_sql.config import load_config
from todo_sql.errors import ExitCode
from todo_sql.review.linting.lint import lint

TABLE = """create table notes (id bigint constraint notes_pkey primary key);

comment on table notes is 'Notes.';
comment on column notes.id is 'Number.';
"""
FIRST = "20260101090000_create_notes"
SECOND = "20260102090000_change_notes"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one table and nothing to complain about."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "queries").mkdir()
    write(tmp_path, FIRST, TABLE, "drop table notes;\n")
    return tmp_path


def write(project: Path, name: str, forward: str, rollback: str) -> None:
    """Write a migration."""
    (project / "migrations" / f"{name}.sql").write_text(forward, encoding="utf-8")
    (project / "migrations" / f"{name}.rollback.sql").write_text(rollback, encoding="utf-8")


def codes(project: Path) -> list[str]:
    """Return the codes that stand."""
    return [finding.code for finding in lint(load_config(project, environment={})).findings]


def test_a_clean_project(project: Path) -> None:
    """Nothing is found where nothing is wrong."""
    assert codes(project) == []


@pytest.mark.parametrize(
    ("steps", "flagged"),
    [
        (["add constraint notes_body_check check (body is not null) not valid"], True),
        (
            [
                "add constraint notes_body_check check (body is not null) not valid",
                "validate constraint notes_body_check",
            ],
            False,
        ),
        (
            [
                "add constraint notes_body_check check (body is not null) not valid",
                "validate constraint notes_body_check",
                "drop constraint notes_body_check",
            ],
            True,
        ),
        (
            [
                "add constraint notes_body_check check (body is null) not valid",
                "validate constraint notes_body_check",
            ],
            True,
        ),
    ],
)
def test_not_null_that_a_check_has_proved(project: Path, steps: list[str], flagged: bool) -> None:
    """The last step of the way that squawk recommends is not flagged; without proof it is."""
    write(project, SECOND, "alter table notes add column body text;\n", "select 1;\n")
    for number, step in enumerate([*steps, "alter column body\n    set not null"], 3):
        name = f"2026010{number}090000_step_{number}"
        write(project, name, f"alter table notes {step};\n", "select 1;\n")
    assert ("adding-not-nullable-field" in codes(project)) is flagged


PARTS = """-- irreversible: a test
create table parts (id bigint not null, at date not null, note text) partition by range (at);
create table parts_1 partition of parts for values from ('2026-01-01') to ('2027-01-01');
create materialized view seen as select 1 as one;
create sequence numbers;
create foreign table far (id bigint) server other;
"""


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("alter index idx_parts attach partition idx_parts_1", set()),
        ("alter index idx_parts rename to idx_parts_at", set()),
        ("alter index idx_parts set (fillfactor = 70)", set()),
        ("alter index idx_parts set tablespace pg_default", set()),
        ("alter index idx_parts_1 set tablespace pg_default", {"R408"}),
        ("alter sequence numbers set unlogged", set()),
        ("alter foreign table far add column b bigint generated always as (1) stored", set()),
        ("alter materialized view seen set access method heap", {"R408"}),
        ("alter table parts set tablespace pg_default", set()),
        ("alter table parts set access method heap", set()),
        (
            "alter table parts add column b bigint generated always as (1) stored",
            {"R408", "adding-field-with-default"},
        ),
        ("alter table parts_1 set access method heap", {"R408"}),
        ("create index idx_note on only parts (note)", set()),
        ("create index idx_note on parts (note)", {"require-concurrent-index-creation"}),
        ("create index idx_note on only parts_1 (note)", {"require-concurrent-index-creation"}),
        ("alter table only parts add constraint parts_pkey primary key (id, at)", set()),
        ("alter table only parts add constraint parts_at_key unique (at)", set()),
        ("alter table only parts add constraint e exclude using gist (at with =)", set()),
        (
            "alter table parts add constraint e exclude using gist (at with =)",
            {"R309", "constraint-missing-not-valid"},
        ),
        (
            "alter table parts add constraint parts_pkey primary key (id, at)",
            {"constraint-missing-not-valid", "adding-serial-primary-key-field"},
        ),
        ("alter table other attach partition parts_1 default", {"R308"}),
        (
            "alter view v set (check_option = local);\nupdate parts set note = 'x' where id = 1",
            set(),
        ),
        ("alter index idx_parts reset (fillfactor);\ndelete from parts where id = 1", set()),
        ("alter table parts add column b bigint;\ndelete from parts where id = 1", {"R402"}),
    ],
)
def test_what_has_no_rows_is_neither_built_nor_read(
    project: Path, statement: str, wanted: set[str]
) -> None:
    """Partitioned tables and their indexes, sequences, foreign tables; a partition has rows."""
    write(project, SECOND, PARTS, "select 1;\n")
    (project / "migrations" / f"{SECOND}.rollback.sql").unlink()
    indexes = "create index idx_parts on only parts (at);\n"
    write(project, "20260103090000_parents", indexes, "drop index idx_parts;\n")
    each = "-- transactional: false\ncreate index concurrently idx_parts_1 on parts_1 (at);\n"
    write(project, "20260104090000_each", each, "drop index idx_parts_1;\n")
    write(project, "20260105090000_last", f"{statement};\n", "select 1;\n")
    found = [
        one
        for one in lint(load_config(project, environment={})).findings
        if one.place and "_last.sql" in one.place.file and not one.code.startswith(("R50", "PRS"))
    ]
    assert {one.code for one in found} - {"R502", "LT05", "R304", "R305"} == wanted
    if statement == "create index idx_note on parts (note)":
        assert found[0].fix and "attach partition" in found[0].fix


def test_a_finding_of_each_source(project: Path) -> None:
    """Our rule, squawk's and sqlfluff's come from one run, each with its place and fix."""
    write(
        project,
        SECOND,
        "vacuum full notes;\ncreate index idx_notes on notes (id);\nSELECT 1;\n",
        "drop index idx_notes;\n",
    )
    found = {f.code: f for f in lint(load_config(project, environment={})).findings}
    assert {"R403", "require-concurrent-index-creation", "CP01"} <= found.keys()
    for code in ("R403", "require-concurrent-index-creation", "CP01"):
        assert found[code].place and found[code].fix
    place = found["require-concurrent-index-creation"].place
    assert place and place.line == 2


@pytest.mark.parametrize("before", ["", "select 'ééé𝄞'; ", "/* \x0b\x0c\u2028\x85 */ "])
@pytest.mark.parametrize("above", ["", "-- 𝄞 é\n", "-- \x0b\x0c\u2028\x85 é\n", "-- é\r\n"])
def test_the_place_of_what_squawk_finds(project: Path, above: str, before: str) -> None:
    """At its character, whatever stands before it in the line and above it."""
    statement = "create index idx_notes on notes (id);"
    text = f"{above}{before}{statement}\n"
    (project / "migrations" / f"{SECOND}.sql").write_bytes(text.encode())
    (project / "migrations" / f"{SECOND}.rollback.sql").write_text("drop index idx_notes;\n")
    found = {f.code: f.place for f in lint(load_config(project, environment={})).findings}
    place = found["require-concurrent-index-creation"]
    assert place and place.excerpt
    assert place.excerpt[place.column - 1 :] == statement


def test_a_waiver_by_name_or_code(project: Path) -> None:
    """A waiver covers its file; what it covers is still listed as waived."""
    for rule in ("R405", "lock-table"):
        write(
            project, SECOND, f"-- allow: {rule} a short table\nlock table notes;\n", "select 1;\n"
        )
        review = lint(load_config(project, environment={}))
        assert review.findings == ()
        assert [finding.code for finding in review.waived] == ["R405"]


def test_a_waiver_that_waives_nothing(project: Path) -> None:
    """It is a finding, at its own line."""
    text = "-- allow: R405 was needed once\n-- allow: P101 plan looks at it\nselect 1;\n"
    write(project, SECOND, text, "select 1;\n")
    (finding,) = lint(load_config(project, environment={})).findings
    assert finding.code == "R002"
    assert finding.place and finding.place.line == 1


@pytest.mark.parametrize("waiver", ["unknown-fate", "M127"])
@pytest.mark.parametrize(
    ("head", "statement", "idle"),
    [
        ("-- transactional: false\n", "insert into notes (id) values (1);", False),
        ("-- transactional: false\n", "create table if not exists more (id int);", True),
        ("", "insert into notes (id) values (1);", True),
    ],
    ids=["in doubt", "may run again", "in a transaction"],
)
def test_the_waiver_of_a_statement_in_doubt(
    project: Path, waiver: str, head: str, statement: str, *, idle: bool
) -> None:
    """It is idle where `migrate` does not ask for it, in a rollback file as well."""
    text = f"{head}-- allow: {waiver} a test\n{statement}\n"
    write(project, SECOND, text, text)
    found = list(lint(load_config(project, environment={})).findings)
    told = [one.place.line for one in found if one.code == "R002" and one.place]
    assert told == (2 * [1 + head.count("\n")] if idle else [])
    assert "M127" not in [one.code for one in found]


def test_a_syntax_error_has_its_place(project: Path) -> None:
    """A file that is no SQL is a finding, and the others are still reviewed."""
    write(project, SECOND, "select 1;\ncreate tabel x ();\n", "lock table notes;\n")
    found = {f.code: f.place for f in lint(load_config(project, environment={})).findings}
    assert "R405" in found
    assert found["M121"] and (found["M121"].line, found["M121"].column) == (2, 8)
    assert not {"PRS", "syntax-error", "M131"} & found.keys()  # it is told once


def test_what_another_tool_cannot_read_may_be_right(project: Path) -> None:
    """Sqlfluff gives a long file up; that is no mistake of the file."""
    rows = "".join(f"insert into notes (id) values ({n});\n" for n in range(12_000))
    write(project, SECOND, rows, "delete from notes where true;\n")
    found = lint(load_config(project, environment={}))
    assert not [finding for finding in found.findings if finding.code == "PRS"]
    assert any(f"{SECOND}.sql" in reason and "too long" in reason for reason in found.skipped)


@pytest.mark.parametrize(
    ("code", "text", "rollback"),
    [
        ("M104", "select 1;\n", "-- nothing\n"),
        ("M112", "select 1;\n-- transactional: false\n", "select 1;\n"),
        ("M122", "\\set on\nselect 1;\n", "select 1;\n"),
        ("M124", "-- allow: M124 please\nbegin;\nselect 1;\ncommit;\n", "select 1;\n"),
        ("M128", "create index concurrently i on notes (id);\n", "select 1;\n"),
    ],
)
def test_what_the_migrator_would_refuse(project: Path, code: str, text: str, rollback: str) -> None:
    """It is found without a database, and no waiver helps."""
    write(project, SECOND, text, rollback)
    assert code in codes(project)


def test_a_rule_sees_the_whole_history(project: Path) -> None:
    """A comment or an index in a later migration mends what an earlier one lacks."""
    write(project, FIRST, TABLE.splitlines()[0] + "\n", "drop table notes;\n")
    assert codes(project) == ["R501", "R502"]
    comments = "\n".join(TABLE.splitlines()[2:]) + "\n"
    write(project, SECOND, comments, "comment on table notes is null;\n")
    assert codes(project) == []


def test_a_query_without_where(project: Path) -> None:
    """Queries are reviewed, too, at their place in the file."""
    text = "-- name: clear :exec\n-- Clear all.\ndelete from notes;\n"
    (project / "queries" / "notes.sql").write_text(text, encoding="utf-8")
    (finding,) = lint(load_config(project, environment={})).findings
    assert finding.code == "R401"
    assert finding.place and (finding.place.file, finding.place.line) == ("queries/notes.sql", 3)


def test_since_a_revision(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only files that changed since are reported on, untracked ones too."""
    write(project, FIRST, TABLE + "lock table notes;\n", "drop table notes;\n")
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    write(project, SECOND, "lock table notes;\n", "select 1;\n")
    arguments = ["--project", str(project), "lint", "--since", "HEAD", "--json"]
    assert main(arguments) == ExitCode.FINDINGS
    files = {finding["file"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert files == {f"migrations/{SECOND}.sql"}
    assert main(["--project", str(project), "lint", "--since", "nowhere"]) == ExitCode.USAGE


def test_fix_mends_what_is_certain(project: Path) -> None:
    """A view becomes security_invoker and the style is mended; the rest is left."""
    (project / "pyproject.toml").write_text(
        '[tool.todo-sql]\ntenant = { parameter = "user_id", setting = "app.user", role = "app" }\n',
        encoding="utf-8",
    )
    text = "create view v as SELECT id from notes;\n"
    write(project, SECOND, text, "drop view v;\n")
    assert main(["--project", str(project), "--quiet", "lint", "--fix"]) == ExitCode.OK
    mended = (project / "migrations" / f"{SECOND}.sql").read_text(encoding="utf-8")
    assert mended == "create view v with (security_invoker = true) as select id from notes;\n"


def test_formats(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub annotations, a JSON document, and the exit code of findings."""
    write(project, SECOND, "lock table notes;\n", "select 1;\n")
    arguments = ["--project", str(project), "lint", "--format"]
    assert main([*arguments, "github"]) == ExitCode.FINDINGS
    annotation = capsys.readouterr().out
    assert annotation.startswith(f"::warning file=migrations/{SECOND}.sql,line=1,col=1::R405")
    assert main([*arguments, "json"]) == ExitCode.FINDINGS
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "R405"


LINTED = """create table words (id bigint constraint words_pkey primary key, text json);
LOCK TABLE words;
create index idx_words on notes (id);
vacuum full notes;
"""


@pytest.mark.parametrize(
    ("section", "gone"),
    [
        ("disable = []", set()),
        ("disable = ['R501']", {"R501"}),
        ("disable = ['r502', 'lock-table']", {"R502", "R405"}),
        ("disable = ['require-concurrent-index-creation']", {"require-concurrent-index-creation"}),
        ("disable = ['CP01']", {"CP01"}),
        ("disable = ['capitalisation.keywords']", {"CP01"}),
        ("disable = ['capitalisation']", {"CP01"}),
        ("paths = { 'migrations/2026*' = ['R501', 'CP01'] }", {"R501", "CP01"}),
        ("paths = { 'migrations/2025*' = ['R501', 'CP01'] }", set()),
        ("paths = { '*change*' = { disable = ['json-instead-of-jsonb'] } }", {"R504"}),
    ],
)
def test_a_project_disables_rules(project: Path, section: str, gone: set[str]) -> None:
    """Ours, squawk's and sqlfluff's, by code, name or group; everywhere or in some files."""
    write(project, SECOND, LINTED, "drop table words;\n")
    whole = set(codes(project))
    assert {"R501", "R502", "R405", "R504", "CP01", "require-concurrent-index-creation"} <= whole
    configure(project, section)
    assert set(codes(project)) == whole - gone


def configure(project: Path, section: str) -> None:
    """Give the project a lint section."""
    (project / "pyproject.toml").write_text(
        f"[tool.todo-sql]\n[tool.todo-sql.lint]\n{section}\n", encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("section", "severity"),
    [
        ("severity = { R405 = 'info' }", "info"),
        ("severity = { lock-table = 'error' }", "error"),
        (
            "severity = { R405 = 'error' }\npaths = { '*' = { severity = { R405 = 'info' } } }",
            "info",
        ),
        ("paths = { 'queries/*' = { severity = { R405 = 'info' } } }", "warning"),
    ],
)
def test_a_project_weighs_rules(project: Path, section: str, severity: str) -> None:
    """A finding of severity info leaves the exit code alone; the nearer word wins."""
    write(project, SECOND, "lock table notes;\n", "select 1;\n")
    configure(project, section)
    (finding,) = lint(load_config(project, environment={})).findings
    assert (finding.code, finding.severity) == ("R405", severity)
    expected = ExitCode.OK if severity == "info" else ExitCode.FINDINGS
    assert main(["--project", str(project), "--quiet", "lint"]) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("table-without-coment", "did you mean `table-without-comment`?"),
        ("R999", "R005"),
        ("M121", "cannot be disabled"),
        ("no-such-rule", "R005"),
    ],
)
def test_a_rule_that_nobody_has_is_an_error(
    project: Path, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelled name would disable nothing, in silence."""
    configure(project, f"paths = {{ '*' = ['{word}'] }}")
    assert main(["--project", str(project), "lint"]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", 1),
        ("excluded_rules = ['require-concurrent-index-creation']", 0),
        ("excluded_paths = ['migrations/20260102*']", 0),
        ("excluded_paths = ['*_change_notes.sql']", 0),
        ("excluded_paths = ['migrations/20260101*']", 1),
        ("pg_version = '9.6'", 1),
    ],
)
@pytest.mark.parametrize("above", [False, True])
def test_squawk_has_the_configuration_of_the_project(
    project: Path, text: str, left: int, above: bool
) -> None:
    """``.squawk.toml`` counts beside the project or above it, wherever the command is run."""
    write(project, SECOND, "create index idx_notes on notes (id);\n", "drop index idx_notes;\n")
    ((project.parent if above else project) / ".squawk.toml").write_text(text, encoding="utf-8")
    assert codes(project).count("require-concurrent-index-creation") == left


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".squawk.toml", "excluded_rules ="),
        (".squawk.toml", "excluded_rules = 'x'"),
        (".sqlfluff", "[sqlfluff]\ndialect = nothing\n"),
        (".sqlfluff", "dialect = postgres\n"),
    ],
)
def test_a_configuration_that_cannot_be_read(
    project: Path, file: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, with the file."""
    (project / file).write_text(text, encoding="utf-8")
    assert main(["--project", str(project), "lint"]) == ExitCode.USAGE
    assert "error[R006]" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "[sqlfluff]\ndialect = postgres\n"])
@pytest.mark.parametrize("name", ["limit", "id", "table", "a_name", "user", "table::bigint"])
def test_parameters_need_no_value_in_the_configuration(
    project: Path, name: str, text: str | None
) -> None:
    """A parameter called like a keyword is read as a value, not as the keyword."""
    (project / "queries" / "notes.sql").write_text(
        f"-- name: some_notes :many\nselect id\nfrom notes\nwhere id > :{name}\n"
        f"order by id\nlimit :{name};\n",
        encoding="utf-8",
    )
    if text is not None:
        (project / ".sqlfluff").write_text(text, encoding="utf-8")
    assert codes(project) == []


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (None, True),
        (".sqlfluff", False),
        ("migrations/.sqlfluff", False),
        ("queries/.sqlfluff", True),
    ],
)
def test_sqlfluff_has_the_configuration_of_the_folder(
    project: Path, path: str | None, found: bool
) -> None:
    """A file follows the configuration beside it or above it."""
    write(project, SECOND, "select id FROM notes;\n", "select 1;\n")
    if path is not None:
        text = "[sqlfluff]\ndialect = postgres\nexclude_rules = capitalisation\n"
        (project / path).write_text(text, encoding="utf-8")
    assert ("CP01" in codes(project)) is found


ORDINARY = Path(__file__).parent / "testdata" / "ordinary"


def test_an_ordinary_project_gets_few_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six tables with roles and queries: each finding is worth having, and told once."""
    shutil.copytree(ORDINARY, tmp_path, dirs_exist_ok=True)
    main(["--project", str(tmp_path), "--json", "lint"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert sorted(finding["code"] for finding in found) == [
        "R303",
        "R303",
        "R501",
        "R502",
        "R503",
        "prefer-bigint-over-int",
        "prefer-identity",
        "prefer-text-field",
    ]
    by_code = {finding["code"]: finding for finding in found}
    assert "and 35 more like it" in by_code["R502"]["message"]
    assert "20260126090000_add_due_date.sql:2" in by_code["R502"]["cause"]
