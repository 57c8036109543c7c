"""What a verb declares, and what the words of the command line become."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from todo_sql.cli.declare import Argument, Option, parameters
from todo_sql.cli.help import page
from todo_sql.cli.parse import parse
from todo_sql.cli.verbs import Verb
from todo_sql.errors import UsageError


class Colour(StrEnum):
    """Something to choose from."""

    RED = "red"
    BLUE = "blue"


def command(
    context: object,
    name: Annotated[str, Argument(help="A name.")],
    rest: Annotated[list[int] | None, Argument(metavar="NUMBER", help="Numbers.")] = None,
    dry_run: Annotated[bool, Option(help="A flag.")] = False,
    steps: Annotated[int, Option(metavar="N", min=1, max=9, help="Steps.")] = 1,
    wait: Annotated[float | None, Option(min=0)] = None,
    folder: Annotated[Path | None, Option("--in", metavar="DIR")] = None,
    colour: Annotated[Colour | None, Option()] = None,
    format: Annotated[Literal["text", "github"], Option()] = "text",
    tag: Annotated[list[str] | None, Option()] = None,
) -> None:
    """Do something."""


DECLARED = parameters(command)
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
        ("n 1 2 -3", {"rest": [1, 2, -3]}),
        ("--dry-run n", {"dry_run": True}),
        ("n --steps 3", {"steps": 3}),
        ("n --steps=3 1", {"steps": 3, "rest": [1]}),
        ("n --wait 0.5", {"wait": 0.5}),
        ("n --in a/b", {"folder": Path("a/b")}),
        ("n --colour blue", {"colour": Colour.BLUE}),
        ("n --format github", {"format": "github"}),
        ("n --tag a --tag b", {"tag": ["a", "b"]}),
        ("n --in=", {"folder": Path()}),
        ("-- --dry-run", {"name": "--dry-run"}),
        ("-", {"name": "-"}),
    ],
)
def test_words_become_arguments(words: str, expected: dict[str, Any]) -> None:
    """Options stand anywhere; values have the declared types; the rest are defaults."""
    assert parse(DECLARED, words.split()) == {**DEFAULTS, **expected}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "argument NAME is missing"),
        ("n x", "NUMBER needs a whole number, not `x`"),
        ("n --steps", "option --steps needs a value"),
        ("n --steps 0", "--steps must be at least 1 and at most 9, not 0"),
        ("n --steps 10", "--steps must be at least 1 and at most 9, not 10"),
        ("n --steps 1.5", "--steps needs a whole number"),
        ("n --wait -1", "--wait must be at least 0"),
        ("n --wait soon", "--wait needs a number, not `soon`"),
        ("n --colour green", "--colour cannot be `green`"),
        ("n --format xml", "--format cannot be `xml`"),
        ("n --dry-run=yes", "option --dry-run takes no value"),
        ("n --dry_run", "unknown option --dry_run"),
        ("n -x", "unknown option -x"),
    ],
)
def test_words_that_do_not_fit(words: str, message: str) -> None:
    """What does not fit is named, with the option that it stands at."""
    with pytest.raises(UsageError) as caught:
        parse(DECLARED, words.split())
    assert message in str(caught.value)


@pytest.mark.parametrize("words", ["--help", "n -h", "n --steps 3 --help --bogus"])
def test_help_comes_before_complaints(words: str) -> None:
    """Whoever asks for help gets it, whatever else is missing."""
    assert parse(DECLARED, words.split()) is None


def test_the_page_of_a_verb() -> None:
    """The page shows usage, docstring, arguments and options with bounds and defaults."""
    verb = Verb("Group", "something", "do something", "todo-sql something n")
    assert page(verb, command, DECLARED) == (
        "Usage: todo-sql something [OPTIONS] NAME [NUMBER...]\n"
        "\n"
        "Do something.\n"
        "\n"
        "Arguments:\n"
        "  NAME    A name.\n"
        "  NUMBER  Numbers.\n"
        "\n"
        "Options:\n"
        "  --dry-run             A flag.\n"
        "  --steps N             Steps. (default: 1)\n"
        "  --wait WAIT\n"
        "  --in DIR\n"
        "  --colour red|blue\n"
        "  --format text|github  (default: text)\n"
        "  --tag TAG\n"
        "\n"
        "Example: todo-sql something n\n"
        "`todo-sql --help` shows the options that every command takes."
    )
