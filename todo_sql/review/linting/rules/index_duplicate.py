"""Two indexes that are the same."""

from __future__ import annotations

from todo_sql.review.linting.example_tables import NOTES
from todo_sql.review.linting.rule import Hit, Hits, Project, Rule
from todo_sql.review.linting.schema_model import ModelIndex
from todo_sql.review.linting.tree import shape, shown


def _check(project: Project) -> Hits:
    alike: dict[object, list[ModelIndex]] = {}
    for index in project.schema.indexes.values():
        alike.setdefault(_likeness(index), []).append(index)
    for group in alike.values():
        # A constraint needs its own, and an earlier one stays.
        group.sort(key=lambda one: (one.of_constraint, one.unique), reverse=True)
        for place, index in enumerate(group):
            other = next((one for one in group[:place] if _same_order(index, one)), None)
            if other is not None:
                yield Hit(index.spot, {"index": shown(index.name), "other": shown(other.name)})


def _likeness(index: ModelIndex) -> tuple[object, ...]:
    return index.table, index.keys, index.method, index.include, shape(index.where)


def _same_order(one: ModelIndex, other: ModelIndex) -> bool:
    return one.orders == other.orders or not one.orders or not other.orders


RULE = Rule(
    code="R305",
    name="index-duplicate",
    severity="error",
    message="index {index} is the same as {other}",
    cause="both are written on every change and only one is read",
    fix="drop index {index}",
    bad=NOTES
    + """\
create index idx_notes_author on notes (author);
create index idx_notes_by on notes (author);
""",
    good=NOTES
    + """\
create index idx_notes_author on notes (author);
""",
    check=_check,
)
