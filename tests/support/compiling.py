"""Compile query texts against a database in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import psycopg

from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Analysis, Compiler
from todo_sql.config import Config, Tenant
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

TENANT = Tenant("user_id", "app.current_user_id", "todo_app")


def config_of(root: Path, *, tenant: Tenant | None = None, types: Mapping[str, str] = {}) -> Config:
    """Return the configuration of a project in a folder."""
    return Config(
        root=root,
        migrations=root / "migrations",
        queries=root / "queries",
        generate=root / "generated",
        specs=root / "specs",
        seeds=root / "seeds",
        tenant=tenant,
        types=types,
    )


_compilers: WeakKeyDictionary[psycopg.Connection[Any], dict[str, Compiler]] = WeakKeyDictionary()


def checked(
    connection: psycopg.Connection[Any], text: str, config: Config | None = None
) -> Analysis:
    """Check the queries of a text; the schema is read once per connection and configuration."""
    config = config or config_of(Path("/nowhere"))
    known = _compilers.setdefault(connection, {})
    if repr(config) not in known:
        known[repr(config)] = Compiler(connection, config)
    return known[repr(config)].analyse(load_text(Source("queries/test.sql", text)), [examine])


def codes(analysis: Analysis) -> list[str]:
    """Return the codes of the findings."""
    return [finding.code for finding in analysis.findings]
