"""docs/queries.md: every example on it is compiled and run."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from support.queries import mistakes
from support.sessions import add_users

from todo_sql import Database
from todo_sql.compiler import generate
from todo_sql.compiler.describe import Compiler
from todo_sql.config import packaged_config
from todo_sql.queries.header import DIRECTIVES, LINE_DIRECTIVES
from todo_sql.queries.loader import load_text
from todo_sql.queries.named import Cardinality
from todo_sql.sql.source import Source

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "queries.md").read_text()
BLOCK = re.compile(r"^```(\w*)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, kind: str | None = None) -> list[tuple[int, str]]:
    """Return the code blocks of a language, each with the number of the line above it."""
    return [
        (GUIDE.count("\n", 0, found.start()) + 1, found[3])
        for found in BLOCK.finditer(GUIDE)
        if (found[1], found[2]) == (language, kind)
    ]


@pytest.fixture
def package(
    todo_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The package that is generated from the queries of the guide."""
    source = Source("queries/tasks.sql", "\n".join(sql for _, sql in blocks("sql")))
    config = packaged_config(tmp_path, {})
    with psycopg.connect(todo_database, autocommit=True) as connection:
        analysis = Compiler(connection, config).analyse(load_text(source))
    assert not analysis.errors, "\n".join(finding.render() for finding in analysis.errors)
    files = generate.render(analysis.described, [source], config)
    generate.write(files, tmp_path / "guide_queries")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("guide_queries")
    for name in [name for name in sys.modules if name.startswith("guide_queries")]:
        del sys.modules[name]


@pytest.mark.database
def test_every_example(package: ModuleType, todo_database: str) -> None:
    """The Python of the guide runs, in order, on functions generated from its SQL."""
    add_users(todo_database, "u1")
    with Database.connect(todo_database) as db:
        names: dict[str, Any] = {
            "db": db,
            "tasks": importlib.import_module("guide_queries.tasks"),
            **vars(importlib.import_module("guide_queries.models")),
        }
        for line, code in blocks("python"):
            exec(compile("\n" * line + code, "docs/queries.md", "exec"), names)


def test_the_mistakes() -> None:
    """The mistakes that the guide shows are those that are found."""
    ((_, sql),) = blocks("sql", "mistakes")
    ((_, shown),) = blocks("text")
    found = [finding.render().splitlines()[0] for finding in mistakes(sql)]
    assert [line.replace("test.sql", "tasks.sql") for line in found] == shown.splitlines()


@pytest.mark.parametrize("word", [*DIRECTIVES, *LINE_DIRECTIVES])
def test_every_directive_is_explained(word: str) -> None:
    """The page has every directive in its grammar."""
    ((_, grammar),) = blocks("")
    assert re.search(rf"-- {word}\b", grammar)


@pytest.mark.parametrize("cardinality", list(Cardinality))
def test_every_cardinality_is_explained(cardinality: Cardinality) -> None:
    """The page has every cardinality in its table."""
    assert f"| `:{cardinality}` |" in GUIDE
