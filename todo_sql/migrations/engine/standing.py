"""What stands on an object, and how it is taken down and made again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from todo_sql.catalog import changes
from todo_sql.catalog.ddl import BY_HAND, give
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.catalog.steps import steps

# Nothing is lost with these: their definitions make them again.
_DERIVED = {
    *("view", "materialized_view", "function", "trigger", "policy", "rule", "index"),
    *("statistics", "grant", "comment", "security_label"),
    "column",  # a view's
}
_OF_TABLE = {"column", "index", "statistics"}


class InTheWay(Exception):
    """Something stands on an object that is not made again."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def users(snapshot: Snapshot, roots: Iterable[str]) -> list[str]:
    """Return the keys of some objects, and of all that stands on them or belongs to them."""
    standing: dict[str, list[str]] = {}
    for part, needs in snapshot.needs.items():
        for need in needs:
            standing.setdefault(need, []).append(part)
    found = [root for root in dict.fromkeys(roots) if root in snapshot.items]
    given = set(found)
    for key in found:  # grows
        for part in (*(item.key for item in snapshot.parts(key)), *standing.get(key, ())):
            name = part.removeprefix("query ")
            item = snapshot.items.get(name)
            of_table = item is not None and (item.parent or "").startswith("table ")
            if item is None or item.kind not in (_DERIVED - _OF_TABLE if of_table else _DERIVED):
                raise InTheWay(part)
            if name not in given:
                given.add(name)
                found.append(name)
    return found


def drops(snapshot: Snapshot, keys: Collection[str]) -> Iterator[str]:
    """Yield the statements that drop objects, each after what stands on it."""
    chosen = set(keys)
    for step in reversed(steps(snapshot, chosen)):
        item = snapshot.items[step.key]
        if step.node == step.key and item.parent not in chosen and item.kind != "column":
            yield from changes.drop(item, snapshot)


def making(snapshot: Snapshot, keys: Collection[str]) -> Iterator[str]:
    """Yield the statements that make objects again, each after what it needs."""
    for step in steps(snapshot, keys):
        for statement in step.statements:
            if statement.startswith(BY_HAND):
                raise InTheWay(step.key)
            yield statement


def belongings(snapshot: Snapshot, key: str, columns: Collection[str]) -> Iterator[str]:
    """Yield what gives an object, made anew, what belonged to it; its columns are quoted."""
    yield from give(snapshot.items[key])
    below = [part.key for part in snapshot.parts(key)]
    for one in below:  # grows
        below += [part.key for part in snapshot.parts(one)]
    of_view = {one for one in below if one.startswith("column ")}
    gone = {one for one in of_view if one.rsplit(".", 1)[-1] not in columns}
    rest = (one for one in below if one not in of_view)
    yield from making(snapshot, [one for one in rest if snapshot.items[one].parent not in gone])
