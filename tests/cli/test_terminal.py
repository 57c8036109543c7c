"""No data steers a terminal, whatever command shows it and on whichever stream."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.commands import called
from support.database import Owner, Server

from todo_sql.cli.output import Output
from todo_sql.cli.screen import in_a_line, visible
from todo_sql.errors import Finding, Place

EVIL = "a\x1b]0;owned\x07\x9b31m\x7f\u202e\u2066[red]b[/red]\r"
FORGED = EVIL + "\n- table public.forged\nerror[M999] forged"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

MIGRATION = "create table notes (id int primary key, title text not null);\n"
QUERIES = """\
-- name: all_notes :many
select id, title from notes order by id;

-- name: named :many
select id from notes where title = :title;

-- name: refuse :many
select id from notes where id = 1 / nullif(char_length(:title), char_length(:title))
    or title = (:title::text)::int::text;
"""


class Screen(io.StringIO):
    """A stream that may say that it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Say so."""
        return self._terminal


@dataclass
class Project:
    """A project whose database holds hostile names and values."""

    root: Path
    url: str
    scratch: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, terminal: bool = True, columns: int = 80) -> tuple[int, str, str]:
        """Run a command, and return its exit code and what the two streams got."""
        environment = {
            "DATABASE_URL": self.url,
            "TODO_SQL_SCRATCH_URL": self.scratch,
            "TERM": "xterm",
            "COLUMNS": str(columns),
        }
        streams = Screen(terminal), Screen(terminal)
        return called([*words, "--no-color"], self.root, environment, streams)


@pytest.fixture
def project(tmp_path: Path, server: Server, owner: Owner, empty_database: str) -> Project:
    """One migration, applied; a table, an index, a role and a row with hostile words."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    for folder, name, text in [
        ("migrations", "20260101000000_create_notes.sql", MIGRATION),
        ("migrations", "20260101000000_create_notes.rollback.sql", "drop table notes;\n"),
        ("queries", "notes.sql", QUERIES),
    ]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    found = Project(tmp_path, empty_database, server.url(user=owner.name))
    assert found.run("migrate", "--quiet")[0] == 0
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into notes values (1, %s)", [FORGED])
        for text in (
            "create table {0} (id int primary key, {0} text default {1})",
            "comment on table {0} is {1}",
            "create index {2} on {0} ({0})",
            "create table {3} (other int references {0}, check ({1} <> ''))",
        ):
            names = [FORGED, f"i{FORGED}"[:60], f"c{FORGED}"[:60]]
            evil, index, child = map(sql.Identifier, [FORGED[:60], *names[1:]])
            connection.execute(sql.SQL(text).format(evil, sql.Literal(FORGED), index, child))
    return found


def write(project: Project, path: str, text: str) -> None:
    """Add a file to a project."""
    (project.root / path).write_text(text)


