"""Packages generated from a text of queries, imported and type-checked."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg

from support.checkers import MYPY, PYRIGHT, passes
from support.compiling import config_of
from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Compiler
from todo_sql.compiler.generating import generate
from todo_sql.compiler.generating.naming import wrong_names
from todo_sql.compiler.models import misnamed
from todo_sql.config import Config
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source


def make(
    url: str,
    folder: Path,
    name: str,
    queries: str,
    *,
    types: Mapping[str, str] = {},
    **settings: Any,
) -> ModuleType:
    """Return the module of these queries in a package of this name, of which nothing is wrong."""
    config = replace(config_of(folder, types=types), generate=folder / name, **settings)
    source = Source("queries/q.sql", queries)
    with psycopg.connect(url, autocommit=True) as connection:
        analysis = Compiler(connection, config).analyse(load_text(source), [examine])
    findings = [
        *analysis.errors,
        *misnamed(analysis.described),
        *wrong_names(analysis.described, [source], config),
    ]
    assert not findings, "\n".join(one.render() for one in findings)
    write(config, analysis.described, source)
    assert not generate.stale(generate.render(analysis.described, [source], config), folder / name)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return importlib.import_module(f"{name}.q")


def write(config: Config, described: Any, source: Source) -> None:
    """Write the package."""
    assert config.generate is not None
    files = generate.render(described, [source], config)
    generate.write(files, config.generate, config.root)


def type_check(folder: Path, name: str, use: str = "") -> None:
    """Hold mypy --strict and pyright over a package, and over a program that uses it."""
    (folder / f"use_{name}.py").write_text(use)
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    passes(
        folder,
        ("ruff", "check", "--isolated", "--select", "F", name),
        (*MYPY, "--strict", name, f"use_{name}.py"),
        (*PYRIGHT, name, f"use_{name}.py"),
    )
