"""Each recipe does what its page says, and its page is what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.database import Server

from todo_sql.catalog.names import split_name
from todo_sql.rewriting.recipe import Recipe, all_recipes
from todo_sql.rewriting.recipes_page import example, render
from todo_sql.rewriting.rewrite import Rewrite

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
DONE = [recipe for recipe in all_recipes() if recipe.asks is None]
ASKED = [recipe for recipe in all_recipes() if recipe.asks is not None and recipe.bad]
Rewritten = Callable[..., Rewrite]
EQUAL = {"catalog": "equal", "rollback": "equal", "phases": "equal"}


def _fits(recipe: Recipe, version: int) -> bool:
    return {"before 18": version < 18, "from 18": version >= 18, "": True}[recipe.needs]


@pytest.mark.database
@pytest.mark.parametrize("recipe", DONE, ids=lambda recipe: recipe.name)
def test_the_example_is_what_is_made_of_it(
    recipe: Recipe, server: Server, rewritten: Rewritten
) -> None:
    """The bad example becomes the good one, and the proof holds."""
    if not _fits(recipe, server.version):
        pytest.skip(f"the recipe is for PostgreSQL {recipe.needs}")
    found = rewritten(recipe.schema, recipe.bad)
    assert not [one for one in found.asks if one.severity == "error"]
    assert found.proof == EQUAL
    assert not any(file.copied for file in found.files)
    if server.version == 18 or recipe.needs == "before 18":
        assert example([file.step for file in found.files]) == recipe.good


@pytest.mark.database
@pytest.mark.parametrize("recipe", ASKED, ids=lambda recipe: recipe.name)
def test_what_cannot_be_done_is_asked(recipe: Recipe, server: Server, rewritten: Rewritten) -> None:
    """Nothing is made of it, and what comes nearest is told."""
    if not _fits(recipe, server.version):
        pytest.skip(f"the recipe is for PostgreSQL {recipe.needs}")
    found = rewritten(recipe.schema, recipe.bad)
    assert found.files == ()
    (ask,) = [one for one in found.asks if one.severity == "error"]
    assert (ask.code, ask.fix) == ("P301", recipe.nearest)


def test_every_recipe_is_whole() -> None:
    """A recipe says why and has an example; one that asks says what and what comes nearest."""
    for recipe in all_recipes():
        assert recipe.why and recipe.title, recipe.name
        assert (recipe.asks is None) == (recipe.nearest is None), recipe.name
        assert recipe.asks is not None or recipe.good, recipe.name


def test_the_page_is_up_to_date() -> None:
    """docs/recipes.md is what `todo-sql rewrite --recipes` prints."""
    assert PAGE.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("name", ["plain", '"a.b"', '"a""b"', '"a\nb"', '"a\r\n.b"'])
def test_any_name_is_split(name: str) -> None:
    """A name of a table may hold whatever a quoted name may, a new line too."""
    assert split_name(f"{name}.{name}") == (name, name)
