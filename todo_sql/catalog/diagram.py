"""Where the tables and their foreign keys stand in the diagram. Pure.

Tables stand in columns by how far they refer, each just before what refers to it; within
a column each stands near what it refers to. A line that passes a column goes through a
gap between its tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from todo_sql.catalog.overview import TableView, short

_ROW = 20
_HEAD = 28
_ACROSS = 90
_BETWEEN = 28
_MARGIN = 16


@dataclass(frozen=True, slots=True)
class _Placed:
    table: TableView
    column: int
    y: int

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.table.columns) + 6

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def row(self, column: str) -> int:
        """Return the middle of a column's line."""
        names = [item["name"] for item in self.table.columns]
        return self.y + _HEAD + _ROW * names.index(column) + _ROW // 2


class _Layout:
    """Where each table stands; every box is as wide as the widest needs to be."""

    def __init__(self, found: Sequence[TableView]) -> None:
        self.width = max(
            (
                round(60 + 7.2 * len(column["name"]) + 6.4 * (len(_brief(column["type"])) + 1))
                for table in found
                for column in table.columns
            ),
            default=200,
        )
        self.boxes = {box.table.name: box for box in _boxes(found)}

    def left(self, column: int) -> int:
        return _MARGIN + column * (self.width + _ACROSS)

    def right(self, column: int) -> int:
        return self.left(column) + self.width

    @property
    def size(self) -> tuple[int, int]:
        columns = [box.column for box in self.boxes.values()]
        bottom = max((box.bottom for box in self.boxes.values()), default=0)
        return self.right(max(columns, default=0)) + _MARGIN, bottom + _MARGIN

    def gap(self, column: int, y: float) -> float:
        """Return the middle of the gap of a column that is nearest to a height."""
        stack = sorted(
            (box for box in self.boxes.values() if box.column == column), key=lambda box: box.y
        )
        if not stack:
            return y
        gaps = [_MARGIN / 2, *(box.bottom + _BETWEEN / 2 for box in stack)]
        return min(gaps, key=lambda gap: abs(gap - y))


@dataclass(frozen=True, slots=True)
class Row:
    """One column of a table: its name and type, their style, and how high they stand."""

    name: str
    type: str
    style: str
    mark: str
    y: int


@dataclass(frozen=True, slots=True)
class Box:
    """One table, its upper left corner and its size."""

    name: str
    x: int
    y: int
    width: int
    height: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """One foreign key: a line, and where it ends."""

    path: str
    title: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """What diagram.svg.j2 draws."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def draw(found: Sequence[TableView]) -> Diagram:
    """Lay the tables out."""
    layout = _Layout(found)
    placed = layout.boxes.values()
    return Diagram(
        *layout.size,
        tuple(_box(box, layout) for box in placed),
        tuple(edge for box in placed for edge in _edges(box, layout)),
    )


def _boxes(found: Sequence[TableView]) -> list[_Placed]:
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
    placed: dict[str, _Placed] = {}
    bottoms: dict[int, int] = {}
    for depth in sorted(columns):
        columns[depth].sort(key=lambda table: (_middle(targets[table.name], placed), table.name))
        y = _MARGIN
        for table in columns[depth]:
            box = placed[table.name] = _Placed(table, depth, y)
            y = box.bottom + _BETWEEN
        bottoms[depth] = y
    for table in found:  # what stands alone fills the shortest column
        if table.name not in placed:
            depth = min(bottoms, key=lambda depth: (bottoms[depth], depth), default=0)
            box = placed[table.name] = _Placed(table, depth, bottoms.get(depth, _MARGIN))
            bottoms[depth] = box.bottom + _BETWEEN
    return [placed[table.name] for table in found]


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


def _middle(names: Sequence[str], placed: Mapping[str, _Placed]) -> float:
    middles = [placed[name].y + placed[name].height / 2 for name in names if name in placed]
    return sum(middles) / len(middles) if middles else 0.0


def _box(box: _Placed, layout: _Layout) -> Box:
    keys, foreign = box.table.primary_key, box.table.foreign_columns
    rows = []
    for column in box.table.columns:
        name = column["name"]
        rows.append(
            Row(
                name,
                _brief(column["type"]) + ("" if column["not_null"] else "?"),
                "key" if name in keys else "plain",
                "◆" if name in keys else "→" if name in foreign else "",
                box.row(name) + 4,
            )
        )
    x = layout.left(box.column)
    return Box(box.table.name, x, box.y, layout.width, box.height, tuple(rows))


_BRIEF = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "character varying": "varchar",
    "double precision": "float8",
}


def _brief(kind: str) -> str:
    return _BRIEF.get(kind, short(kind))


def _edges(box: _Placed, layout: _Layout) -> list[Edge]:
    edges = []
    for key in box.table.foreign_keys:
        target = layout.boxes.get(short(key["references"]))
        if target is None:
            continue
        # The column that tells this key from the others: the last one.
        start, end = box.row(key["columns"][-1]), target.y + _HEAD // 2
        title = f"{box.table.name} ({', '.join(key['columns'])}) → {target.table.name}"
        path = _path(box, start, target, end, layout)
        edges.append(Edge(path, title, layout.right(target.column), end))
    return edges


def _path(box: _Placed, start: int, target: _Placed, end: int, layout: _Layout) -> str:
    """Return a line from a column's row at the left of its table to the head of the other."""
    if target.column >= box.column:
        x, far = layout.right(box.column), layout.right(target.column)
        bend = max(x, far) + _ACROSS * 0.5
        return f"M{x} {start} C{bend:g} {start} {bend:g} {end} {far} {end}"
    x, y = layout.left(box.column), float(start)
    path = f"M{x} {start}"
    for column in range(box.column - 1, target.column, -1):
        share = (box.column - column) / (box.column - target.column)
        gap = layout.gap(column, start + (end - start) * share)
        path += _curve(x, y, layout.right(column), gap) + f" H{layout.left(column)}"
        x, y = layout.left(column), gap
    return path + _curve(x, y, layout.right(target.column), end)


def _curve(x: int, y: float, to_x: int, to_y: float) -> str:
    bend = _ACROSS * 0.6
    return f" C{x - bend:g} {y:g} {to_x + bend:g} {to_y:g} {to_x} {to_y:g}"
