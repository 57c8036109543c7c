"""What the README and the demo show works as shown."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from todo_sql.cli.app import main
from todo_sql.cli.table import VERBS

pytest_plugins = ["support.session_fixtures"]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example(two_users: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python example runs as it stands, for a user called u1."""
    from support.sessions import add_users

    add_users(two_users, "u1")
    monkeypatch.setenv("DATABASE_URL", two_users)
    match = re.search(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert match
    file = tmp_path / "example.py"
    file.write_text(match[1], encoding="utf-8")
    names = runpy.run_path(str(file), run_name="example")
    assert names["milk"].title == "Buy milk"


def test_the_named_query_stands_in_the_readme_as_the_language_has_it() -> None:
    """The SQL example is a query file."""
    from todo_sql.queries.loader import load_text
    from todo_sql.sql.source import Source

    match = re.search(r"^```sql\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert match
    (query,) = load_text(Source("tasks.sql", match[1]))
    assert query.name == "list_tasks"


def test_places_exist() -> None:
    """Every folder and file that the map and the links name exists."""
    places = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`([a-z_]+(?:/[a-z_]*)+)`", README)
    assert places
    for place in places:
        if not place.startswith("http"):
            assert (ROOT / place).exists(), place


def test_commands_exist() -> None:
    """Every command of todo-sql that the README names is one."""
    names = set(re.findall(r"[`$/] ?todo-sql ([a-z]+)", README))
    assert names and names <= {verb.name for verb in VERBS}


def test_the_demo(
    todo_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo shows both users' tasks and three refusals, twice the same."""
    monkeypatch.setenv("DATABASE_URL", todo_database)
    monkeypatch.chdir(ROOT)
    assert main(["seed", "--quiet"]) == 0
    shown = []
    for _ in range(2):
        capsys.readouterr()
        runpy.run_path(str(ROOT / "examples" / "demo.py"), run_name="__main__")
        shown.append(capsys.readouterr().out)
    assert "Take the moth out of relay 70" in shown[0]
    assert shown[0].count("NoRow") == 2 and shown[0].count("IntegrityError") == 1
    assert "migrations applied" in shown[0]
    assert 30 <= shown[0].count("\n") <= 50
    assert shown[1].count("Drink tea") >= 1
