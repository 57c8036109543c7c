"""The command line around the verbs: options, help, errors, exit codes, completion."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any

import pytest
from support.commands import clean_environment, todo_sql
from support.migrations import write

from todo_sql.cli import table
from todo_sql.cli.app import main
from todo_sql.cli.context import Context
from todo_sql.cli.output import BROKEN_PIPE, INTERRUPTED, UNEXPECTED, UNWRITABLE
from todo_sql.errors import ExitCode, Finding, FindingsError, Place, UsageError
from todo_sql.migrations import migrate
from todo_sql.wire.call_errors import ServerError, translate


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, apart from the variables of the run."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


def runs(monkeypatch: pytest.MonkeyPatch, verb: Callable[[Context], object]) -> None:
    """Let a function be what `todo-sql seed` runs."""

    def command(context: Context) -> Any:
        return verb(context)

    monkeypatch.setattr("todo_sql.cli.verbs.seed.command", command)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["--json", "--help"]])
def test_overview_lists_every_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The overview has groups, a line per command, and the global options."""
    assert main(words) == ExitCode.OK
    shown = capsys.readouterr().out
    if "--json" in words:
        shown = json.loads(shown)["help"]
    for verb in table.VERBS:
        assert f"  {verb.name} " in shown
        assert verb.summary in shown
        assert f"\n{verb.group}:\n" in shown
    for option in ("--project", "--database", "--json", "-q, --quiet", "-v, --verbose"):
        assert option in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_every_file_of_a_verb_has_a_line_in_the_table() -> None:
    """A verb that is in the folder is in the table."""
    names = {verb.name + "_" * iskeyword(verb.name) for verb in table.VERBS}
    folder = Path(table.__file__).parent / "verbs"
    for path in folder.glob("*.py"):
        if "\ndef command(" in path.read_text(encoding="utf-8"):
            assert path.stem in names
        elif path.stem in names and "\napp = " not in path.read_text(encoding="utf-8"):
            pytest.fail(f"{path.name} has no `command`")


