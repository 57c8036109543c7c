"""The documents of the schema are made from it, always the same, and complete."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from psycopg import Connection

from todo_sql.catalog import document, page
from todo_sql.catalog.overview import Change, tables
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.migrations.files.folder import load
from todo_sql.review import history

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def snapshot(todo_database: str, connect: Connect) -> Snapshot:
    """The catalog of the Todo database."""
    return take(connect(todo_database, autocommit=True))


@pytest.fixture
def migrations() -> list[Change]:
    """The Todo migrations."""
    return history.changes(load(ROOT / "migrations", ROOT))


def test_schema_md_has_everything(snapshot: Snapshot) -> None:
    """Each table, column, constraint, index and policy stands in it, with its comment."""
    text = document.schema(snapshot, {"public.tasks_pkey": ["get_task"]})
    for table in tables(snapshot):
        assert f"\n## {table.name}\n" in text
        parts = (*table.columns, *table.constraints, *table.indexes, *table.policies)
        for item in parts:
            assert f"| `{item['name']}` |" in text
        assert table.comment is not None and table.comment in text
    assert "| `tasks_pkey` | `btree (user_id, id)` | `get_task` |" in text
    assert "current_user" not in re.sub(r"app\.current_user_id", "", text)


def test_the_diagram_is_whole(snapshot: Snapshot, migrations: list[Change]) -> None:
    """Mermaid and SVG have every table and every foreign key; the page loads nothing."""
    found = tables(snapshot)
    keys = sum(len(table.foreign_keys) for table in found)
    mermaid = document.diagram(found)
    assert mermaid.count("--o{") == keys
    html = page.render(snapshot, migrations, {})
    svg = re.search(r"<svg.*?</svg>", html, re.DOTALL)
    assert svg is not None
    root = ElementTree.fromstring(svg.group())
    space = "{http://www.w3.org/2000/svg}"
    drawn = [node for node in root.iter(f"{space}path") if node.get("class") == "edge"]
    assert len(drawn) == keys
    assert len(list(root.iter(f"{space}rect"))) == len(found)
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", html):
        assert address.startswith("#")


def test_boxes_do_not_overlap(snapshot: Snapshot, migrations: list[Change]) -> None:
    """Every table is drawn beside or below the others."""
    html = page.render(snapshot, migrations, {})
    pattern = r'<rect class="body" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"'
    boxes = [tuple(map(int, found)) for found in re.findall(pattern, html)]
    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            beside = x + width <= other_x or other_x + other_width <= x
            below = y + height <= other_y or other_y + other_height <= y
            assert beside or below


def test_migrations_md_tells_why(migrations: list[Change]) -> None:
    """Each migration is a row with its first comment."""
    text = document.migrations(migrations)
    for migration in migrations:
        assert f"| `{migration.version}` | {migration.description} |" in text
    assert "Every key begins with user_id" in text


def test_the_same_twice(todo_database: str, connect: Connect, migrations: list[Change]) -> None:
    """Two readings make the same bytes."""
    once, again = (take(connect(todo_database, autocommit=True)) for _ in range(2))
    assert document.schema(once, {}) == document.schema(again, {})
    assert page.render(once, migrations, {}) == page.render(again, migrations, {})
