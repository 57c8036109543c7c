"""docs/queries.md: every example on it is compiled and run."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from support.queries import mistakes
from support.sessions import add_users

import todo_sql.compiler
from todo_sql import Database
from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.generating import generate
from todo_sql.compiler.models import misnamed
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
    ((_, section),) = blocks("toml")
    types = tomllib.loads(section)["tool"]["todo-sql"]["types"]
    config = replace(packaged_config({}), types=types)
    with psycopg.connect(todo_database, autocommit=True) as connection:
        analysis = Compiler(connection, config).analyse(load_text(source), [examine])
    findings = [*analysis.findings, *misnamed(analysis.described)]
    assert not findings, "\n".join(finding.render() for finding in findings)
    files = generate.render(analysis.described, [source], config)
    generate.write(files, tmp_path / "guide_queries", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("guide_queries")
    for name in [name for name in sys.modules if name.startswith("guide_queries")]:
        del sys.modules[name]


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


def test_every_finding_of_check_is_explained() -> None:
    """The page has a line for every code that the compiler has."""
    sources = [path.read_text() for path in Path(todo_sql.compiler.__path__[0]).rglob("*.py")]
    codes = set(re.findall(r'"(C\d+)"', "\n".join(sources))) - {"C100"}  # the sum of the others
    assert re.findall(r"^\| (C\d+) \|", GUIDE, re.MULTILINE) == sorted(codes)
