"""Every code has its entry, every entry is raised, and the page agrees with both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import todo_sql
from todo_sql import codes
from todo_sql.cli.app import main

PAGE = Path(__file__).parents[1] / "docs" / "codes.md"
PACKAGE = Path(todo_sql.__file__).parent


def test_every_code_that_is_raised_is_told() -> None:
    """A new code needs an entry in codes.md, and an entry needs a code that is raised."""
    assert sorted(codes.modules()) == sorted(codes.all_codes())


def test_a_code_stands_there_once() -> None:
    """No code has two entries, nor an entry beside that of its rule."""
    written = re.findall(r"^## ([A-Z]\d{3}) ", (PACKAGE / "codes.md").read_text(), re.MULTILINE)
    rules = [one.code for one in codes.all_codes().values() if one.name]
    assert len(written) == len(set(written))
    assert not set(written) & set(rules)


def test_an_entry_says_what_to_do() -> None:
    """Each entry has a title and a text, both whole."""
    for one in codes.all_codes().values():
        assert one.title and not one.title.endswith("."), one.code
        assert one.text.endswith("."), one.code


def test_the_page_is_made_from_the_entries() -> None:
    """docs/codes.md is what `todo-sql explain --all` prints."""
    assert PAGE.read_text(encoding="utf-8") == codes.page()


@pytest.mark.parametrize(
    "code",
    [
        "R905",
        "M311",
        "K212",
        "M302",
        "D220",
        "Q111",
        "D230",
        "D207",
        "C122",
        "C118",
        "R301",
        "S102",
    ],
)
def test_a_place_holds_its_code(code: str) -> None:
    """The line that is named raises the code, or makes an error of its class."""
    for place in codes.places(code)[code]:
        name, line = place.rsplit(":", 1)
        lines = (PACKAGE / name).read_text(encoding="utf-8").splitlines()
        assert f'"{code}"' in lines[int(line) - 1] or "(" in lines[int(line) - 1]
    assert any(
        f'"{code}"' in (PACKAGE / module).read_text(encoding="utf-8")
        for module in codes.modules()[code]
    )


def test_what_is_only_compared_is_not_raised() -> None:
    """A module that looks for a code is not one that raises it."""
    assert not any(module.endswith("lint.py") for module in codes.modules()["M121"])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("M232", "M232 It is unknown"),
        ("m232", "M232 It is unknown"),
        ("policy-missing", "R102 Row level security without a policy (policy-missing)"),
        ("R102", "review"),
        ("D220", "session.within(seconds)"),
        ("ban-drop-column", "https://squawkhq.com/docs/ban-drop-column"),
        ("LT01", "/rules/layout"),
        ("layout.spacing", "/rules/layout"),
    ],
)
def test_explain_tells_a_code(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A code, in either case, the name of a rule, and a rule of squawk or sqlfluff."""
    assert main(["explain", word]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "fix"),
    [("M999", "M"), ("policy-mising", "did you mean `policy-missing`?"), ("XX99", "codes.md")],
)
def test_an_unknown_code_is_a_mistake_of_use(
    word: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The likeliest is offered."""
    assert main(["explain", word]) == 2
    shown = capsys.readouterr().err
    assert f"there is no code or rule `{word}`" in shown and fix in shown


def test_explain_tells_a_code_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with the lines that raise it."""
    assert main(["--json", "explain", "R905"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["code"] == "R905" and told["raised_at"] == list(codes.places("R905")["R905"])
