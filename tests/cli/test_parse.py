"""What a verb declares, and what the words of the command line become."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from typer import Argument, Option

from todo_sql.cli.parse import parse
from todo_sql.cli.table import Verb
from todo_sql.errors import UsageError


class Colour(StrEnum):
    """Something to choose from."""

    RED = "red"
    BLUE = "blue"


def command(
    context: object,
    name: Annotated[str, Argument(metavar="NAME", help="A name.")],
    rest: Annotated[list[int] | None, Argument(metavar="NUMBER", help="Numbers.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="A flag.")] = False,
    steps: Annotated[int, Option(metavar="N", min=1, max=9, help="Steps.")] = 1,
    wait: Annotated[float | None, Option(min=0)] = None,
    folder: Annotated[Path | None, Option("--in", metavar="DIR")] = None,
    colour: Annotated[Colour | None, Option()] = None,
    format: Annotated[Literal["text", "github"], Option()] = "text",
    tag: Annotated[list[str] | None, Option()] = None,
) -> None:
    """Do something.

    one   line
    two   lines
    """


class Something(Verb):
    """A verb that has no file."""

    def load(self) -> Any:
        """Return the function above."""
        return command


VERB = Something("Group", "something", "do something", "todo-sql something n")
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
    ],
)
def test_words_become_arguments(words: str, expected: dict[str, Any]) -> None:
    """Options stand anywhere; values have the declared types; the rest are defaults."""
    assert parse(VERB, words.split()) == {**DEFAULTS, **expected}


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
        ("n --dry_run", "did you mean --dry-run?"),
        ("n -x", "no such option: -x"),
    ],
)
def test_words_that_do_not_fit(words: str, message: str) -> None:
    """What does not fit is named, with the option that it stands at."""
    with pytest.raises(UsageError) as caught:
        parse(VERB, words.split())
    assert message in str(caught.value)


def test_the_page_of_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """The page shows usage, the docstring's lines as they are, options, and an example."""
    assert parse(VERB, ["--help"]) is None
    page = capsys.readouterr().out
    assert page.startswith("Usage: todo-sql something [OPTIONS] {NAME}")
    assert "\n  one   line\n  two   lines\n" in page
    assert "--dry-run" in page and "--no-dry-run" not in page
    assert page.rstrip().endswith("Example: todo-sql something n")
