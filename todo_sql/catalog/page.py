"""The schema as one self-contained HTML page, with the diagram drawn. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from todo_sql.catalog import diagram
from todo_sql.catalog.document import Serving
from todo_sql.catalog.overview import (
    ListedMigration,
    column_default,
    flat,
    functions,
    short,
    tables,
)
from todo_sql.catalog.snapshot import Snapshot


def render(snapshot: Snapshot, changes: Sequence[ListedMigration], serving: Serving) -> str:
    """Return the page; every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("todo_sql", "catalog"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"short": short, "default_of": column_default, "flat": flat}
    found = tables(snapshot)
    style = (resources.files("todo_sql.catalog") / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        tables=found,
        diagram=diagram.draw(found),
        functions=functions(snapshot),
        changes=changes,
        serving=serving,
        style=Markup(style.rstrip()),
    )