@pytest.mark.parametrize("verb", table.VERBS, ids=lambda verb: verb.name)
def test_help_of_each_verb(verb: table.Verb, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb says what it does and gives an example."""
    assert main([verb.name, "--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"Usage: todo-sql {verb.name}" in shown
    assert f"Example: todo-sql {verb.name} {verb.arguments}".rstrip() in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_only_the_verb_that_runs_is_imported() -> None:
    """The overview imports no verb and no room of the package; a page of help one verb."""
    code = (
        "import sys; from todo_sql.cli.app import main; main(sys.argv[1:]); "
        "heavy = {'yoyo', 'postgast', 'sqlfluff'} | "
        "{m for m in sys.modules if m.startswith('todo_sql.cli.verbs.')};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    for words, expected in {
        ("--help",): [],
        ("dbb",): [],
        ("migrate", "--help"): ["todo_sql.cli.verbs.migrate"],
        ("db", "--help"): ["todo_sql.cli.verbs.db"],
    }.items():
        answer = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert answer.stderr.splitlines()[-1] == str(expected)


@pytest.mark.parametrize("pending", [True, False])
def test_a_run_loads_what_it_needs(empty_database: str, tmp_path: Path, pending: bool) -> None:
    """With nothing to do no grammar, no yoyo; and pydantic never where nothing is configured."""
    write(tmp_path, "20260101000000_a", "create table a (id int);")
    if not pending:
        migrate(empty_database, tmp_path)
    code = (
        "import sys; from todo_sql.cli.app import main; code = main(sys.argv[1:]); "
        "heavy = {'yoyo', 'postgast', 'pydantic', 'dotenv', 'sqlfluff'}; "
        "print(code, *sorted(heavy & set(sys.modules)))"
    )
    words = ("migrate", "--migrations", tmp_path.as_posix(), "--database", empty_database)
    answer = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = ["postgast", "yoyo"] if pending else []
    assert answer.stdout.split() == ["0", *loaded]


def test_help_on_a_terminal_has_panels(tmp_path: Path) -> None:
    """Panels by group and colours where a person looks; --no-color takes the colours away."""
    shown = on_a_terminal("--help").decode()
    assert "\x1b[" in shown
    assert "╭─ Review ─" in re.sub(r"\x1b\[[\d;]*m", "", shown)
    shown = on_a_terminal("migrate", "--help", "--no-color").decode()
    assert "╭─ Options ─" in shown and "\x1b" not in shown
    assert "<bool>" not in shown
    assert "Example: todo-sql migrate" in shown


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
        ["--json", "--project", "p", "seed", "--database=u"],
        ["seed", "--json", "--project=p", "--database", "u"],
        ["--database", "u", "seed", "--json", "--project", "p"],
    ],
)
def test_global_options_stand_anywhere(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before or after the command, a global option means the same."""
    found = []
    runs(monkeypatch, lambda context: found.append(context.find_root().params))
    assert main(words) == ExitCode.OK
    (given,) = found
    assert (given["project"], given["database"], given["json"]) == (Path("p"), "u", True)


@pytest.mark.parametrize(
    ("words", "message", "fix"),
    [
        (["mgirate"], "no such command 'mgirate'", "did you mean `todo-sql migrate`"),
        (["dbb"], "no such command 'dbb'", "did you mean `todo-sql db`?"),
        (["db", "strat"], "no such command 'strat'", "did you mean `todo-sql db start`"),
        (["xyzzy"], "no such command 'xyzzy'", "see `todo-sql --help`"),
        (["migrate", "--nope"], "no such option: --nope", "see `todo-sql migrate --help`"),
        (["--xyzzy"], "no such option: --xyzzy", "see `todo-sql --help`"),
        (["--project"], "option '--project' requires an argument", "see `todo-sql --help`"),
        (["--database="], "option '--database' requires an argument", None),
        (["--quiet"], "missing command", "see `todo-sql --help`"),
        (["db"], "missing command", "see `todo-sql db --help`"),
        (["db", "explode"], "no such command 'explode'", "see `todo-sql db --help`"),
        (["db", "status", "--xyzzy"], "no such option: --xyzzy", "`todo-sql db status --help`"),
        (["db", "reset", "--yse"], "no such option: --yse", "did you mean `--yes`?"),
        (["db", "reset", "--no-colour"], "no such option: --no-colour", "mean `--no-color`?"),
        (["db", "reset", "--yes=1"], "option '--yes' does not take a value", None),
        (["status", "x"], "unexpected extra argument(s) (x)", "todo-sql status --help`"),
        (["db", "status", "x"], "unexpected extra argument(s) (x)", "`todo-sql db status --help`"),
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
    assert error["message"] == "no such command 'dbb'"
    assert error["fix"] == "did you mean `todo-sql db`?"


def test_a_violated_constraint_names_its_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In text and with --json: the constraint, its columns, and what to do."""
    refusal = ServerError(
        "23514", "no", detail="secret", table="tasks", constraint="tasks_title_check"
    )

    def verb(_: Context) -> None:
        raise translate(refusal, columns=("title",))

    runs(monkeypatch, verb)
    assert main(["seed"]) == ExitCode.DATABASE
    shown = capsys.readouterr().err
    assert "cause: constraint tasks_title_check of table tasks, column title" in shown
    assert "fix: give `title` a value" in shown
    assert main(["seed", "--json"]) == ExitCode.DATABASE
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

    def verb(_: Context) -> None:
        raise FindingsError("1 finding", [finding])

    runs(monkeypatch, verb)
    assert main(["seed"]) == ExitCode.FINDINGS
    shown = capsys.readouterr()
    assert "error[C101] queries/a.sql:3:5: no such column" in shown.err
    assert "error[F100] 1 finding" in shown.err
    assert main(["seed", "--json"]) == ExitCode.FINDINGS
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == [finding.as_dict()]
    assert document["error"]["message"] == "1 finding"


def test_an_unexpected_error_is_short_and_verbose_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of our own is said in a line, without secrets; --verbose tells where."""

    def verb(_: Context) -> None:
        raise KeyError("postgresql://u:sesame@h/d")

    runs(monkeypatch, verb)
    assert main(["seed"]) == UNEXPECTED
    shown = capsys.readouterr().err
    assert shown.startswith("error[T999] unexpected KeyError: ")
    assert "pass --verbose" in shown
    assert main(["seed", "-v"]) == UNEXPECTED
    more = capsys.readouterr().err
    assert "Traceback" in more
    assert "sesame" not in shown + more


@pytest.mark.parametrize("words", [["seed"], ["seed", "--json"]])
def test_no_error_shows_a_password(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever raised it, and in whatever words: what looks like a password is not shown."""

    def verb(_: Context) -> None:
        url = "postgresql://u:sesame@h/d"
        raise UsageError(f"cannot use {url}", cause="password=sesame", fix=f"not {url}")

    runs(monkeypatch, verb)
    assert main(words) == ExitCode.USAGE
    shown = "".join(capsys.readouterr())
    assert "postgresql://u:***@h/d" in shown
    assert "sesame" not in shown


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path without permission is a matter of usage, not a fault of ours."""

    def verb(_: Context) -> None:
        raise PermissionError(13, "Permission denied", "migrations/a.sql")

    runs(monkeypatch, verb)
    assert main(["seed"]) == ExitCode.USAGE
    assert "error[U301] migrations/a.sql: permission denied" in capsys.readouterr().err


def test_a_working_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    """Somebody else deleted it, a build for one."""
    words = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", sys.executable, "-Pm", "todo_sql", "lint"]
    (tmp_path / "gone").mkdir()
    answer = subprocess.run(words, cwd=tmp_path / "gone", capture_output=True, text=True)
    assert answer.returncode == ExitCode.USAGE
    assert "error[U301] the working directory: no such file or directory" in answer.stderr


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

    def verb(context: Context) -> None:
        context.output.document({"done": True})
        raise UsageError("too late")

    runs(monkeypatch, verb)
    assert main(["seed", "--json"]) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"done": True}
    assert "too late" in shown.err


@pytest.mark.parametrize("said", ["", "the migration was rolled back"])
def test_an_interruption_says_what_happened(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends with 130 and a word on the state of things."""

    def verb(_: Context) -> None:
        raise KeyboardInterrupt(*filter(None, [said]))

    runs(monkeypatch, verb)
    assert main(["seed"]) == INTERRUPTED
    assert f"interrupted: {said or 'nothing more was done'}" in capsys.readouterr().err


def test_a_signal_interrupts_a_real_process() -> None:
    """SIGINT to a running command ends it with 130, without a traceback."""
    code = (
        "import signal, sys, time, todo_sql.cli.app as app, todo_sql.cli.verbs.seed as seed\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job may ignore it
        "seed.command = lambda: (print('on', flush=True), time.sleep(60))\n"
        "sys.exit(app.main(['seed']))"
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
        "import sys, todo_sql.cli.app as app, todo_sql.cli.verbs.seed as seed\n"
        "def verb(context: app.Context):\n"
        "    for _ in range(10000): context.output.data('x' * 1000)\n"
        "seed.command = verb\n"
        "sys.exit(app.main(['seed']))"
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


def on_a_terminal(*words: str, **environment: str) -> bytes:
    """Return what a command shows where stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "todo_sql", *words],
        stdout=theirs,
        stderr=theirs,
        env=clean_environment(TERM="xterm", COLUMNS="80", **environment),
    ):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    return shown


def test_colours_on_a_terminal_only(tmp_path: Path) -> None:
    """Errors are coloured on a terminal, unless NO_COLOR or --no-color."""
    assert b"\x1b[1;31merror[U100]\x1b[0m" in on_a_terminal("dbb")
    assert b"\x1b" not in on_a_terminal("dbb", "--no-color")
    assert b"\x1b" not in on_a_terminal("dbb", NO_COLOR="1")
    assert "\x1b" not in todo_sql("dbb", cwd=tmp_path).stderr


def complete(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Ask for the completion of a line as the script for bash does."""
    words = ["todo-sql", *line.split(" ")]
    monkeypatch.setenv("_TODO_SQL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("d", {"db", "describe", "docs", "doctor", "drift"}),
        ("--js", {"--json"}),
        ("db ", {"start", "stop", "status", "url", "shell", "reset", "destroy"}),
        ("--json db st", {"start", "stop", "status"}),
        ("db --json st", {"start", "stop", "status"}),
        ("db reset --y", {"--yes"}),
        ("db reset --ver", {"--verbose", "--version"}),
        ("lint --format ", {"text", "github", "json"}),
        ("--project ", set()),
        ("status --project ", set()),
        ("--project nowhere query ", set()),
        ("nosuch ", None),
        ("status x y", set()),
    ],
)
def test_completion_of_words(
    line: str,
    expected: set[str] | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The shell completes commands, their arguments and their options."""
    complete(monkeypatch, line)
    if expected is not None:
        assert set(capsys.readouterr().out.split()) == expected


def test_completion_of_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Migrations and queries are offered where one is to be named."""
    complete(monkeypatch, "--project todo rollback --to 2026011209")
    offered = capsys.readouterr().out.split()
    assert "20260112091000_create_tasks" in offered
    assert not any("rollback" in word for word in offered)
    complete(monkeypatch, "--project todo query list_ta")
    assert {"list_tasks", "list_tags"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_and_installed(shell: str, tmp_path: Path) -> None:
    """Each shell gets a script that asks us for completions."""
    given = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)}
    shown = todo_sql("--show-completion", shell, cwd=tmp_path, **given)
    assert "_TODO_SQL_COMPLETE" in shown.stdout
    done = todo_sql("--install-completion", shell, cwd=tmp_path, **given)
    assert done.returncode == ExitCode.OK and "completion installed in" in done.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_TODO_SQL_COMPLETE" in path.read_text() for path in files)


def test_bash_completes(tmp_path: Path) -> None:
    """The script for bash, run by bash, offers what we offer."""
    program = tmp_path / "todo-sql"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m todo_sql "$@"\n')
    program.chmod(0o755)
    given = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = todo_sql("--show-completion", "bash", cwd=tmp_path, **given).stdout + (
        "\nCOMP_WORDS=(todo-sql db re) COMP_CWORD=2"
        '\n_todo_sql_completion todo-sql; echo "${COMPREPLY[@]}"\n'
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
