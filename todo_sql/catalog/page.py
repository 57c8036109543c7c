"""The schema as one self-contained HTML page, with the diagram drawn. Pure.

In the diagram tables stand in columns by how far they refer, each just before what refers to it;
within a column each stands near what it refers to. A line that passes a column goes through a
gap between its tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

from todo_sql.catalog.document import Serving
from todo_sql.catalog.overview import (
    ListedMigration,
    TableView,
    column_default,
    flat,
    functions,
    short,
    tables,
)
from todo_sql.catalog.snapshot import Snapshot

_ROW = 20
_HEAD = 28
_ACROSS = 90
_BETWEEN = 28
_MARGIN = 16
_NARROWEST = 200


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
        diagram=_Diagram(found),
        functions=functions(snapshot),
        changes=changes,
        serving=serving,
        style=Markup(style.rstrip()),
    )


class _Row(NamedTuple):
    """One column of a table: its name and type, their style, and how high they stand."""

    name: str
    type: str
    style: str
    mark: str
    y: int


class _Edge(NamedTuple):
    """One foreign key: a line, and where it ends."""

    path: str
    title: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class _Box:
    """One table, and where it stands; every box is as wide as the widest needs to be."""

    table: TableView
    column: int
    y: int
    width: int

    @property
    def x(self) -> int:
        return _MARGIN + self.column * (self.width + _ACROSS)

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.table.columns) + 6

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def middle_of(self, column: str) -> int:
        """Return the middle of a column's line."""
        names = [item["name"] for item in self.table.columns]
        return self.y + _HEAD + _ROW * names.index(column) + _ROW // 2

    def rows(self) -> Iterator[_Row]:
        for column in self.table.columns:
            name, kind = column["name"], _brief(column["type"])
            is_key = name in self.table.primary_key
            mark = "◆" if is_key else "→" if name in self.table.foreign_columns else ""
            style = "key" if is_key else "plain"
            kind += "" if column["not_null"] else "?"
            yield _Row(name, kind, style, mark, self.middle_of(name) + 4)


class _Diagram:
    """What diagram.svg.j2 draws: its size, the tables, the foreign keys.

    Args:
        found: The tables.
    """

    def __init__(self, found: Sequence[TableView]) -> None:
        self._by_name = _boxes(found)
        self.boxes = list(self._by_name.values())
        self.edges = [edge for box in self.boxes for edge in self._edges(box)]
        self.width = max((box.right for box in self.boxes), default=_MARGIN + _NARROWEST) + _MARGIN
        self.height = max((box.bottom for box in self.boxes), default=0) + _MARGIN

    def _edges(self, box: _Box) -> Iterator[_Edge]:
        for key in box.table.foreign_keys:
            target = self._by_name.get(short(key["references"]))
            if target is None:
                continue
            # The column that tells this key from the others: the last one.
            start, end = box.middle_of(key["columns"][-1]), target.y + _HEAD // 2
            title = f"{box.table.name} ({', '.join(key['columns'])}) → {target.table.name}"
            yield _Edge(self._path(box, start, target, end), title, target.right, end)

    def _path(self, box: _Box, start: int, target: _Box, end: int) -> str:
        """Return a line from a column's row at the left of its table to the head of the other."""
        if target.column >= box.column:
            bend = max(box.right, target.right) + _ACROSS * 0.5
            curve = f"{bend:g} {start} {bend:g} {end} {target.right} {end}"
            return f"M{box.right} {start} C{curve}"
        x, y = box.x, float(start)
        path = f"M{x} {start}"
        for column in range(box.column - 1, target.column, -1):
            share = (box.column - column) / (box.column - target.column)
            gap = self._gap(column, start + (end - start) * share)
            left = box.x - (box.column - column) * (box.width + _ACROSS)
            path += _curve(x, y, left + box.width, gap) + f" H{left}"
            x, y = left, gap
        return path + _curve(x, y, target.right, end)

    def _gap(self, column: int, y: float) -> float:
        """Return the middle of the gap of a column that is nearest to a height."""
        bottoms = sorted(box.bottom for box in self.boxes if box.column == column)
        gaps = [_MARGIN / 2, *(bottom + _BETWEEN / 2 for bottom in bottoms)]
        return min(gaps, key=lambda gap: abs(gap - y)) if bottoms else y


def _curve(x: int, y: float, to_x: int, to_y: float) -> str:
    bend = _ACROSS * 0.6
    return f" C{x - bend:g} {y:g} {to_x + bend:g} {to_y:g} {to_x} {to_y:g}"


def _boxes(found: Sequence[TableView]) -> dict[str, _Box]:
    width = max(
        (
            round(60 + 7.2 * len(column["name"]) + 6.4 * (len(_brief(column["type"])) + 1))
            for table in found
            for column in table.columns
        ),
        default=_NARROWEST,
    )
    targets = {
        table.name: [
            name for key in table.foreign_keys if (name := short(key["references"])) != table.name
        ]
        for table in found
    }
    depths = _drawn_near(_depths(targets), targets)
    referred = {name for names in targets.values() for name in names}
    columns: dict[int, list[TableView]] = {}
    for table in found:
        if targets[table.name] or table.name in referred:
            columns.setdefault(depths[table.name], []).append(table)
    placed: dict[str, _Box] = {}
    bottoms: dict[int, int] = {}
    for depth in sorted(columns):
        columns[depth].sort(key=lambda table: (_middle(targets[table.name], placed), table.name))
        y = _MARGIN
        for table in columns[depth]:
            box = placed[table.name] = _Box(table, depth, y, width)
            y = box.bottom + _BETWEEN
        bottoms[depth] = y
    for table in found:  # what stands alone fills the shortest column
        if table.name not in placed:
            depth = min(bottoms, key=lambda depth: (bottoms[depth], depth), default=0)
            box = placed[table.name] = _Box(table, depth, bottoms.get(depth, _MARGIN), width)
            bottoms[depth] = box.bottom + _BETWEEN
    return {table.name: placed[table.name] for table in found}


def _drawn_near(depths: Mapping[str, int], targets: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Move each table to the column before the first one that refers to it."""
    near = dict(depths)
    for name in sorted(depths, key=lambda name: -depths[name]):
        referring = [near[other] for other, names in targets.items() if name in names]
        if referring and targets[name]:
            near[name] = max(depths[name], min(referring) - 1)
    return near


def _depths(targets: Mapping[str, Sequence[str]]) -> dict[str, int]:
    depths: dict[str, int] = {}

    def visit(name: str, above: frozenset[str]) -> int:
        if name not in depths:
            following = above | {name}
            others = [n for n in targets.get(name, ()) if n in targets and n not in following]
            depths[name] = max((visit(other, following) + 1 for other in others), default=0)
        return depths[name]

    for name in targets:
        visit(name, frozenset())
    return depths


def _middle(names: Sequence[str], placed: Mapping[str, _Box]) -> float:
    middles = [placed[name].y + placed[name].height / 2 for name in names if name in placed]
    return sum(middles) / len(middles) if middles else 0.0


_BRIEF = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "character varying": "varchar",
    "double precision": "float8",
}


def _brief(kind: str) -> str:
    return _BRIEF.get(kind, short(kind))
