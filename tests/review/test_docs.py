"""The documents of the schema are made from it, always the same, and complete."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from todo_sql.catalog import document, page
from todo_sql.catalog.overview import ListedMigration, tables
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
def migrations() -> list[ListedMigration]:
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
    assert "current_user" not in re.sub(r"current_user_id", "", text)


EVIL = "e<script>alert(1)</script>`[x](javascript:1)`\n## forged\n```"


def test_names_and_texts_do_nothing(empty_database: str, connect: Connect) -> None:
    """No name, comment, default or expression is a tag, a heading or the end of code."""
    connection = connect(empty_database, autocommit=True)
    table, column, view = (Identifier(f"{letter}{EVIL}"[:60]) for letter in "tcv")
    for statement in (
        "create table {0} ({0} int primary key, {1} text default {2} check ({1} <> {2}))",
        "create type {1} as enum ({3})",
        "alter table {0} add other {1}, add key int references {0}",
        "comment on table {0} is {2}",
        "comment on column {0}.{1} is {2}",
        "create index {1} on {0} ({1}) where {1} <> {2}",
        "create policy {0} on {0} using ({1} <> {2})",
        "create function {0}() returns {0} language plpgsql as 'begin end'",
        "comment on function {0}() is {2}",
        "create view {4} as select {2}::text as {0}",
    ):
        text = SQL(statement).format(table, column, Literal(EVIL), Literal(EVIL[:60]), view)
        connection.execute(text)
    snapshot = take(connection)
    change = ListedMigration("20260101000000", EVIL, EVIL, True, EVIL)
    schema = document.schema(snapshot, {f"public.{EVIL}": [EVIL]})
    listed = document.migrations([change])
    html = page.render(snapshot, [change], {})
    assert "<script" not in html and "<script" not in listed
    assert "e&lt;script" in schema and "e&lt;script" in html
    outside = re.sub(r"^(`{4,})sql\n.*?^\1$", "", schema, flags=re.DOTALL | re.MULTILINE)
    assert "<script" not in outside
    assert "\n## forged" not in outside
    assert outside.count("\n```") == 2  # of the diagram


def test_the_diagram_is_whole(snapshot: Snapshot, migrations: list[ListedMigration]) -> None:
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


def test_boxes_do_not_overlap(snapshot: Snapshot, migrations: list[ListedMigration]) -> None:
    """Every table is drawn beside or below the others."""
    html = page.render(snapshot, migrations, {})
    pattern = r'<rect class="body" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"'
    boxes = [tuple(map(int, found)) for found in re.findall(pattern, html)]
    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            beside = x + width <= other_x or other_x + other_width <= x
            below = y + height <= other_y or other_y + other_height <= y
            assert beside or below


def test_migrations_md_tells_why(migrations: list[ListedMigration]) -> None:
    """Each migration is a row with its first comment."""
    text = document.migrations(migrations)
    for migration in migrations:
        assert f"| `{migration.version}` | {migration.description} |" in text
    assert "Every key begins with user_id" in text


def test_the_same_twice(
    todo_database: str, connect: Connect, migrations: list[ListedMigration]
) -> None:
    """Two readings make the same bytes."""
    once, again = (take(connect(todo_database, autocommit=True)) for _ in range(2))
    assert document.schema(once, {}) == document.schema(again, {})
    assert page.render(once, migrations, {}) == page.render(again, migrations, {})
