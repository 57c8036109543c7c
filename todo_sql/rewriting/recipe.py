"""What a recipe is: a file of data that says how one kind of hazard is done safely."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

Words = Mapping[str, str]
Phase = Literal["expand", "contract"]
_OF_STEPS = ("when", "each")


@dataclass(frozen=True)
class Hazard:
    """What one statement does to a table in use, as a recipe takes it.

    Attributes:
        kind: What a recipe says it is `on`.
        words: What its templates name.
        flags: What its conditions ask for.
        lists: What its templates repeat a line for.
    """

    kind: str
    words: Words = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    lists: Mapping[str, Sequence[Words]] = field(default_factory=dict)


@dataclass(frozen=True)
class StepFile:
    """One migration of a sequence.

    Attributes:
        slug: What it does, in a word or two of its id.
        says: The same, for whoever reads the file.
        sql: Its statements.
        rollback: The statements that undo it, or None.
        alone: Whether it runs outside a transaction.
        rollback_alone: The same of its rollback.
        phase: When it runs, by the recipe; None: as the original.
        nothing: Why there is nothing to undo.
        irreversible: Why it cannot be undone.
        batch: The value of its `-- batch:`.
        lock_timeout: The value of its `-- lock-timeout:`, unless the original has one.
        allow: The lint rules that it waives, each with the reason.
        comments: What stands on top of it.
        stands: ``before`` or ``within`` the statements around it that stay together.
        serves: Whether a view stands in for a table from here on.
        always: Whether its phase is no matter of what else the migration does.
        asked: Whether it stays as it was, hazard and all, since no recipe does it.
    """

    slug: str
    says: str
    sql: str
    rollback: str | None = None
    alone: bool = False
    rollback_alone: bool = False
    phase: Phase | None = None
    nothing: str | None = None
    irreversible: str | None = None
    batch: str | None = None
    lock_timeout: str | None = None
    allow: Mapping[str, str] = field(default_factory=dict)
    comments: str = ""
    stands: str = ""
    serves: bool = False
    always: bool = False
    asked: bool = False


@dataclass(frozen=True)
class Recipe:
    """How one kind of hazard is done safely.

    Attributes:
        number: Of the recipe, such as ``3p``.
        name: Its own, that of its file.
        title: What is changed.
        on: The kind of hazard.
        why: What the hazard is.
        when: The flags that must be there, or with ``!`` must not.
        limits: What it costs and what it does not do.
        asks: Where no sequence has the same catalog: what a person decides; else None.
        nearest: What comes nearest to it then.
        warns: What the sequence does not do that the original does.
        schema: What the example stands on.
        bad: The example.
        good: The sequence that is made of it.
        needs: The versions of PostgreSQL that it is for, where not for all.
        steps: The templates.
    """

    number: str
    name: str
    title: str
    on: str
    why: str
    when: Sequence[str] = ()
    limits: str = ""
    asks: str | None = None
    nearest: str | None = None
    warns: str | None = None
    schema: str = ""
    bad: str = ""
    good: str = ""
    needs: str = ""
    steps: Sequence[Mapping[str, Any]] = ()

    def takes(self, hazard: Hazard) -> bool:
        """Whether it is for a hazard."""
        return self.on == hazard.kind and _holds(self.when, hazard.flags)

    def sequence(self, hazard: Hazard) -> Iterator[StepFile]:
        """Yield the files that do what a hazard does."""
        for step in self.steps:
            for words in _turns(step, hazard):
                yield _filled(step, replace(hazard, words=words))


def _filled(step: Mapping[str, Any], hazard: Hazard) -> StepFile:
    given = {"says": "", **step}
    for name in ("says", "nothing", "irreversible", "batch", "sql", "rollback"):
        if name in step:
            given[name] = _text(step[name], hazard)
    if given.get("phase") == "contract" and "new" in hazard.flags and not step.get("always"):
        given["phase"] = None  # no older release knows what it is about
    return StepFile(**{name: value for name, value in given.items() if name not in _OF_STEPS})


def _text(template: str | Sequence[Any], hazard: Hazard) -> str:
    lines: list[str] = []
    for line in [template] if isinstance(template, str) else template:
        part = {"sql": line} if isinstance(line, str) else line
        lines += [part["sql"].format_map(words) for words in _turns(part, hazard)]
    return "\n".join(line.strip("\n") for line in lines)


def _turns(part: Mapping[str, Any], hazard: Hazard) -> Iterator[Words]:
    """Yield the words of a step or a line, for each time that it is said."""
    if _holds(part.get("when", ()), hazard.flags):
        for words in hazard.lists.get(part["each"], ()) if "each" in part else ({},):
            yield {**hazard.words, **words}


def _holds(conditions: Sequence[str], flags: Set[str]) -> bool:
    return all((flag.removeprefix("!") in flags) is (flag[0] != "!") for flag in conditions)


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """Return the recipes of ``rewriting/recipes/``, one per file, by number."""
    folder = resources.files("todo_sql.rewriting") / "recipes"
    found = [
        Recipe(name=file.name.removesuffix(".toml"), **tomllib.loads(file.read_text("utf-8")))
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]

    def rank(recipe: Recipe) -> tuple[int, str, str]:
        return int(re.sub(r"\D", "", recipe.number) or 99), recipe.number, recipe.name

    return tuple(sorted(found, key=rank))


def recipe_for(hazard: Hazard) -> Recipe | None:
    """Return the recipe for a hazard, or None: there is none."""
    return next((recipe for recipe in all_recipes() if recipe.takes(hazard)), None)