COMMANDS = [
    (["query", "all_notes"], 0, True),
    (["query", "all_notes", "--json"], 0, True),
    (["query", "named", f"title={EVIL}"], 0, False),
    (["query", "refuse", f"title={EVIL}"], 3, True),
    (["query", EVIL], 2, True),
    (["explain", "named", f"title={FORGED}"], 0, True),
    (["explain", EVIL], 2, True),
    (["drift"], 1, True),
    (["drift", "--json"], 1, True),
    (["doctor"], 1, True),
    (["doctor", "--format", "github"], 1, True),
    (["doctor", "--json"], 1, True),
    (["status"], 1, True),
    (["status", "--json"], 1, True),
    (["repair", "--dry-run"], 0, True),
    (["migrate", "--quiet"], None, True),
    (["migrate", "--quiet", "--json"], None, True),
    (["migrate", "--to", EVIL], 2, True),
    (["lint", f"nowhere{EVIL}"], 2, True),
    (["check"], 1, True),
    (["check", "--format", "github"], 1, True),
    ([EVIL], 2, True),
    (["status", f"--{EVIL}"], 2, True),
    (["--project", f"nowhere{EVIL}", "status"], 2, True),
    (["--database", f"postgresql://u@127.0.0.1:1/{EVIL}", "status"], None, False),
]


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize(("words", "code", "shown"), COMMANDS, ids=lambda value: repr(value)[:40])
def test_no_data_steers_a_terminal(
    words: list[str], code: int | None, shown: bool, terminal: bool, project: Project
) -> None:
    """Control characters are escaped, markup is text, and JSON stays JSON; in a pipe, too."""
    if "status" in words or "repair" in words:
        with psycopg.connect(project.url, autocommit=True) as connection:
            connection.execute("update _yoyo_migration set migration_id = %s", [FORGED])
    if "migrate" in words:
        write(
            project,
            "migrations/20260102000000_refused.sql",
            "-- irreversible: test\n"
            f"do $x$ begin raise notice {literal(FORGED)}; raise exception {literal(FORGED)}; "
            "end $x$;\n",
        )
    if "check" in words:
        write(
            project,
            f"queries/{EVIL.replace('/', '')}.sql",
            "-- name: broken :many\nselect nope from notes;\n",
        )
    returned, out, err = project.run(*words, columns=300, terminal=terminal)
    assert code is None or returned == code, out + err
    assert returned != 70
    assert STEERING.findall(out + err) == []
    if shown:
        assert "\\u001b" in out + err or "\\x1b" in out + err
        assert "[red]" in out + err
    if "--json" in words:
        json.loads(out)
    for line in (out + err).splitlines():
        assert not line.startswith(("- table public.forged", "error[M999]"))


def literal(text: str) -> str:
    """Return a literal of SQL whose controls are escapes, as a file may hold it."""
    escaped = "".join(
        sign if sign.isascii() and sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text
    )
    return f"E'{escaped}'"


def test_a_pipe_gets_whole_lines(project: Project) -> None:
    """One line a row, nothing cut, no box and no colour, however narrow the terminal is said."""
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute("insert into notes values (2, %s)", ["word " * 100])
    _, out, _ = project.run("query", "all_notes", terminal=False, columns=20)
    head, first, second = out.splitlines()
    assert head.split() == ["id", "title"]
    assert first == f" 1  {in_a_line(FORGED)}".rstrip()
    assert second == f" 2  {'word ' * 100}".rstrip()
    _, out, _ = project.run("drift", terminal=False, columns=20)
    objects = [line for line in out.splitlines() if line[:2] in ("+ ", "- ", "~ ")]
    assert all(line.endswith(("[K101]", "[K102]", "[K103]")) for line in objects)
    assert not re.search("[─│╭╰━┃]", out)


JAPANESE = [
    "牛乳を買う",
    "図書館に本を返してから、駅前の郵便局で荷物を受け取り、それから家に帰る。" * 3,
    "tea",
]


