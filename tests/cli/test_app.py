"""The command line around the verbs: options, help, errors, exit codes, completion."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import clean_environment, todo_sql

from todo_sql.cli import help, table
from todo_sql.cli.app import main
from todo_sql.cli.context import Context, Options, split_options
from todo_sql.cli.output import BROKEN_PIPE, INTERRUPTED, UNEXPECTED, UNWRITABLE
from todo_sql.errors import ExitCode, Finding, FindingsError, Place, UsageError
from todo_sql.wire.call_errors import ServerError, translate


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, apart from the variables of the run."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["--json", "--help"]])
def test_overview_lists_every_verb_with_an_example(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The overview has groups, a line and an example per command, and the global options."""
    assert main(words) == ExitCode.OK
    shown = capsys.readouterr().out
    for verb in table.available():
        assert f"  {verb.name} " in shown
        assert verb.example in shown
        assert verb.example.startswith(f"todo-sql {verb.name}")
    for option, _ in help.GLOBAL_OPTIONS:
        assert option in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_every_file_of_a_verb_has_a_line_in_the_table() -> None:
    """A verb that is in the folder is in the table."""
    names = {verb.name for verb in table.VERBS}
    folder = Path(table.__file__).parent / "verbs"
    for path in folder.glob("*.py"):
        if "\ndef command(" in path.read_text(encoding="utf-8"):
            assert path.stem in names
        elif path.stem in names:
            pytest.fail(f"{path.name} has no `command`")


@pytest.mark.parametrize("verb", table.available(), ids=lambda verb: verb.name)
def test_help_of_each_verb(verb: table.Verb, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb says what it does and gives an example."""
    assert main([verb.name, "--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"Usage: todo-sql {verb.name}" in shown
    assert f"Example: {verb.example}" in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_help_imports_nothing_heavy() -> None:
    """The overview is shown without typer, rich, psycopg, pydantic, yoyo or postgast."""
    code = (
        "import sys; from todo_sql.cli.app import main; main(['--help']); "
        "heavy = {'typer', 'click', 'rich', 'psycopg', 'pydantic', 'yoyo', 'postgast'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stderr == "[]\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the installed distribution, wherever it is asked for."""
    version = importlib.metadata.version("todo-sql")
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"todo-sql {version}\n"
    assert main(["status", "--version", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"version": version}


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--project", "p", "db", "--database=u", "status"],
        ["db", "--json", "status", "--project=p", "--database", "u"],
        ["db", "status", "--database", "u", "--json", "--project", "p"],
    ],
)
def test_global_options_stand_anywhere(words: list[str]) -> None:
    """Before or after the command, a global option means the same."""
    options = Options(project="p", database="u", json=True)
    assert split_options(words) == (options, ["db", "status"])


def test_nothing_is_taken_after_two_dashes() -> None:
    """What stands after a -- belongs to the verb."""
    words = ["db", "shell", "--", "--json", "--quiet"]
    assert split_options(words) == (Options(), words)


