"""The pages of reference and architecture name what there is, and the site's parts agree."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import todo_sql
from todo_sql import config
from todo_sql.config import Config, Tenant

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = Path(todo_sql.__file__).parent


def page(name: str) -> str:
    """Return the text of a page of docs/, or of the root."""
    return ((DOCS if (DOCS / name).exists() else ROOT) / name).read_text(encoding="utf-8")


def test_every_key_of_the_configuration_is_told() -> None:
    """Each key that the configuration takes has its row, those of `tenant` too."""
    told = set(re.findall(r"^\| `(\w+)` \|", page("configuration.md"), re.MULTILINE))
    ours = {one.name for one in fields(Config)} - {
        "root",
        "packaged",
        "environment",
        "more_migrations",
    }
    assert ours | {one.name for one in fields(Tenant)} <= told
    assert config.SECTION in page("configuration.md")


def test_every_environment_variable_is_told() -> None:
    """Each variable that a module of the package names has its row, in the README too."""
    named = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"\b(DATABASE_URL|TODO_SQL_[A-Z][A-Z_]*[A-Z]|NO_COLOR)\b", text))
    told = set(re.findall(r"`([A-Z_]+)`", page("configuration.md")))
    assert {"DATABASE_URL", "TODO_SQL_SCRATCH_URL"} <= named <= told
    assert named - {"NO_COLOR"} <= set(re.findall(r"`([A-Z_]+)`", page("README.md")))


@pytest.mark.parametrize("name", ["architecture.md", "CONTRIBUTING.md", "connections.md"])
def test_places_that_a_page_names_exist(name: str) -> None:
    """A module that was moved is followed by the pages that name it."""
    text = page(name)
    places = re.findall(r"`((?:todo_sql|tests|specs|docs)/[\w./]*)`", text)
    for place in places:
        assert (ROOT / place).exists(), place
    assert places or name == "connections.md"


def test_every_room_is_told() -> None:
    """The architecture names each folder of the package."""
    text = page("architecture.md")
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"`todo_sql/{folder.name}/`" in text


def test_everything_public_is_in_the_reference() -> None:
    """Each name of `todo_sql` has its entry on a page of the API."""
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    for name in todo_sql.__all__:
        assert re.search(rf"^(?:::: todo_sql\.{name}|        - {name})$", text, re.MULTILINE), name


def test_every_page_is_in_the_navigation() -> None:
    """mkdocs.yml leads to each page of docs/."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md"):
        assert f": {path.relative_to(DOCS).as_posix()}\n" in navigation