@pytest.mark.parametrize("terminal", [True, False])
def test_wide_characters_align(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next column begins in the same cell of each line; long text wraps in its own."""
    from rich.cells import cell_len

    screen = Screen(terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", screen)
    output = Output()
    output.configure(["--no-color"])
    output.out.table(["title", "state"], [[title, "open"] for title in JAPANESE])
    lines = screen.getvalue().splitlines()
    ends = {cell_len(line[: line.index("open")]) for line in lines if "open" in line}
    assert len(ends) == 1
    if terminal:
        assert max(map(cell_len, lines)) <= 80 and len(lines) > 4
    else:
        assert len(lines) == 4
    assert JAPANESE[1][-12:] in "".join(line.split()[0] for line in lines if line.split())


def test_rows_too_wide_for_the_terminal_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the names of the columns fit, each row is shown downwards."""
    screen = Screen(True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", screen)
    output = Output()
    output.configure(["--no-color"])
    output.out.table([f"column_{n}" for n in range(9)], [range(9), range(9)])
    shown = screen.getvalue()
    assert shown.count("row ") == 2 and "column_8  8\n" in re.sub(" +\n", "\n", shown)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_prose_is_wrapped_for_a_person(
    width: int, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole words to the width, further lines indented; an excerpt and a pipe get whole lines."""
    screen = Screen(terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", screen)
    output = Output()
    output.configure(["--no-color"])
    excerpt = "select " + "a_column, " * 15
    words = "some words " * 30
    output.findings([Finding("K1", "error", words, Place("a.sql", 1, 9, excerpt), words, words)])
    lines = screen.getvalue().splitlines()
    assert f"  1 | {excerpt}" in [line + " " * line.endswith(",") for line in lines]
    prose = [line for line in lines if " | " not in line]
    assert " ".join(screen.getvalue().split()).count("some words") == 90
    if terminal:
        assert max(map(len, prose)) <= width and len(prose) > 3
        assert all(line[0].isalpha() or line.startswith(("  some", "  words")) for line in prose)
    else:
        assert len(prose) == 3


def test_loggers_are_shown_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With -v what the package tells `logging` is said, once, and not after that."""
    screen = Screen(False)
    monkeypatch.setattr(sys, "stderr", screen)
    for options, told in (([], 0), (["-v"], 1), (["--verbose"], 2), ([], 2)):
        Output().configure(options)
        logging.getLogger("todo_sql.retry").info("connecting again in %s s", 2)
        assert screen.getvalue().count("todo_sql.retry: connecting again in 2 s\n") == told


@pytest.mark.parametrize(("columns", "whole"), [(80, False), (200, True)])
def test_status_is_readable_on_a_narrow_terminal(
    project: Project, columns: int, whole: bool
) -> None:
    """A long id stands in one line at 80 columns; what is usual gives way to it."""
    name = "20260301090000_add_a_column_with_quite_a_name"
    (project.root / "migrations" / f"{name}.sql").write_text("select 1;\n", encoding="utf-8")
    (project.root / "migrations" / f"{name}.rollback.sql").write_text("select 1;\n")
    try:
        _, out, _ = project.run("status", columns=columns)
    finally:
        for file in (project.root / "migrations").glob(f"{name}*"):
            file.unlink()
    assert len([line for line in out.splitlines() if name in line]) == 1
    assert max(map(len, out.splitlines())) <= columns
    assert ("rollback" in out) is whole


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a.sql", "file=a.sql,line=1,col=1::"),
        ("a,b:c%.sql", "file=a%2Cb%3Ac%25.sql,line=1,col=1::"),
        ("a\r\n::error::x", "file=a%0D%0A%3A%3Aerror%3A%3Ax,line=1,col=1::"),
    ],
)
def test_annotations_escape_names_and_words(file: str, expected: str) -> None:
    """What GitHub reads as a mark is written as it demands."""
    line = Finding("K1", "error", "50% a:b,c\r\n::warning::x", Place(file, 1)).as_github()
    assert expected in line
    assert line.endswith("::K1: 50%25 a:b,c%0D%0A::warning::x")
    assert "\n" not in line and "\r" not in line


def test_further_lines_of_a_finding_are_indented() -> None:
    """No text of somebody else's stands where a line of ours would begin."""
    finding = Finding("K1", "error", "a\nerror[K2] b", cause="c\nfix: d", fix="e\n\nfix: f")
    starts = [line[:2] for line in finding.render().splitlines()]
    assert starts == ["er", "  ", "ca", "  ", "fi", "  ", "  "]


def test_what_is_escaped_is_what_steers() -> None:
    """Letters, accents, joined emoji, tabs and newlines stay as they are."""
    plain = "日本 é 👩\u200d💻 \t\n <b> [x]"
    assert visible(plain) == plain
    assert in_a_line(plain) == plain.replace("\t", "\\t").replace("\n", "\\n")
    assert not STEERING.search(visible("".join(map(chr, range(0x3000)))))