@pytest.mark.parametrize(
    ("words", "message", "fix"),
    [
        (["mgirate"], "unknown command `mgirate`", None),
        (["dbb"], "unknown command `dbb`", "did you mean `todo-sql db`?"),
        (["d"], "unknown command `d`", "did you mean `todo-sql "),
        (["xyzzy"], "unknown command `xyzzy`", "see `todo-sql --help`"),
        (["--bogus"], "unknown option --bogus", "see `todo-sql --help`"),
        (["--project"], "option --project needs a value", "--project VALUE"),
        (["--database="], "option --database needs a value", "--database VALUE"),
        (["--quiet"], "no command given", "see `todo-sql --help`"),
        (["db"], "missing argument 'ACTION'", "see `todo-sql db --help`"),
        (["db", "explode"], "'explode' is not one of 'start'", "see `todo-sql db --help`"),
        (["db", "status", "--bogus"], "no such option: --bogus", "see `todo-sql db --help`"),
        (["db", "reset", "--yse"], "no such option: --yse", "did you mean --yes?"),
        (["db", "reset", "--yes=1"], "option '--yes' does not take a value", None),
        (["status", "x"], "unexpected extra argument(s) (x)", "todo-sql status --help`"),
        (["--completion", "ksh"], "no completion for the shell `ksh`", "bash, zsh, fish"),
        (["db", "status", "x"], "`db status` takes no further arguments", None),
        (["--project", "nowhere", "db", "status"], "has no pyproject.toml", "todo-sql init"),
    ],
)
def test_wrong_words_are_a_usage_error(
    words: list[str], message: str, fix: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong about the command: exit code 2, on stderr, with a fix."""
    assert main(words) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error[U")
    assert message in shown.err
    if fix:
        assert fix in shown.err.partition("fix: ")[2]


def test_an_error_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the error is the one document, and stderr is silent."""
    assert main(["dbb", "--json"]) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.err == ""
    error = json.loads(shown.out)["error"]
    assert error["code"] == "U100"
    assert error["message"] == "unknown command `dbb`"
    assert error["fix"] == "did you mean `todo-sql db`?"


def test_a_violated_constraint_names_its_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In text and with --json: the constraint, its columns, and what to do."""
    refusal = ServerError(
        "23514", "no", detail="secret", table="tasks", constraint="tasks_title_check"
    )

    def verb(*_: object) -> None:
        raise translate(refusal, columns=("title",))

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db"]) == ExitCode.DATABASE
    shown = capsys.readouterr().err
    assert "cause: constraint tasks_title_check of table tasks, column title" in shown
    assert "fix: give `title` a value" in shown
    assert main(["db", "--json"]) == ExitCode.DATABASE
    shown = capsys.readouterr().out
    error = json.loads(shown)["error"]
    assert (error["sqlstate"], error["constraint"]) == ("23514", "tasks_title_check")
    assert (error["table"], error["columns"], error["field"]) == ("tasks", ["title"], "title")
    assert "secret" not in shown


def test_findings_are_shown_with_their_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A FindingsError shows each finding at its place, in either form."""
    finding = Finding("C101", "error", "no such column", Place("queries/a.sql", 3, 5, "select x"))

    def verb(*_: object) -> None:
        raise FindingsError("1 finding", [finding])

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db"]) == ExitCode.FINDINGS
    shown = capsys.readouterr()
    assert "error[C101] queries/a.sql:3:5: no such column" in shown.err
    assert "error[F100] 1 finding" in shown.err
    assert main(["db", "--json"]) == ExitCode.FINDINGS
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == [finding.as_dict()]
    assert document["error"]["message"] == "1 finding"


def test_an_unexpected_error_is_short_and_verbose_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of our own is said in a line, without secrets; --verbose tells where."""

    def verb(*_: object) -> None:
        raise KeyError("postgresql://u:sesame@h/d")

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db"]) == UNEXPECTED
    shown = capsys.readouterr().err
    assert shown.startswith("error[T999] unexpected KeyError: ")
    assert "add --verbose" in shown
    assert main(["db", "--verbose"]) == UNEXPECTED
    more = capsys.readouterr().err
    assert "Traceback" in more
    assert "sesame" not in shown + more


@pytest.mark.parametrize("words", [["db"], ["db", "--json"]])
def test_no_error_shows_a_password(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever raised it, and in whatever words: what looks like a password is not shown."""

    def verb(*_: object) -> None:
        url = "postgresql://u:sesame@h/d"
        raise UsageError(f"cannot use {url}", cause="password=sesame", fix=f"not {url}")

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(words) == ExitCode.USAGE
    shown = "".join(capsys.readouterr())
    assert "postgresql://u:***@h/d" in shown
    assert "sesame" not in shown


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path without permission is a matter of usage, not a fault of ours."""

    def verb(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "migrations/a.sql")

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db"]) == ExitCode.USAGE
    assert "error[U301] migrations/a.sql: permission denied" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        ("--help > /dev/full", UNWRITABLE),
        ("--version --json > /dev/full", UNWRITABLE),
        ("--help > /dev/full 2> /dev/full", UNWRITABLE),
        ("nonsense 2> /dev/full", ExitCode.USAGE),
    ],
)
def test_a_full_disk(redirection: str, code: int, tmp_path: Path) -> None:
    """Output that cannot be written is said so, and is no fault of ours."""
    command = f"{shlex.quote(sys.executable)} -m todo_sql {redirection}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    if "2>" not in redirection:
        assert done.stderr.startswith("error[U302] the output cannot be written: no space left")
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


def test_a_second_document_is_never_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error after the document goes to stderr, so that stdout stays JSON."""

    def verb(name: str, words: list[str], context: Context) -> None:
        context.output.document({"done": True})
        raise UsageError("too late")

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db", "--json"]) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"done": True}
    assert "too late" in shown.err


@pytest.mark.parametrize("said", ["", "the migration was rolled back"])
def test_an_interruption_says_what_happened(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends with 130 and a word on the state of things."""

    def verb(*_: object) -> None:
        raise KeyboardInterrupt(*filter(None, [said]))

    monkeypatch.setattr("todo_sql.cli.app._call", verb)
    assert main(["db"]) == INTERRUPTED
    assert f"interrupted: {said or 'nothing more was done'}" in capsys.readouterr().err


def test_a_signal_interrupts_a_real_process() -> None:
    """SIGINT to a running command ends it with 130, without a traceback."""
    code = (
        "import signal, sys, time, todo_sql.cli.app as app\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job may ignore it
        "app._call = lambda *_: (print('on', flush=True), time.sleep(60))\n"
        "sys.exit(app.main(['db']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == INTERRUPTED
        said = process.stderr.read()
    assert "interrupted" in said
    assert "Traceback" not in said


def test_a_broken_pipe_is_quiet() -> None:
    """A reader that stops reading, such as `head`, causes no message."""
    code = (
        "import sys, todo_sql.cli.app as app\n"
        "def verb(name, words, context):\n"
        "    for _ in range(10000): context.output.data('x' * 1000)\n"
        "app._call = verb\n"
        "sys.exit(app.main(['db']))"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(30) == BROKEN_PIPE
        assert process.stderr.read() == b""


def test_colours_on_a_terminal_only(tmp_path: Path) -> None:
    """Errors are coloured on a terminal, unless NO_COLOR or --no-color."""

    def shown(*words: str, **environment: str) -> bytes:
        ours, theirs = pty.openpty()
        subprocess.run(
            [sys.executable, "-m", "todo_sql", *words],
            stderr=theirs,
            env=clean_environment(TERM="xterm", **environment),
            check=False,
        )
        os.close(theirs)
        text = os.read(ours, 10_000)
        os.close(ours)
        return text

    assert b"\x1b[1;31merror[U100]\x1b[0m" in shown("dbb")
    assert b"\x1b" not in shown("dbb", "--no-color")
    assert b"\x1b" not in shown("dbb", NO_COLOR="1")
    assert "\x1b" not in todo_sql("dbb", cwd=tmp_path).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell gets a script that asks us for completions."""
    assert main(["--completion", shell]) == ExitCode.OK
    assert "_TODO_SQL_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("d", {"db", "describe", "docs", "doctor", "drift"}),
        ("--js", {"--json"}),
        ("db ", {"start", "stop", "status", "url", "shell", "reset", "destroy"}),
        ("--json db st", {"start", "stop", "status"}),
        ("db reset --y", {"--yes"}),
        ("db reset --ver", {"--verbose", "--version"}),
        ("--project ", set()),
        ("nosuch ", set()),
        ("status x y", set()),
    ],
)
def test_completion_of_words(
    line: str,
    expected: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The shell completes commands, their arguments and their options."""
    monkeypatch.setenv("_TODO_SQL_COMPLETE", "1")
    assert main(line.split(" ")) == ExitCode.OK
    there = {verb.name for verb in table.VERBS} - {verb.name for verb in table.available()}
    assert set(capsys.readouterr().out.split()) == expected - there


def test_completion_of_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Migrations and queries are offered where one is to be named."""
    monkeypatch.setenv("_TODO_SQL_COMPLETE", "1")
    assert main(["rollback", "--to", "2026011209"]) == ExitCode.OK
    offered = capsys.readouterr().out.split()
    assert "20260112091000_create_tasks" in offered
    assert not any("rollback" in word for word in offered)
    assert main(["query", "list_ta"]) == ExitCode.OK
    assert {"list_tasks", "list_tags"} <= set(capsys.readouterr().out.split())


def test_bash_completes(tmp_path: Path) -> None:
    """The script for bash, run by bash, offers what we offer."""
    program = tmp_path / "todo-sql"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m todo_sql "$@"\n')
    program.chmod(0o755)
    script = todo_sql("--completion", "bash", cwd=tmp_path).stdout + (
        "\nCOMP_WORDS=(todo-sql db re) COMP_CWORD=2"
        '\ncompopt() { :; }; _todo_sql; echo "${COMPREPLY[@]}"\n'
    )
    answer = subprocess.run(
        ["bash", "-c", script],
        env={**clean_environment(), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "reset\n"
    assert answer.stderr == ""
