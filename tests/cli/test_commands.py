"""What a verb declares, and what the words of the command line become."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from typer import Argument, Option

from todo_sql.cli.app import main
from todo_sql.cli.context import Context
from todo_sql.errors import ExitCode


class Colour(StrEnum):
    """Something to choose from."""

    RED = "red"
    BLUE = "blue"


GIVEN: list[dict[str, Any]] = []


def command(
    context: Context,
    name: Annotated[str, Argument(metavar="NAME", help="A name.")],
    rest: Annotated[list[int] | None, Argument(metavar="NUMBER", help="Numbers.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="A flag.")] = False,
    steps: Annotated[int, Option(metavar="N", min=1, max=9, help="Steps.")] = 1,
    wait: Annotated[float | None, Option(min=0)] = None,
    folder: Annotated[Path | None, Option("--in", metavar="DIR")] = None,
    colour: Annotated[Colour | None, Option()] = None,
    format: Annotated[Literal["text", "github"], Option()] = "text",
    tag: Annotated[list[str] | None, Option()] = None,
) -> None:
    """Do something.

    A paragraph of
    two lines.
    """
    given = {name: value for name, value in locals().items() if name != "context"}
    GIVEN.append(given | {"quiet": context.output.quiet, "json": context.output.json})


@pytest.fixture(autouse=True)
def _one_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `status` be the verb above."""
    module = SimpleNamespace(command=command)
    monkeypatch.setattr("todo_sql.cli.commands.import_module", lambda _: module)
    GIVEN.clear()


DEFAULTS: dict[str, Any] = {
    "name": "n",
    "rest": None,
    "dry_run": False,
    "steps": 1,
    "wait": None,
    "folder": None,
    "colour": None,
    "format": "text",
    "tag": None,
    "quiet": False,
    "json": False,
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("n", {}),
        ("n 1 2", {"rest": [1, 2]}),
        ("--dry-run n", {"dry_run": True}),
        ("n --steps 3", {"steps": 3}),
        ("n --steps=3 1", {"steps": 3, "rest": [1]}),
        ("n --wait 0.5", {"wait": 0.5}),
        ("n --in a/b", {"folder": Path("a/b")}),
        ("n --colour blue", {"colour": Colour.BLUE}),
        ("n --format github", {"format": "github"}),
        ("n --tag a --tag b", {"tag": ["a", "b"]}),
        ("-- --dry-run", {"name": "--dry-run"}),
        ("-", {"name": "-"}),
        ("-n n", {"dry_run": True}),
        ("n -q", {"quiet": True}),
        ("-qn n", {"dry_run": True, "quiet": True}),
        ("n -nq --json", {"dry_run": True, "quiet": True, "json": True}),
        ("-- n", {}),
        ("n -- 1", {"rest": [1]}),
        ("-- --json", {"name": "--json"}),
    ],
)
def test_words_become_arguments(words: str, expected: dict[str, Any]) -> None:
    """Options stand anywhere; values have the declared types; the rest are defaults."""
    assert main(["status", *words.split()]) == ExitCode.OK
    assert [{**DEFAULTS, **expected}] == GIVEN


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "missing argument 'NAME'"),
        ("n x", "invalid value for 'NUMBER"),
        ("n --steps", "option '--steps' requires an argument"),
        ("n --steps 0", "invalid value for '--steps'"),
        ("n --steps 10", "invalid value for '--steps'"),
        ("n --steps 1.5", "invalid value for '--steps'"),
        ("n --wait -1", "invalid value for '--wait'"),
        ("n --wait soon", "invalid value for '--wait'"),
        ("n --colour green", "'green' is not one of 'red', 'blue'"),
        ("n --format xml", "'xml' is not one of 'text', 'github'"),
        ("n --dry-run=yes", "option '--dry-run' does not take a value"),
        ("n --dry_run", "did you mean `--dry-run`?"),
        ("n -x", "no such option: -x"),
        ("n -nx", "no such option: -x"),
        ("n --project", "option '--project' requires an argument"),
        ("n --database=", "option '--database' requires an argument"),
    ],
)
def test_words_that_do_not_fit(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit is named, with the option that it stands at."""
    assert main(["status", *words.split()]) == ExitCode.USAGE
    assert message in capsys.readouterr().err
    assert GIVEN == []


def test_the_page_of_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """The page shows usage, the paragraphs of the docstring, options, and an example."""
    assert main(["status", "--help"]) == ExitCode.OK
    page = capsys.readouterr().out
    assert page.startswith("Usage: todo-sql status [OPTIONS] {NAME}")
    assert "\n  A paragraph of two lines.\n" in page
    assert "-n, --dry-run" in page and "--no-dry-run" not in page
    assert page.rstrip().endswith("Example: todo-sql status")
